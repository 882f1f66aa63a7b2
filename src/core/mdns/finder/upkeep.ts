import { keyOf, OWN_TYPE, SERVICES, typeOf } from '../dns/names.ts'
import type { IsSigned } from '../dns/types.ts'
import type { Browse } from './browse.ts'
import type { Cache } from './cache.ts'
import type { Caps } from './caps.ts'
import type { FollowUps } from './follow-ups.ts'
import type { FoundHost, Instance } from './found.ts'
import { askedSince, DOUBT, type Held, REFRESHES, SILENCE } from './held.ts'
import type { Hosts } from './hosts.ts'
import type { Life } from './life.ts'
import type { Questions } from './questions.ts'

/** Asks again for what is about to run out, and judges from what does who is still there. */
export class Upkeep {
  readonly #cache: Cache
  readonly #caps: Caps
  readonly #questions: Questions
  readonly #browse: Browse
  readonly #hosts: Hosts
  readonly #life: Life
  readonly #followUps: FollowUps
  readonly #isSigned: IsSigned

  constructor(parts: {
    cache: Cache
    caps: Caps
    questions: Questions
    browse: Browse
    hosts: Hosts
    life: Life
    followUps: FollowUps
    isSigned: IsSigned
  }) {
    this.#cache = parts.cache
    this.#caps = parts.caps
    this.#questions = parts.questions
    this.#browse = parts.browse
    this.#hosts = parts.hosts
    this.#life = parts.life
    this.#followUps = parts.followUps
    this.#isSigned = parts.isSigned
  }

