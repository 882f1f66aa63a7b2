import { keyOf, SERVICES } from '../names.ts'
import type { Browse } from './browse.ts'
import type { Cache } from './cache.ts'
import type { Caps } from './caps.ts'
import type { FoundHost, Instance } from './found.ts'
import { type Held, lifeOf, SILENCE, SILENT_PART } from './held.ts'
import type { Hosts } from './hosts.ts'
import type { Questions } from './questions.ts'

/** Asks again for what is about to run out, and judges from what does who is still there. */
export class Upkeep {
  readonly #cache: Cache
  readonly #caps: Caps
  readonly #questions: Questions
  readonly #browse: Browse
  readonly #hosts: Hosts

  constructor(parts: { cache: Cache; caps: Caps; questions: Questions; browse: Browse; hosts: Hosts }) {
    this.#cache = parts.cache
    this.#caps = parts.caps
    this.#questions = parts.questions
    this.#browse = parts.browse
    this.#hosts = parts.hosts
  }

  /** Time to ask again for a record. */
  refresh(held: Held, now: number): void {
    const { record, interface: on, source } = held
    const { type, name } = record
    const host = this.#hostOf(held)
    if (type === 'PTR' ? !this.#isWanted(name) : !host) return
    if (held.confirmed || this.#questions.isAsking(on, { type, name }) || this.#caps.takeQuestion(source, now)) {
      const isOpen = () => this.#cache.get(type, name, on).some(({ refreshes }) => refreshes > 0)
      this.#questions.ask(on, { type, name }, now, isOpen)
    }
    if (host?.state !== 'alive' || held.refreshes < SILENCE || !this.#isSilent(host)) return
    if (host.lastSeen >= now - SILENT_PART * lifeOf(held)) return
    this.#hosts.suspect(host)
    this.#hosts.tell(now)
  }

  /** A record has run out. */
  expired(held: Held, now: number): void {
    const { record, interface: on } = held
    const host = this.#hostOf(held)
    const instance = this.#hosts.instance(on, record.type === 'PTR' ? record.data : record.name)
    const state = held.withdrawn ? 'left' : 'failed'
    switch (record.type) {
      case 'PTR':
        if (keyOf(record.name) === SERVICES) this.tidy(typeOf(record.data))
        else if (instance) this.#lose(instance, state, now)
        break
      case 'SRV':
        if (instance && !this.#isServed(instance)) this.#lose(instance, state, now)
        break
      case 'TXT':
        if (host && !this.#cache.newest('TXT', record.name, on)) this.#hosts.changed(host)
        break
      default:
        if (!host) break
        if (this.#cache.countAddresses(host.key) > 0) {
          this.#hosts.changed(host)
        } else {
          for (const each of host.instances) this.#browse.again(each.interface, each.type, now)
          this.#hosts.finish(host, state, now)
        }
    }
    this.#hosts.tell(now)
  }

  /** What was asked for many times, nobody tells. */
  giveUp(item: Instance | FoundHost, now: number): void {
    if ('instances' in item) {
      if (this.#cache.countAddresses(item.key) === 0) this.#hosts.finish(item, 'left', now)
    } else if (!this.#cache.newest('SRV', item.name, item.interface)) {
      this.#hosts.remove(item, 'left', now)
    }
    this.#hosts.tell(now)
  }

  /** A type that others told of is looked for as long as they do, or instances of it are there. */
  tidy(type: string): void {
    if (!this.#browse.learns || this.#hosts.offers(type)) return
    const isTold = this.#cache
      .get('PTR', SERVICES)
      .some(({ record }) => record.type === 'PTR' && typeOf(record.data) === type)
    if (!isTold) this.#browse.unlearn(type)
  }

  #lose(instance: Instance, state: 'failed' | 'left', now: number): void {
    if (state === 'failed') this.#browse.again(instance.interface, instance.type, now)
    this.#hosts.remove(instance, state, now)
  }

  /** Another SRV record has taken the place of one that has run out. */
  #isServed({ host, name, interface: on }: Instance): boolean {
    const srv = this.#cache.newest('SRV', name, on)?.record
    return srv?.type === 'SRV' && (!host || keyOf(srv.data.target) === host.key)
  }

  #isWanted(name: string): boolean {
    return keyOf(name) === SERVICES ? this.#browse.learns : this.#browse.has(typeOf(name))
  }

  /** The host whose life a record tells of. */
  #hostOf({ record, interface: on }: Held): FoundHost | undefined {
    switch (record.type) {
      case 'PTR':
        return undefined
      case 'A':
      case 'AAAA':
        return this.#hosts.host(record.name)
      default:
        return this.#hosts.instance(on, record.name)?.host
    }
  }

  /** None of its addresses, or none of its services, was told of again when it was asked for. */
  #isSilent({ key, instances }: FoundHost): boolean {
    const isUnanswered = ({ refreshes, withdrawn }: Held) => refreshes >= SILENCE || withdrawn
    const addresses = [...this.#cache.get('A', key), ...this.#cache.get('AAAA', key)]
    const services = [...instances].flatMap((each) => this.#cache.get('SRV', each.name, each.interface))
    return addresses.every(isUnanswered) || services.every(isUnanswered)
  }
}

function typeOf(name: string): string {
  return keyOf(name).slice(0, -'.local'.length)
}
