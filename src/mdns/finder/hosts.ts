import type { Agenda } from '../../agenda.ts'
import { Budget } from '../../budget.ts'
import type { Sighting } from '../../presence/types.ts'
import { keyOf } from '../names.ts'
import { Timetable } from '../timetable.ts'
import type { Cache } from './cache.ts'
import type { Caps } from './caps.ts'
import type { FoundHost, Instance } from './found.ts'
import { farewellOf, sightingOf } from './sighting.ts'

/** A service is shown without a TXT record when none was heard for this long, ms. */
const TXT_WAIT = 1000
/** That a host was heard again is told this often, ms. */
const HEARD_AGAIN = 1000
/** Changes of one host that are told at once, and per second from then on. */
const CHANGES_AT_ONCE = 10
const CHANGES_PER_SECOND = 1

/** The hosts and service instances that were found, how they hang together, and telling of them. */
export class Hosts {
  readonly #cache: Cache
  readonly #caps: Caps
  readonly #sighted: (sighting: Sighting, now: number) => void
  readonly #removed: (item: Instance | FoundHost) => void
  readonly #instances = new Map<string, Instance>()
  readonly #hosts = new Map<string, FoundHost>()
  /** How many instances there are of a type. */
  readonly #types = new Map<string, number>()
  /** Hosts of which something is to be told. */
  readonly #stirred = new Set<FoundHost>()
  readonly #timetable: Timetable<FoundHost>

  constructor(parts: {
    agenda: Agenda
    cache: Cache
    caps: Caps
    sighted: (sighting: Sighting, now: number) => void
    removed: (item: Instance | FoundHost) => void
  }) {
    this.#cache = parts.cache
    this.#caps = parts.caps
    this.#sighted = parts.sighted
    this.#removed = parts.removed
    this.#timetable = new Timetable(parts.agenda, (host, now) => this.#tell(host, now))
  }

  /** By its full name. */
  instance(on: string, name: string): Instance | undefined {
    return this.#instances.get(instanceKey(on, name))
  }

  host(name: string): FoundHost | undefined {
    return this.#hosts.get(keyOf(name))
  }

  /** Whether there is an instance of a type. */
  offers(type: string): boolean {
    return this.#types.has(type)
  }

