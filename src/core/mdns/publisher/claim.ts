import { isDeepStrictEqual } from 'node:util'
import { isLinkLocal } from '../../../shared/link-local.ts'
import { Budget } from '../../budget.ts'
import type { InterfaceAddress } from '../../link.ts'
import { instanceName, type RecordType, type ResourceRecord, rdata, SERVICE_TYPES, sameName } from '../dns/records.ts'

/** A service to publish. */
export interface PublishedService {
  /** Unique among the services of this peer. */
  id: string
  /** The preferred instance name. After a conflict, ` (2)` and so on is appended. */
  name: string
  /** For example `_http._tcp`. */
  type: string
  port: number
  txt: Record<string, string>
  subtypes: string[]
}

/** The updates of one service that are announced at once, and per second after that. */
const UPDATE_BURST = 4
const UPDATES_PER_SECOND = 1

/** A unique name that this host wants to use, and the records under it. */
export interface Claim {
  /** The full name in use. */
  readonly name: string
  /** The types of its unique records. Another host that has one of them under the same name causes a conflict. */
  readonly types: readonly RecordType[]
  /** The records on an interface with these addresses. Unique records have the cache-flush bit. */
  records(hostname: string, addresses: readonly InterfaceAddress[]): readonly ResourceRecord[]
  /** Changes to the next name that is free on this host. */
  rename(isFree: (name: string) => boolean): void
}

/**
 * The claim to a host name. It starts with the machine's name if the machine has a usable one. After a conflict the host
 * name becomes `k3vq7m2xa4.local`, and after another conflict `k3vq7m2xa4-2.local`.
 */
export class HostClaim implements Claim {
  readonly types = ['A', 'AAAA'] as const
  readonly preferred: string
  readonly #machineName: string | undefined
  #number: number

  constructor(preferred: string, machine?: string) {
    this.preferred = preferred
    this.#machineName = machine
    this.#number = machine === undefined ? 1 : 0
  }

  /** Whether the machine's name is in use. Another mDNS program on this machine has precedence for it. */
  get isMachineName(): boolean {
    return this.#number === 0
  }

  get name(): string {
    if (this.#number === 0 && this.#machineName !== undefined) return this.#machineName
    return this.#number === 1 ? this.preferred : this.preferred.replace(/(?=\.local$)/i, `-${this.#number}`)
  }

  /** The reverse records belong to the owner of the machine's name, so other names have none. */
  records(_hostname: string, addresses: readonly InterfaceAddress[]): readonly ResourceRecord[] {
    const records = hostRecords(this.name, addresses)
    return this.isMachineName ? [...records, ...reverseRecords(this.name, addresses)] : records
  }

  rename(): void {
    this.#number++
  }
}

/** The instance name of a service: `Office`, then `Office (2)`. */
export class ServiceClaim implements Claim {
  readonly types = ['SRV', 'TXT'] as const
  /** Limits how often updates of the service are announced. */
  readonly updateBudget = new Budget(UPDATES_PER_SECOND, UPDATE_BURST)
  #service: PublishedService
  #instance: string
  #number = 1
  /** The records, and the host name for which they were built. */
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

  /** Whether another service can replace the current one without a new name. */
  canBecome({ name, type }: PublishedService): boolean {
    return name === this.#service.name && sameName(type, this.#service.type)
  }

  /** Replaces the service. Returns false if nothing changed. */
  update(service: PublishedService): boolean {
    if (isDeepStrictEqual(service, this.#service)) return false
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

/** The maximum size of a label (RFC 1035, section 2.3.4). */
const MAX_LABEL_BYTES = 63

/** Cuts a text to the 63 bytes of UTF-8 that fit a DNS label. Does not split characters. */
export function truncateLabel(text: string): string {
  return truncate(text, MAX_LABEL_BYTES)
}

/** The label to try after a conflict, such as `Office (2)`. The name is cut so that the label fits. */
export function numberedLabel(name: string, n: number): string {
  const number = ` (${n})`
  return truncate(name, MAX_LABEL_BYTES - number.length) + number
}

function truncate(text: string, maxBytes: number): string {
  let bytes = 0
  let end = 0
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (bytes > maxBytes) return text.slice(0, end)
    end += character.length
  }
  return text
}

/** The TTL of records that contain a host name or an address, seconds (RFC 6762, section 10). */
const HOST_TTL = 120

/** The TTL of all other records, seconds. */
const OTHER_TTL = 4500

/** The maximum size of a string in a TXT record, bytes. */
const MAX_TXT_STRING = 255

/** The maximum size of a TXT record, bytes. A message holds at most 9000 bytes (RFC 6762, section 17). */
const MAX_TXT_BYTES = 8000

/**
 * The records of a service: PTR records of its type, of its subtypes and in the list of types, SRV and TXT (RFC 6763,
 * sections 4 to 9). TXT entries above 255 bytes do not fit DNS and are left out. So are entries beyond 8000 bytes in
 * total.
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
 * The address records of a host on one interface. If there are routable addresses, link-local ones are left out, as in
 * Avahi: an IPv6 link-local address in DNS does not tell to which interface it belongs.
 */
export function hostRecords(hostname: string, addresses: readonly InterfaceAddress[]): ResourceRecord[] {
  return publishedAddresses(addresses).map(({ address, family }) => {
    return { name: hostname, type: family === 'ipv4' ? 'A' : 'AAAA', ttl: HOST_TTL, flush: true, data: address }
  })
}

/** The PTR records that map the addresses of a host to its name (RFC 1035, section 3.5; RFC 3596, section 2.5). */
function reverseRecords(hostname: string, addresses: readonly InterfaceAddress[]): ResourceRecord[] {
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
