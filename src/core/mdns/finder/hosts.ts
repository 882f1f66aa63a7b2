import type { Agenda } from '../../agenda.ts'
import { Budget } from '../../budget.ts'
import type { Sighting } from '../../presence/peers/types.ts'
import { Timetable } from '../../timetable.ts'
import { keyOf } from '../dns/names.ts'
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
  readonly #agenda: Agenda
  readonly #timetable: Timetable<FoundHost>
  /** Instances that are shown without a TXT record before long. */
  readonly #texts: Timetable<Instance>
  #isPlanned = false

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
    this.#agenda = parts.agenda
    this.#timetable = new Timetable(parts.agenda, (host, now) => this.#tell(host, now))
    this.#texts = new Timetable(parts.agenda, (instance, now) => {
      this.show(instance)
      this.tellTogether(now)
    })
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
    const { interface: on, name, label, type, source } = found
    const instance: Instance = {
      interface: on,
      name,
      label,
      type,
      source,
      heardAt: Number.NEGATIVE_INFINITY,
      host: undefined,
      showAt: Number.POSITIVE_INFINITY,
      shown: false,
    }
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
      shown: 0,
      unanswered: new Set(),
      state: 'alive',
      lastSeen: now,
      addressHeardAt: Number.NEGATIVE_INFINITY,
      askedAt: Number.NEGATIVE_INFINITY,
      absent: false,
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
    this.detach(instance, 'left', now)
    instance.host = host
    if (!instance.shown && instance.showAt === Number.POSITIVE_INFINITY) {
      instance.showAt = now + TXT_WAIT
      this.#texts.put(instance, instance.showAt, now)
    }
    if (!host) return
    host.instances.add(instance)
    if (instance.shown) host.shown++
    this.changed(host)
  }

  /** The instance is offered by nobody that is known. With the last of its services, its host goes into `state`. */
  detach(instance: Instance, state: 'failed' | 'left', now: number): void {
    const { host } = instance
    if (!host) return
    instance.host = undefined
    host.instances.delete(instance)
    host.unanswered.delete(instance)
    if (instance.shown) host.shown--
    if (host.instances.size === 0) this.finish(host, state, now)
    else this.changed(host)
  }

  /** Enough is known of the instance. */
  show(instance: Instance): void {
    if (instance.shown) return
    instance.shown = true
    this.#texts.remove(instance)
    if (!instance.host) return
    instance.host.shown++
    this.changed(instance.host)
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

  /** The host has no address any more. It is told to have gone, and kept in case it gets another one. */
  miss(host: FoundHost, state: 'failed' | 'left', now: number): void {
    host.absent = true
    if (host.told) this.#sighted(farewellOf(host, host.told.sighting, state), now)
    host.told = undefined
    host.changed = true
  }

  /** The instance is no longer there; with the last of its services, its host goes into `state`. */
  remove(instance: Instance, state: 'failed' | 'left', now: number): void {
    const { interface: on, name, type, source } = instance
    if (!this.#instances.delete(instanceKey(on, name))) return
    this.#caps.services.give(source)
    const others = (this.#types.get(type) ?? 1) - 1
    if (others > 0) this.#types.set(type, others)
    else this.#types.delete(type)
    this.#texts.remove(instance)
    this.#cache.drop('SRV', name, on)
    this.#cache.drop('TXT', name, on)
    this.#cache.dropPointer(`${type}.local`, name, on)
    this.detach(instance, state, now)
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

  /** Tells when all that is due by now is done: what goes together is told of together. */
  tellTogether(now: number): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    this.#agenda.add(now, (later) => {
      this.#isPlanned = false
      this.tell(later)
    })
  }

  #tell(host: FoundHost, now: number): void {
    if (host.shown === 0 || this.#cache.countAddresses(host.key) === 0) return
    if (host.changed ? host.changes.take(now) : now - (host.told?.at ?? now) >= HEARD_AGAIN) {
      host.changed = false
      host.absent = false
      host.told = { sighting: sightingOf(host, this.#cache), at: now }
      this.#sighted(host.told.sighting, now)
    }
    if (host.changed) this.#timetable.put(host, host.changes.availableAt(now), now)
  }
}

function instanceKey(on: string, name: string): string {
  return `${on} ${keyOf(name)}`
}