  /** A new instance, if there is room. */
  addInstance(found: Pick<Instance, 'interface' | 'name' | 'label' | 'type' | 'source'>): Instance | undefined {
    if (!this.#caps.services.take(found.source)) return undefined
    const instance = { ...found, host: undefined, showAt: Number.POSITIVE_INFINITY, shown: false }
    this.#instances.set(instanceKey(instance.interface, instance.name), instance)
    this.#types.set(instance.type, (this.#types.get(instance.type) ?? 0) + 1)
    return instance
  }

  /** A new host, if there is room. */
  addHost(hostname: string, source: string, now: number): FoundHost | undefined {
    if (!this.#caps.takeHost(source, now)) return undefined
    const host: FoundHost = {
      key: keyOf(hostname),
      hostname,
      source,
      instances: new Set(),
      state: 'alive',
      lastSeen: now,
      heardOn: new Map(),
      changed: false,
      told: undefined,
      changes: new Budget(CHANGES_PER_SECOND, CHANGES_AT_ONCE),
    }
    this.#hosts.set(host.key, host)
    return host
  }

  /** The instance is offered by this host, or by this machine itself, and by no other any more. */
  attach(instance: Instance, host: FoundHost | undefined, now: number): void {
    if (instance.host === host) return
    this.#detach(instance, 'left', now)
    instance.host = host
    instance.showAt = Math.min(instance.showAt, now + TXT_WAIT)
    if (!host) return
    host.instances.add(instance)
    this.changed(host)
  }

  /** Something true was heard of it. */
  heard(host: FoundHost, on: string, isNew: boolean, now: number): void {
    host.lastSeen = now
    host.heardOn.set(on, now)
    if (isNew || host.state === 'suspect') host.changed = true
    host.state = 'alive'
    this.#stirred.add(host)
  }

  changed(host: FoundHost): void {
    host.changed = true
    this.#stirred.add(host)
  }

  suspect(host: FoundHost): void {
    host.state = 'suspect'
    this.changed(host)
  }

  /** The instance is no longer there; with the last of its services, its host goes into `state`. */
  remove(instance: Instance, state: 'failed' | 'left', now: number): void {
    const { interface: on, name, type, source } = instance
    if (!this.#instances.delete(instanceKey(on, name))) return
    this.#caps.services.give(source)
    const others = (this.#types.get(type) ?? 1) - 1
    if (others > 0) this.#types.set(type, others)
    else this.#types.delete(type)
    this.#cache.drop('SRV', name, on)
    this.#cache.drop('TXT', name, on)
    this.#cache.dropPointer(`${type}.local`, name, on)
    this.#detach(instance, state, now)
    this.#removed(instance)
  }

  /** The host is no longer there, and none of its services is. */
  finish(host: FoundHost, state: 'failed' | 'left', now: number): void {
    if (!this.#hosts.delete(host.key)) return
    this.#caps.hosts.give(host.source)
    this.#stirred.delete(host)
    this.#timetable.remove(host)
    if (host.told) this.#sighted(farewellOf(host, host.told.sighting, state), now)
    for (const instance of host.instances) {
      instance.host = undefined
      this.remove(instance, state, now)
    }
    for (const type of ['A', 'AAAA'] as const) {
      for (const held of this.#cache.get(type, host.key)) this.#cache.drop(type, host.key, held.interface)
    }
    this.#removed(host)
  }

  /** All that was heard on this interface is no longer so; the cache has forgotten it already. */
  forgetInterface(on: string, now: number): void {
    for (const instance of this.#instances.values()) if (instance.interface === on) this.remove(instance, 'failed', now)
    for (const host of this.#hosts.values()) {
      if (!host.heardOn.delete(on)) continue
      if (this.#cache.countAddresses(host.key) > 0) this.changed(host)
      else this.finish(host, 'failed', now)
    }
  }

  /** Tells of those of which something is to be told. */
  tell(now: number): void {
    for (const host of this.#stirred) this.#tell(host, now)
    this.#stirred.clear()
  }

  /** A host without services has gone, and those that are about to go, go along. */
  #detach(instance: Instance, state: 'failed' | 'left', now: number): void {
    const { host } = instance
    if (!host) return
    instance.host = undefined
    host.instances.delete(instance)
    if ([...host.instances].every((other) => this.#isGoing(other, now))) this.finish(host, state, now)
    else this.changed(host)
  }

  #isGoing({ interface: on, name, type }: Instance, now: number): boolean {
    const srv = this.#cache.newest('SRV', name, on)
    const isWithdrawn = this.#cache.pointer(`${type}.local`, name, on)?.withdrawn === true
    return !srv || srv.withdrawn || srv.expiresAt <= now || isWithdrawn
  }

  #tell(host: FoundHost, now: number): void {
    if (this.#cache.countAddresses(host.key) === 0) return
    let lookAt = this.#show(host, now)
    if (![...host.instances].some(({ shown }) => shown)) host.changed = false
    else if (host.changed ? host.changes.take(now) : now - (host.told?.at ?? now) >= HEARD_AGAIN) {
      host.changed = false
      host.told = { sighting: sightingOf(host, this.#cache), at: now }
      this.#sighted(host.told.sighting, now)
    }
    if (host.changed) lookAt = Math.min(lookAt, host.changes.availableAt(now))
    if (lookAt < Number.POSITIVE_INFINITY) this.#timetable.put(host, lookAt, now)
  }

  /** Shows the services of which enough is known, and returns when to look for more of them. */
  #show(host: FoundHost, now: number): number {
    let lookAt = Number.POSITIVE_INFINITY
    for (const instance of host.instances) {
      if (instance.shown) continue
      if (now >= instance.showAt || this.#cache.newest('TXT', instance.name, instance.interface)) {
        instance.shown = true
        host.changed = true
      } else {
        lookAt = Math.min(lookAt, instance.showAt)
      }
    }
    return lookAt
  }
}

function instanceKey(on: string, name: string): string {
  return `${on} ${keyOf(name)}`
}
