import { isIP } from 'node:net'
import type { DatagramSource } from '../../link.ts'
import { isHostAddress } from '../dns/host-address.ts'
import { keyOf, SERVICES, splitInstance, typeOf } from '../dns/names.ts'
import type { Message, ResourceRecord } from '../dns/types.ts'
import type { Browse } from './browse.ts'
import type { Cache } from './cache.ts'
import type { FollowUps } from './follow-ups.ts'
import { type FoundHost, type Instance, isServiceOf } from './found.ts'
import type { Hosts } from './hosts.ts'

/** In a message they may stand in any order: what others hang on is taken first. */
const ORDER = ['PTR', 'SRV', 'TXT', 'A', 'AAAA'] as const
/** The most addresses and services of one host. */
const MOST_ADDRESSES = 64
const MOST_SERVICES = 256

/** Nobody on the network writes to people's terminals. */
const CONTROL = /\p{Cc}/u
const LABEL_CHARACTERS = 63
const NAME_CHARACTERS = 255

type RecordOf<T extends ResourceRecord['type']> = Extract<ResourceRecord, { type: T }>

/** Takes from responses what belongs to the services that are looked for, and passes over everything else. */
export class Intake {
  readonly #cache: Cache
  readonly #hosts: Hosts
  readonly #browse: Browse
  readonly #followUps: FollowUps
  readonly #isAsked: (hostname: string) => boolean
  readonly #isOwn: (hostname: string) => boolean

  constructor(parts: {
    cache: Cache
    hosts: Hosts
    browse: Browse
    followUps: FollowUps
    /** Somebody wants to know the addresses of this host. */
    isAsked: (hostname: string) => boolean
    /** It is this machine itself. */
    isOwn: (hostname: string) => boolean
  }) {
    this.#cache = parts.cache
    this.#hosts = parts.hosts
    this.#browse = parts.browse
    this.#followUps = parts.followUps
    this.#isAsked = parts.isAsked
    this.#isOwn = parts.isOwn
  }

  /** Takes a response. */
  take({ answers, additionals }: Message, heard: DatagramSource, now: number): void {
    const records = additionals.length > 0 ? [...answers, ...additionals] : answers
    const addressed = new Addressed(records)
    for (const type of ORDER) {
      // What is taken back in the same message as it is told is there.
      for (const record of records)
        if (record.type === type && record.ttl === 0) this.#take(record, heard, addressed, now)
      for (const record of records)
        if (record.type === type && record.ttl > 0) this.#take(record, heard, addressed, now)
    }
  }