  /** Time to ask again for a record. */
  refresh(held: Held, now: number): void {
    const { record, interface: on, source } = held
    const { type, name } = record
    const instance = this.#instanceOf(held)
    const host = this.#hostOf(held)
    if (type === 'PTR' ? !this.#isWanted(name) : !host) return
    if (this.#isTold(held)) {
      this.#cache.confirm(held, now)
      return
    }
    if (held.confirmed || this.#questions.isAsking(on, { type, name }) || this.#caps.takeQuestion(source, now)) {
      // What somebody else asks may have been said to us alone: before the end we ask ourselves.
      this.#questions.ask(on, { type, name }, now, held.refreshes >= REFRESHES - 1 ? 'insist' : undefined)
    }
    if (!host) return
    // It may have lost no more than this service, or this address.
    if (held.refreshes === DOUBT) this.#life.ask(host, held, now)
    if (held.refreshes < SILENCE) return
    if (instance && this.#cache.newest('SRV', name, on) === held) host.unanswered.add(instance)
    if (type === 'TXT' || type === 'PTR') return
    if (host.state !== 'alive' || isHeardSinceAsked(host, held) || !this.#life.wasAsked(host, now)) return
    if (held.refreshes === SILENCE && !this.#isSilent(host)) return
    this.#hosts.suspect(host)
    this.#hosts.tellTogether(now)
  }

  /**
   * Whether a record that nobody told of again is still true, as whoever it belongs to has answered other questions, and
   * tells nothing in its place. Some devices answer for some of what they have, and never for the rest.
   */
  isKept(held: Held): boolean {
    const { record, interface: on } = held
    const since = askedSince(held)
    if (record.type === 'A' || record.type === 'AAAA') {
      const host = this.#hostOf(held)
      return host !== undefined && host.lastSeen >= since && host.addressHeardAt < since
    }
    const instance = this.#instanceOf(held)
    if (!instance || instance.heardAt < since) return false
    return record.type === 'PTR' || this.#cache.newest(record.type, record.name, on) === held
  }

  /** Nobody has answered for a host since it was asked for. One that runs an earshotd would have. */
  unheard(hostname: string, since: number, now: number): void {
    const host = this.#hosts.host(hostname)
    if (!host || host.lastSeen >= since || ![...host.instances].some(({ type }) => type === OWN_TYPE)) return
    this.#hosts.finish(host, 'failed', now)
    this.#hosts.tellTogether(now)
  }

  /** A record has run out. */
  expired(held: Held, now: number): void {
    const { record, interface: on } = held
    const host = this.#hostOf(held)
    const instance = this.#instanceOf(held)
    const state = held.withdrawn ? 'left' : 'failed'
    switch (record.type) {
      case 'PTR':
        if (keyOf(record.name) === SERVICES) this.tidy(typeOf(record.data))
        else if (instance) this.#lose(instance, state, now)
        break
      case 'SRV':
        if (!instance || this.#isServed(instance)) break
        if (host && hasDied(host, held)) this.#fail(host, now)
        else if (held.withdrawn) this.#await(instance, now)
        else this.#lose(instance, state, now)
        break
      case 'TXT':
        if (host && !this.#cache.newest('TXT', record.name, on)) this.#hosts.changed(host)
        break
      default:
        if (!host) break
        if (hasDied(host, held)) this.#fail(host, now)
        else if (this.#cache.countAddresses(host.key) > 0) this.#hosts.changed(host)
        else {
          this.#hosts.miss(host, state, now)
          this.#followUps.follow(host, now)
        }
    }
    this.#hosts.tellTogether(now)
  }

  /** What was asked for many times, nobody tells. */
  giveUp(item: Instance | FoundHost, now: number): void {
    if ('instances' in item) {
      // One that had an address may have another before long: it is missed for as long as its services are told of.
      if (!item.absent && this.#cache.countAddresses(item.key) === 0) this.#hosts.finish(item, 'left', now)
    } else if (!this.#cache.newest('SRV', item.name, item.interface)) {
      this.#hosts.remove(item, 'left', now)
    }
    this.#hosts.tellTogether(now)
  }

  /** A type that others told of is looked for as long as they do, or instances of it are there. */
  tidy(type: string): void {
    if (!this.#browse.learns || this.#hosts.offers(type)) return
    const isTold = this.#cache
      .get('PTR', SERVICES)
      .some(({ record }) => record.type === 'PTR' && typeOf(record.data) === type)
    if (!isTold) this.#browse.unlearn(type)
  }

  /** Its host and port were taken back, and it was not: others may be about to be told. */
  #await(instance: Instance, now: number): void {
    this.#hosts.detach(instance, 'left', now)
    this.#followUps.follow(instance, now)
  }

  /** Whether the beacons of the host that a record is of tell the same: they come more often than any answer would. */
  #isTold(held: Held): boolean {
    const { record, interface: on } = held
    if (record.type === 'A' || record.type === 'AAAA') {
      return this.#isSigned(keyOf(record.name), { address: record.data, interface: on })
    }
    const instance = this.#instanceOf(held)
    if (!instance?.host) return false
    const { host, label: name, type } = instance
    if (type === OWN_TYPE) return this.#isSigned(host.key, { name })
    return this.#isSigned(host.key, record.type === 'SRV' ? { name, type, port: record.data.port } : { name, type })
  }

  #lose(instance: Instance, state: 'failed' | 'left', now: number): void {
    if (state === 'failed') this.#browse.again(instance.interface, instance.type, now)
    this.#hosts.remove(instance, state, now)
  }

  #fail(host: FoundHost, now: number): void {
    for (const each of host.instances) this.#browse.again(each.interface, each.type, now)
    this.#hosts.finish(host, 'failed', now)
  }

  /** Another SRV record has taken the place of one that has run out. */
  #isServed({ host, name, interface: on }: Instance): boolean {
    const srv = this.#cache.newest('SRV', name, on)?.record
    return srv?.type === 'SRV' && (!host || keyOf(srv.data.target) === host.key)
  }

  #isWanted(name: string): boolean {
    return keyOf(name) === SERVICES ? this.#browse.learns : this.#browse.has(typeOf(name))
  }

  /** The instance that a record is of. */
  #instanceOf({ record, interface: on }: Held): Instance | undefined {
    return this.#hosts.instance(on, record.type === 'PTR' ? record.data : record.name)
  }

  /** The host that a record is of. */
  #hostOf(held: Held): FoundHost | undefined {
    const { type, name } = held.record
    return type === 'A' || type === 'AAAA' ? this.#hosts.host(name) : this.#instanceOf(held)?.host
  }

  /** None of its services, or none of its addresses, was told of again when it was asked for. */
  #isSilent({ key, instances, unanswered }: FoundHost): boolean {
    if (unanswered.size === instances.size) return true
    const addresses = [...this.#cache.get('A', key), ...this.#cache.get('AAAA', key)]
    return addresses.every(({ refreshes, withdrawn }) => refreshes >= SILENCE || withdrawn)
  }
}

/** Nobody answered for the record that has run out, nor anything else for its host: what else it has is void as well. */
function hasDied(host: FoundHost, held: Held): boolean {
  return !held.withdrawn && !isHeardSinceAsked(host, held)
}

/** Whether anything was heard of the host since it has been asked for the record. */
function isHeardSinceAsked(host: FoundHost, held: Held): boolean {
  return host.lastSeen >= askedSince(held)
}
