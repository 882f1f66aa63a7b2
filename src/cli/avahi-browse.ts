import type { OfferedService, Peer, Service } from '../client/index.ts'
import type { Address } from '../client/resolve.ts'
import { isLinkLocal } from '../shared/link-local.ts'

/** A service and the peer that offers it. */
export interface BrowsedService {
  service: OfferedService
  peer: Pick<Peer, 'hostname' | 'addresses'>
}

const DOMAIN = 'local'
const PROTOCOLS: Readonly<Record<Address['family'], string>> = { ipv4: 'IPv4', ipv6: 'IPv6' }

/**
 * Services in the format of `avahi-browse -rpk`: a `+` line for each interface and protocol on which a service can be
 * reached, then a `=` line for each with host, address, port and TXT. No name and no TXT value can add a line or a field.
 */
export function avahiBrowseLines(services: readonly BrowsedService[]): string[] {
  const found = services.flatMap(({ service, peer }) =>
    bestAddresses(service.addresses ?? peer.addresses).map((address) => {
      const browsed = [
        escapeLabel(address.interface),
        PROTOCOLS[address.family],
        escapeLabel(service.name),
        escapeName(service.type),
        DOMAIN,
      ].join(';')
      const resolved = [
        escapeName(peer.hostname),
        withoutZone(address.address),
        service.port,
        txtField(service.txt),
      ].join(';')
      return { newLine: `+;${browsed}`, resolvedLine: `=;${browsed};${resolved}` }
    }),
  )
  return [...found.map(({ newLine }) => newLine), ...found.map(({ resolvedLine }) => resolvedLine)]
}

/** One address for each interface and protocol, as Avahi resolves them: link-local only if there is no other. */
function bestAddresses(addresses: readonly Address[]): Address[] {
  const best = new Map<string, Address>()
  for (const address of addresses) {
    const key = `${address.family} ${address.interface}`
    const other = best.get(key)
    if (!other || (isLinkLocal(other.address) && !isLinkLocal(address.address))) best.set(key, address)
  }
  return [...best.values()]
}

/** Avahi prints no zone, since the interface has its own field. */
function withoutZone(address: string): string {
  return address.replace(/%.*$/, '').replace(/[^0-9a-fA-F:.]/g, '')
}

/** As `avahi_escape_label`: letters, digits, `-` and `_` unchanged, `.` and `\` after a backslash, other bytes as `\DDD`. */
function escapeLabel(text: string): string {
  return escapeBytes(text, /[A-Za-z0-9_-]/, /[.\\]/)
}

/** A host name or service type: like a label, but dots separate labels and stay unchanged. */
function escapeName(text: string): string {
  return escapeBytes(text, /[A-Za-z0-9_.-]/, /\\/)
}

/**
 * TXT strings as `"k2=v2" "k=v"`: Avahi 0.8 prints the last one first. It escaped nothing until a line break in a string
 * could add a line (avahi#144). Here quotes and backslashes follow a backslash, and bytes that are not printable ASCII are
 * `\DDD`.
 */
function txtField(txt: Service['txt']): string {
  return Object.entries(txt)
    .reverse()
    .map(([key, value]) => `"${escapeBytes(`${key}=${value}`, /[ -~]/, /["\\]/)}"`)
    .join(' ')
}

/** Puts a backslash before `marked` characters, keeps `plain` ones, and writes others as the decimal bytes of their UTF-8. */
function escapeBytes(text: string, plain: RegExp, marked: RegExp): string {
  return [...text]
    .map((character) => {
      if (marked.test(character)) return `\\${character}`
      if (plain.test(character)) return character
      return [...Buffer.from(character)].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('')
    })
    .join('')
}