  #take(record: ResourceRecord, heard: DatagramSource, addressed: Addressed, now: number): void {
    switch (record.type) {
      case 'PTR':
        if (keyOf(record.name) === SERVICES) this.#takeType(record, heard, now)
        else this.#takePointer(record, heard, now)
        break
      case 'SRV':
        this.#takeService(record, heard, addressed, now)
        break
      case 'TXT':
        this.#takeText(record, heard, now)
        break
      case 'A':
      case 'AAAA':
        this.#takeAddress(record, heard, now)
    }
  }

  /** A type that is offered. */
  #takeType(record: RecordOf<'PTR'>, heard: DatagramSource, now: number): void {
    if (!this.#browse.learns) return
    if (record.ttl > 0 && !this.#browse.learn(record.data, heard.address, now)) return
    this.#cache.hear(record, heard, now)
  }

  /** An instance of a type. It may be the first that is heard of the type. */
  #takePointer(record: RecordOf<'PTR'>, heard: DatagramSource, now: number): void {
    const type = typeOf(record.name)
    if (!(this.#browse.has(type) || this.#browse.learns)) return
    const known = this.#hosts.instance(heard.interface, record.data)
    if (known || record.ttl === 0) {
      const news = this.#cache.hear(record, heard, now)
      if (news === 'nothing' || !known) return
      known.heardAt = now
      if (known.host) this.#hosts.heard(known.host, heard.interface, false, now)
      return
    }
    const split = splitInstance(record.data)
    if (split?.type !== type || split.instance.length > LABEL_CHARACTERS || CONTROL.test(split.instance)) return
    const { interface: on, address: source } = heard
    const instance = this.#hosts.addInstance({ interface: on, name: record.data, label: split.instance, type, source })
    if (!instance) return
    const isWanted = this.#browse.learn(record.name, source, now)
    if (isWanted && this.#cache.hear(record, heard, now) !== 'nothing') this.#followUps.follow(instance, now)
    else this.#hosts.remove(instance, 'left', now)
  }

  /** The host and port of an instance that is known. */
  #takeService(record: RecordOf<'SRV'>, heard: DatagramSource, addressed: Addressed, now: number): void {
    const instance = this.#hosts.instance(heard.interface, record.name)
    if (!instance) return
    if (record.ttl === 0) {
      this.#cache.hear(record, heard, now)
      return
    }
    const { target } = record.data
    const isOwn = this.#isOwn(target)
    const known = this.#hosts.host(target)
    if (!isHostname(target) || !(known || isLocal(target) || addressed.has(target))) return
    const host = isOwn ? undefined : (known ?? this.#hosts.addHost(target, heard.address, now))
    if (!isOwn && !host) return
    if (host && host !== instance.host && host.instances.size >= MOST_SERVICES) {
      this.#hosts.remove(instance, 'left', now)
      return
    }
    const news = this.#cache.hear(record, heard, now)
    if (news !== 'nothing' && !this.#isContested(instance, record, host)) this.#hosts.attach(instance, host, now)
    if (!host) return
    if (host.instances.size === 0) {
      this.#hosts.finish(host, 'left', now)
      return
    }
    if (news === 'nothing') return
    instance.heardAt = now
    host.unanswered.delete(instance)
    this.#hosts.heard(host, heard.interface, news === 'new', now)
    const isReachable = (['A', 'AAAA'] as const).some((type) => this.#cache.newest(type, target, heard.interface))
    if (!isReachable) this.#followUps.follow(host, now)
  }

  /**
   * Whether another host answers for the instance at the same time, each as if it were the only one: two devices of one
   * name. It stays with whom it is, and does not go to and fro with each answer.
   */
  #isContested(instance: Instance, { name, flush }: RecordOf<'SRV'>, host: FoundHost | undefined): boolean {
    const present = instance.host
    if (!flush || !present || present === host) return false
    return this.#cache
      .get('SRV', name, instance.interface)
      .some(({ record, withdrawn }) => !withdrawn && isServiceOf(record, present))
  }

  #takeText(record: RecordOf<'TXT'>, heard: DatagramSource, now: number): void {
    const instance = this.#hosts.instance(heard.interface, record.name)
    if (!instance) return
    const news = this.#cache.hear(record, heard, now)
    if (news === 'nothing') return
    instance.heardAt = now
    this.#hosts.show(instance)
    if (instance.host) this.#hosts.heard(instance.host, heard.interface, news === 'new', now)
  }

  #takeAddress(record: RecordOf<'A' | 'AAAA'>, heard: DatagramSource, now: number): void {
    const host = this.#hosts.host(record.name)
    if (!host && !this.#isAsked(record.name)) return
    if (!this.#cache.has(record, heard.interface)) {
      if (this.#cache.countAddresses(record.name) >= MOST_ADDRESSES) return
      if (!isHostAddress(record.data, record.type === 'A' ? 'ipv4' : 'ipv6')) return
    }
    const news = this.#cache.hear(record, heard, now)
    if (news === 'nothing' || !host) return
    host.addressHeardAt = now
    this.#hosts.heard(host, heard.interface, news === 'new', now)
  }
}

/** A name with a dot, as ids of peers have none, and no address. */
function isHostname(name: string): boolean {
  return name.length <= NAME_CHARACTERS && /^[^.].*\.[^.]+$/.test(name) && isIP(name) === 0 && !CONTROL.test(name)
}

function isLocal(name: string): boolean {
  return /\.local$/i.test(name)
}

/**
 * The names of which a message tells an address. Hosts outside `.local` are taken only with one: nobody need answer for
 * them by multicast.
 */
class Addressed {
  readonly #records: readonly ResourceRecord[]
  #names: Set<string> | undefined

  constructor(records: readonly ResourceRecord[]) {
    this.#records = records
  }

  has(name: string): boolean {
    this.#names ??= new Set(
      this.#records.flatMap(({ type, name }) => (type === 'A' || type === 'AAAA' ? keyOf(name) : [])),
    )
    return this.#names.has(keyOf(name))
  }
}
