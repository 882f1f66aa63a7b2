import { isHostAddress, isIpAddress } from '../../address.ts'
import type { DatagramSource } from '../../link.ts'
import type { Message } from '../dns/messages.ts'
import { nameKey, type ResourceRecord, SERVICE_TYPES, serviceTypeOf, splitInstance } from '../dns/records.ts'
import { type DiscoveredHost, type DiscoveredInstance, isServiceOf } from './discovered-host.ts'
import type { HostTable } from './host-table.ts'
import type { RecordCache } from './record-cache.ts'
import type { Resolver } from './resolver.ts'
import type { TypeBrowser } from './type-browser.ts'

/** In a message they may stand in any order: what others hang on is taken first. */
const HANDLING_ORDER = ['PTR', 'SRV', 'TXT', 'A', 'AAAA'] as const

/** The most addresses and services of one host. */
const MAX_ADDRESSES = 64

const MAX_SERVICES = 256

/** Nobody on the network writes to people's terminals. */
const CONTROL_CHARACTER = /\p{Cc}/u

const MAX_LABEL_CHARACTERS = 63

const MAX_NAME_CHARACTERS = 255

type RecordOf<T extends ResourceRecord['type']> = Extract<ResourceRecord, { type: T }>

/** Takes from responses what belongs to the services that are looked for, and passes over everything else. */
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
    /** Somebody wants to know the addresses of this host. */
    isQueried: (hostname: string) => boolean
    /** It is this machine itself. */
    isOwn: (hostname: string) => boolean
  }) {
    this.#cache = parts.cache
    this.#hosts = parts.hosts
    this.#browser = parts.browser
    this.#resolver = parts.resolver
    this.#isQueried = parts.isQueried
    this.#isOwn = parts.isOwn
  }

  /** Takes a response. */
  handle({ answers, additionals }: Message, heard: DatagramSource, now: number): void {
    const records = additionals.length > 0 ? [...answers, ...additionals] : answers
    const addressed = new AddressOwners(records)
    for (const type of HANDLING_ORDER) {
      // What is taken back in the same message as it is told is there.
      for (const record of records)
        if (record.type === type && record.ttl === 0) this.#handle(record, heard, addressed, now)
      for (const record of records)
        if (record.type === type && record.ttl > 0) this.#handle(record, heard, addressed, now)
    }
  }

  #handle(record: ResourceRecord, heard: DatagramSource, addressed: AddressOwners, now: number): void {
    switch (record.type) {
      case 'PTR':
        if (nameKey(record.name) === SERVICE_TYPES) this.#handleType(record, heard, now)
        else this.#handlePointer(record, heard, now)
        break
      case 'SRV':
        this.#handleService(record, heard, addressed, now)
        break
      case 'TXT':
        this.#handleTxt(record, heard, now)
        break
      case 'A':
      case 'AAAA':
        this.#handleAddress(record, heard, now)
    }
  }

  /** A type that is offered. */
  #handleType(record: RecordOf<'PTR'>, heard: DatagramSource, now: number): void {
    if (!this.#browser.learnsTypes) return
    if (record.ttl > 0 && !this.#browser.learn(record.data, heard.address, now)) return
    this.#cache.store(record, heard, now)
  }

  /** An instance of a type. It may be the first that is heard of the type. */
  #handlePointer(record: RecordOf<'PTR'>, heard: DatagramSource, now: number): void {
    const type = serviceTypeOf(record.name)
    if (!(this.#browser.has(type) || this.#browser.learnsTypes)) return
    const known = this.#hosts.instance(heard.interface, record.data)
    if (known || record.ttl === 0) {
      const result = this.#cache.store(record, heard, now)
      if (result === 'ignored' || !known) return
      known.lastSeen = now
      if (known.host) this.#hosts.markAlive(known.host, heard.interface, false, now)
      return
    }
    const split = splitInstance(record.data)
    if (split?.type !== type || split.instance.length > MAX_LABEL_CHARACTERS || CONTROL_CHARACTER.test(split.instance))
      return
    const { interface: interfaceName, address: source } = heard
    const instance = this.#hosts.addInstance({
      interface: interfaceName,
      name: record.data,
      label: split.instance,
      type,
      source,
    })
    if (!instance) return
    const isWanted = this.#browser.learn(record.name, source, now)
    if (isWanted && this.#cache.store(record, heard, now) !== 'ignored') this.#resolver.resolve(instance, now)
    else this.#hosts.removeInstance(instance, 'left', now)
  }

  /** The host and port of an instance that is known. */
  #handleService(record: RecordOf<'SRV'>, heard: DatagramSource, addressed: AddressOwners, now: number): void {
    const instance = this.#hosts.instance(heard.interface, record.name)
    if (!instance) return
    if (record.ttl === 0) {
      this.#cache.store(record, heard, now)
      return
    }
    const { target } = record.data
    const isOwn = this.#isOwn(target)
    const known = this.#hosts.host(target)
    if (!isHostname(target) || !(known || isLocal(target) || addressed.has(target))) return
    const host = isOwn ? undefined : (known ?? this.#hosts.addHost(target, heard.address, now))
    if (!isOwn && !host) return
    if (host && host !== instance.host && host.instances.size >= MAX_SERVICES) {
      this.#hosts.removeInstance(instance, 'left', now)
      return
    }
    const result = this.#cache.store(record, heard, now)
    if (result !== 'ignored' && !this.#isContested(instance, record, host)) this.#hosts.attach(instance, host, now)
    if (!host) return
    if (host.instances.size === 0) {
      this.#hosts.removeHost(host, 'left', now)
      return
    }
    if (result === 'ignored') return
    instance.lastSeen = now
    host.unanswered.delete(instance)
    this.#hosts.markAlive(host, heard.interface, result === 'added', now)
    const isReachable = (['A', 'AAAA'] as const).some((type) => this.#cache.newest(type, target, heard.interface))
    if (!isReachable) this.#resolver.resolve(host, now)
  }

  /**
   * Whether another host answers for the instance at the same time, each as if it were the only one: two devices of one
   * name. It stays with whom it is, and does not go to and fro with each answer.
   */
  #isContested(
    instance: DiscoveredInstance,
    { name, flush }: RecordOf<'SRV'>,
    host: DiscoveredHost | undefined,
  ): boolean {
    const present = instance.host
    if (!flush || !present || present === host) return false
    return this.#cache
      .entries('SRV', name, instance.interface)
      .some(({ record, withdrawn }) => !withdrawn && isServiceOf(record, present))
  }

  #handleTxt(record: RecordOf<'TXT'>, heard: DatagramSource, now: number): void {
    const instance = this.#hosts.instance(heard.interface, record.name)
    if (!instance) return
    const result = this.#cache.store(record, heard, now)
    if (result === 'ignored') return
    instance.lastSeen = now
    this.#hosts.list(instance)
    if (instance.host) this.#hosts.markAlive(instance.host, heard.interface, result === 'added', now)
  }

  #handleAddress(record: RecordOf<'A' | 'AAAA'>, heard: DatagramSource, now: number): void {
    const host = this.#hosts.host(record.name)
    if (!host && !this.#isQueried(record.name)) return
    if (!this.#cache.has(record, heard.interface)) {
      if (this.#cache.countAddresses(record.name) >= MAX_ADDRESSES) return
      if (!isHostAddress(record.data, record.type === 'A' ? 'ipv4' : 'ipv6')) return
    }
    const result = this.#cache.store(record, heard, now)
    if (result === 'ignored' || !host) return
    host.addressSeen = now
    this.#hosts.markAlive(host, heard.interface, result === 'added', now)
  }
}

/** A name with a dot, as ids of peers have none, and no address. */
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
 * The names of which a message tells an address. Hosts outside `.local` are taken only with one: nobody need answer for
 * them by multicast.
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
