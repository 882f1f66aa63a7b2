import { isLinkLocal } from '../../../shared/link-local.ts'
import { Budget } from '../../budget.ts'
import type { InterfaceAddress } from '../../link.ts'
import { instanceName, type RecordType, type ResourceRecord, rdata, SERVICE_TYPES, sameName } from '../dns/records.ts'

/** A service to be published. */
export interface PublishedService {
  /** Unique among this peer's. */
  id: string
  /** The instance name that is wanted; the one that is used may have ` (2)` and so on behind it. */
  name: string
  /** `_http._tcp` */
  type: string
  port: number
  txt: Record<string, string>
  subtypes: string[]
}

/** A service's changes told at once, and per second from then on. */
const UPDATE_BURST = 4

const UPDATES_PER_SECOND = 1

/** A name that is to be this host's alone, and the records that come with it. */
export interface Claim {
  /** The full name in use. */
  readonly name: string
  /** The types of its unique records: whoever else has one of those under the name is in conflict with us. */
  readonly types: readonly RecordType[]
  /** Its records on an interface of these addresses; the unique ones have the flush bit. */
  records(hostname: string, addresses: readonly InterfaceAddress[]): readonly ResourceRecord[]
  /** Takes the next name that is free among our own. */
  rename(isFree: (name: string) => boolean): void
}

/**
 * The host's name: that of the machine, if it is given, as long as nobody has it; then `k3vq7m2xa4.local`, then
 * `k3vq7m2xa4-2.local`.
 */
export class HostClaim implements Claim {
  readonly types = ['A', 'AAAA'] as const
  readonly preferred: string
  readonly #machineName: string | undefined
  #number: number

  constructor(wanted: string, machine?: string) {
    this.preferred = wanted
    this.#machineName = machine
    this.#number = machine === undefined ? 1 : 0
  }

  /** Whether the name in use is the machine's, to which its own mDNS program has the older right. */
  get isMachineName(): boolean {
    return this.#number === 0
  }

  get name(): string {
    if (this.#number === 0 && this.#machineName !== undefined) return this.#machineName
    return this.#number === 1 ? this.preferred : this.preferred.replace(/(?=\.local$)/i, `-${this.#number}`)
  }

  /** Under a name beside the machine's, those that lead from addresses to names are left to whoever has the machine's. */
  records(_hostname: string, addresses: readonly InterfaceAddress[]): readonly ResourceRecord[] {
    const records = hostRecords(this.name, addresses)
    return this.isMachineName ? [...records, ...reverseRecords(this.name, addresses)] : records
  }

  rename(): void {
    this.#number++
  }
}

/** A service's instance name: `Office`, then `Office (2)`. */
export class ServiceClaim implements Claim {
  readonly types = ['SRV', 'TXT'] as const
  /** How often changes of the service are told. */
  readonly updateBudget = new Budget(UPDATES_PER_SECOND, UPDATE_BURST)
  #service: PublishedService
  #instance: string
  #number = 1
  /** Its records, and the host name that they were made for. */
  #built: { hostname: string; records: readonly ResourceRecord[] } | undefined

  constructor(service: PublishedService) {
    this.#service = service
    this.#instance = truncateLabel(service.name)
  }

  get service(): PublishedService {
    return this.#service
  }

  get instance(): string {
    return this.#instance
  }

  get name(): string {
    return instanceName(this.#instance, this.#service.type)
  }

  /** Whether a service may take this one's place under the name in use. */
  canBecome({ name, type }: PublishedService): boolean {
    return name === this.#service.name && sameName(type, this.#service.type)
  }

  /** Takes the service as it is now; false when it is as it was. */
  update(service: PublishedService): boolean {
    if (isSameService(service, this.#service)) return false
    this.#service = service
    this.#built = undefined
    return true
  }

  records(hostname: string): readonly ResourceRecord[] {
    if (this.#built?.hostname !== hostname) {
      this.#built = { hostname, records: serviceRecords(this.#service, this.#instance, hostname) }
    }
    return this.#built.records
  }

  rename(isFree: (name: string) => boolean): void {
    do {
      this.#number++
      this.#instance = numberedLabel(this.#service.name, this.#number)
    } while (!isFree(this.name))
    this.#built = undefined
  }
}

/** The most bytes of one label (RFC 1035, section 2.3.4). */
const MAX_LABEL_BYTES = 63

/** As much of a text as fits a DNS label: 63 bytes of UTF-8, cut between characters. */
export function truncateLabel(text: string): string {
  return truncate(text, MAX_LABEL_BYTES)
}

/** The name that is tried after a conflict: `Office (2)`, cut in front of the number to fit a label. */
export function numberedLabel(name: string, n: number): string {
  const number = ` (${n})`
  return truncate(name, MAX_LABEL_BYTES - number.length) + number
}

function truncate(text: string, most: number): string {
  let bytes = 0
  let end = 0
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (bytes > most) return text.slice(0, end)
    end += character.length
  }
  return text
}

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

/** Whether two services are equal. The order of their TXT entries does not matter. */
function isSameService(one: PublishedService, other: PublishedService): boolean {
  const entries = Object.entries(one.txt)
  return (
    one.id === other.id &&
    one.name === other.name &&
    one.type === other.type &&
    one.port === other.port &&
    one.subtypes.length === other.subtypes.length &&
    one.subtypes.every((subtype, i) => subtype === other.subtypes[i]) &&
    entries.length === Object.keys(other.txt).length &&
    entries.every(([key, value]) => other.txt[key] === value)
  )
}
