import { isLinkLocal } from '../../../shared/link-local.ts'
import type { InterfaceAddress } from '../../link.ts'
import { instanceName, SERVICE_TYPES } from '../dns/names.ts'
import { rdata } from '../dns/rdata.ts'
import type { PublishedService, ResourceRecord } from '../dns/types.ts'

/** TTL of records that hold a host's name or addresses, seconds (RFC 6762, section 10). */
const HOST_TTL = 120
/** TTL of all others, seconds. */
const OTHER_TTL = 4500
/** The longest string of a TXT record. */
const MAX_TXT_STRING = 255
/** The most bytes of a TXT record: a message has at most 9000 (RFC 6762, section 17). */
const MAX_TXT_BYTES = 8000

/**
 * The records of a service under the instance name in use: PTR of its type, of its subtypes and among the types, SRV
 * and TXT (RFC 6763, sections 4 to 9). A TXT entry above 255 bytes has no place in DNS and is left out, as are those
 * past 8000 bytes in all.
 */
export function serviceRecords(service: PublishedService, instance: string, hostname: string): ResourceRecord[] {
  const { type, port, txt, subtypes } = service
  const [name, typeName] = [instanceName(instance, type), `${type}.local`]
  const subtypeNames = new Set(subtypes.map((subtype) => `_${subtype.replace(/^_/, '')}._sub.${typeName}`))
  const pointer = (from: string, data: string) =>
    ({ name: from, type: 'PTR', ttl: OTHER_TTL, flush: false, data }) as const
  const target = { priority: 0, weight: 0, port, target: hostname }
  const entries = Object.entries(txt).map(([key, value]) => Buffer.from(`${key}=${value}`))
  return [
    pointer(typeName, name),
    { name, type: 'SRV', ttl: HOST_TTL, flush: true, data: target },
    { name, type: 'TXT', ttl: OTHER_TTL, flush: true, data: fittingEntries(entries) },
    pointer(SERVICE_TYPES, typeName),
    ...Array.from(subtypeNames, (subtypeName) => pointer(subtypeName, name)),
  ]
}

/**
 * The address records of a host on one interface. Link-local addresses beside one that leads further are left out, as
 * Avahi does: of an IPv6 address in DNS nobody can tell to which interface it belongs.
 */
export function hostRecords(hostname: string, addresses: readonly InterfaceAddress[]): ResourceRecord[] {
  return publishedAddresses(addresses).map(({ address, family }) => {
    return { name: hostname, type: family === 'ipv4' ? 'A' : 'AAAA', ttl: HOST_TTL, flush: true, data: address }
  })
}

/** The records that lead from a host's addresses to its name (RFC 1035, section 3.5, and RFC 3596, section 2.5). */
export function reverseRecords(hostname: string, addresses: readonly InterfaceAddress[]): ResourceRecord[] {
  return publishedAddresses(addresses).map(({ address, family }) => {
    return { name: reverseName(address, family), type: 'PTR', ttl: HOST_TTL, flush: true, data: hostname }
  })
}

function publishedAddresses(addresses: readonly InterfaceAddress[]): readonly InterfaceAddress[] {
  const routable = addresses.filter(({ address }) => !isLinkLocal(address))
  return routable.length > 0 ? routable : addresses
}

function reverseName(address: string, family: InterfaceAddress['family']): string {
  if (family === 'ipv4') return `${address.split('.').reverse().join('.')}.in-addr.arpa`
  const digits = rdata({ type: 'AAAA', data: address }).toString('hex')
  return `${[...digits].reverse().join('.')}.ip6.arpa`
}

function fittingEntries(entries: readonly Uint8Array[]): Uint8Array[] {
  let bytes = 0
  const kept = entries.filter(({ length }) => {
    if (length > MAX_TXT_STRING || bytes + 1 + length > MAX_TXT_BYTES) return false
    bytes += 1 + length
    return true
  })
  return kept.length > 0 ? kept : [new Uint8Array(0)]
}
