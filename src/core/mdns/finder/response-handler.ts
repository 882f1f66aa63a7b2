import { isHostAddress, isIpAddress } from '../../address.ts'
import type { DatagramSource } from '../../link.ts'
import type { Message } from '../dns/messages.ts'
import { nameKey, type ResourceRecord, SERVICE_TYPES, serviceTypeOf, splitInstance } from '../dns/records.ts'
import { type DiscoveredHost, type DiscoveredInstance, isServiceOf } from './discovered-host.ts'
import type { HostTable } from './host-table.ts'
import type { RecordCache } from './record-cache.ts'
import type { Resolver } from './resolver.ts'
import type { TypeBrowser } from './type-browser.ts'

/** The records of a message may have any order. Records on which others depend are handled first. */
const HANDLING_ORDER = ['PTR', 'SRV', 'TXT', 'A', 'AAAA'] as const

/** The maximum number of addresses and of services per host. */
const MAX_ADDRESSES = 64
const MAX_SERVICES = 256

/** Names with control characters are rejected: they could manipulate the terminal in which they are shown. */
const CONTROL_CHARACTER = /\p{Cc}/u
const MAX_LABEL_CHARACTERS = 63
const MAX_NAME_CHARACTERS = 255

type RecordOf<T extends ResourceRecord['type']> = Extract<ResourceRecord, { type: T }>

/** Stores the records of responses that belong to browsed services, and ignores all others. */
export class ResponseHandler {
  readonly #cache: RecordCache
  readonly #hosts: HostTable
  readonly #browser: TypeBrowser
  readonly #resolver: Resolver
  readonly #isQueried: (hostname: string) => boolean
  readonly #isOwn: (hostname: string) => boolean

  constructor(parts: {
    cache: RecordCache
    hosts: HostTable
    browser: TypeBrowser
    resolver: Resolver
    /** Whether the addresses of the host were requested. */
    isQueried: (hostname: string) => boolean
    /** Whether the name is the host name of this host. */
    isOwn: (hostname: string) => boolean
  }) {
    this.#cache = parts.cache
    this.#hosts = parts.hosts
    this.#browser = parts.browser
    this.#resolver = parts.resolver
    this.#isQueried = parts.isQueried
    this.#isOwn = parts.isOwn
  }

  /** Handles a response. */
  handle({ answers, additionals }: Message, from: DatagramSource, now: number): void {
    const records = additionals.length > 0 ? [...answers, ...additionals] : answers
    const addressOwners = new AddressOwners(records)
    for (const type of HANDLING_ORDER) {
      // Goodbyes are handled first: a record that one message both removes and announces exists.
      for (const record of records)
        if (record.type === type && record.ttl === 0) this.#handle(record, from, addressOwners, now)
      for (const record of records)
        if (record.type === type && record.ttl > 0) this.#handle(record, from, addressOwners, now)
    }
  }

  #handle(record: ResourceRecord, from: DatagramSource, addressOwners: AddressOwners, now: number): void {
    switch (record.type) {
      case 'PTR':
        if (nameKey(record.name) === SERVICE_TYPES) this.#handleType(record, from, now)
        else this.#handlePointer(record, from, now)
        break
      case 'SRV':
        this.#handleService(record, from, addressOwners, now)
        break
      case 'TXT':
        this.#handleTxt(record, from, now)
        break
      case 'A':
      case 'AAAA':
        this.#handleAddress(record, from, now)
    }
  }

  /** Handles a PTR record that names a service type. */
  #handleType(record: RecordOf<'PTR'>, from: DatagramSource, now: number): void {
    if (!this.#browser.learnsTypes) return
    if (record.ttl > 0 && !this.#browser.learn(record.data, from.address, now)) return
    this.#cache.store(record, from, now)
  }

  /** Handles a PTR record that names an instance. The type may be new. */
  #handlePointer(record: RecordOf<'PTR'>, from: DatagramSource, now: number): void {
    const type = serviceTypeOf(record.name)
    if (!(this.#browser.has(type) || this.#browser.learnsTypes)) return
    const known = this.#hosts.instance(from.interface, record.data)
    if (known || record.ttl === 0) {
      const result = this.#cache.store(record, from, now)
      if (result === 'ignored' || !known) return
      known.lastSeen = now
      if (known.host) this.#hosts.markAlive(known.host, from.interface, false, now)
      return
    }
    const split = splitInstance(record.data)
    if (split?.type !== type || split.instance.length > MAX_LABEL_CHARACTERS || CONTROL_CHARACTER.test(split.instance))
      return
    const { interface: interfaceName, address: source } = from
    const instance = this.#hosts.addInstance({
      interface: interfaceName,
      name: record.data,
      label: split.instance,
      type,
      source,
    })
    if (!instance) return
    const isWanted = this.#browser.learn(record.name, source, now)
    if (isWanted && this.#cache.store(record, from, now) !== 'ignored') this.#resolver.resolve(instance, now)
    else this.#hosts.removeInstance(instance, 'left', now)
  }

  /** Handles the SRV record of a known instance. */
  #handleService(record: RecordOf<'SRV'>, from: DatagramSource, addressOwners: AddressOwners, now: number): void {
    const instance = this.#hosts.instance(from.interface, record.name)
    if (!instance) return
    if (record.ttl === 0) {
      this.#cache.store(record, from, now)
      return
    }
    const { target } = record.data
    const isOwn = this.#isOwn(target)
    const known = this.#hosts.host(target)
    if (!isHostname(target) || !(known || isLocal(target) || addressOwners.has(target))) return
    const host = isOwn ? undefined : (known ?? this.#hosts.addHost(target, from.address, now))
    if (!isOwn && !host) return
    if (host && host !== instance.host && host.instances.size >= MAX_SERVICES) {
      this.#hosts.removeInstance(instance, 'left', now)
      return
    }
    const result = this.#cache.store(record, from, now)
    if (result !== 'ignored' && !this.#isContested(instance, record, host)) this.#hosts.attach(instance, host, now)
    if (!host) return
    if (host.instances.size === 0) {
      this.#hosts.removeHost(host, 'left', now)
      return
    }
    if (result === 'ignored') return
    instance.lastSeen = now
    host.unanswered.delete(instance)
    this.#hosts.markAlive(host, from.interface, result === 'added', now)
    const isReachable = (['A', 'AAAA'] as const).some((type) => this.#cache.newest(type, target, from.interface))
    if (!isReachable) this.#resolver.resolve(host, now)
  }

  /**
   * Whether the instance's current host still answers for it while another host claims it as well: two devices use the
   * same name. The instance then stays with its current host instead of changing with each answer.
   */
  #isContested(
    instance: DiscoveredInstance,
    { name, flush }: RecordOf<'SRV'>,
    host: DiscoveredHost | undefined,
  ): boolean {
    const currentHost = instance.host
    if (!flush || !currentHost || currentHost === host) return false
    return this.#cache
      .entries('SRV', name, instance.interface)
      .some(({ record, withdrawn }) => !withdrawn && isServiceOf(record, currentHost))
  }

  #handleTxt(record: RecordOf<'TXT'>, from: DatagramSource, now: number): void {
    const instance = this.#hosts.instance(from.interface, record.name)
    if (!instance) return
    const result = this.#cache.store(record, from, now)
    if (result === 'ignored') return
    instance.lastSeen = now
    this.#hosts.list(instance)
    if (instance.host) this.#hosts.markAlive(instance.host, from.interface, result === 'added', now)
  }

  #handleAddress(record: RecordOf<'A' | 'AAAA'>, from: DatagramSource, now: number): void {
    const host = this.#hosts.host(record.name)
    if (!host && !this.#isQueried(record.name)) return
    if (!this.#cache.has(record, from.interface)) {
      if (this.#cache.countAddresses(record.name) >= MAX_ADDRESSES) return
      if (!isHostAddress(record.data, record.type === 'A' ? 'ipv4' : 'ipv6')) return
    }
    const result = this.#cache.store(record, from, now)
    if (result === 'ignored' || !host) return
    host.addressLastSeen = now
    this.#hosts.markAlive(host, from.interface, result === 'added', now)
  }
}

/** Accepts names with a dot that are not IP addresses. Peer ids have no dot. */
function isHostname(name: string): boolean {
  return (
    name.length <= MAX_NAME_CHARACTERS &&
    /^[^.].*\.[^.]+$/.test(name) &&
    !isIpAddress(name.replace(/%.*/s, '')) &&
    !CONTROL_CHARACTER.test(name)
  )
}

function isLocal(name: string): boolean {
  return /\.local$/i.test(name)
}

/**
 * The names for which a message contains an address. Hosts outside `.local` are accepted only with an address, because
 * they need not answer multicast queries.
 */
class AddressOwners {
  readonly #records: readonly ResourceRecord[]
  #names: Set<string> | undefined

  constructor(records: readonly ResourceRecord[]) {
    this.#records = records
  }

  has(name: string): boolean {
    this.#names ??= new Set(
      this.#records.flatMap(({ type, name }) => (type === 'A' || type === 'AAAA' ? nameKey(name) : [])),
    )
    return this.#names.has(nameKey(name))
  }
}
