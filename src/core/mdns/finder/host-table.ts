import type { Agenda } from '../../agenda.ts'
import { Budget } from '../../budget.ts'
import type { Sighting } from '../../presence/peers/types.ts'
import { Timetable } from '../../timetable.ts'
import { nameKey } from '../dns/records.ts'
import { type DiscoveredHost, type DiscoveredInstance, goneSightingOf, sightingOf } from './discovered-host.ts'
import type { Quotas } from './quotas.ts'
import type { RecordCache } from './record-cache.ts'

/** A service is shown without a TXT record when none was heard for this long, ms. */
const TXT_TIMEOUT = 1000

/** That a host was heard again is told this often, ms. */
const LAST_SEEN_INTERVAL = 1000

/** Changes of one host that are told at once, and per second from then on. */
const CHANGE_BURST = 10

const CHANGES_PER_SECOND = 1

/** The hosts and service instances that were found, how they hang together, and telling of them. */
export class HostTable {
  readonly #cache: RecordCache
  readonly #quotas: Quotas
  readonly #sighted: (sighting: Sighting, now: number) => void
  readonly #removed: (item: DiscoveredInstance | DiscoveredHost) => void
  readonly #instances = new Map<string, DiscoveredInstance>()
  readonly #hosts = new Map<string, DiscoveredHost>()
  /** How many instances there are of a type. */
  readonly #instancesByType = new Map<string, number>()
  /** Hosts of which something is to be told. */
  readonly #unreported = new Set<DiscoveredHost>()
  readonly #agenda: Agenda
  readonly #delayedReports: Timetable<DiscoveredHost>
  /** Instances that are shown without a TXT record before long. */
  readonly #txtTimeouts: Timetable<DiscoveredInstance>
  #isReportPlanned = false

  constructor(parts: {
    agenda: Agenda
    cache: RecordCache
    quotas: Quotas
    sighted: (sighting: Sighting, now: number) => void
    removed: (item: DiscoveredInstance | DiscoveredHost) => void
  }) {
    this.#cache = parts.cache
    this.#quotas = parts.quotas
    this.#sighted = parts.sighted
    this.#removed = parts.removed
    this.#agenda = parts.agenda
    this.#delayedReports = new Timetable(parts.agenda, (host, now) => this.#report(host, now))
    this.#txtTimeouts = new Timetable(parts.agenda, (instance, now) => {
      this.list(instance)
      this.reportSoon(now)
    })
  }

  /** By its full name. */
  instance(interfaceName: string, name: string): DiscoveredInstance | undefined {
    return this.#instances.get(instanceKey(interfaceName, name))
  }

  host(name: string): DiscoveredHost | undefined {
    return this.#hosts.get(nameKey(name))
  }

  /** Whether there is an instance of a type. */
  hasInstanceOf(type: string): boolean {
    return this.#instancesByType.has(type)
  }

  /** A new instance, if there is room. */
  addInstance(
    found: Pick<DiscoveredInstance, 'interface' | 'name' | 'label' | 'type' | 'source'>,
  ): DiscoveredInstance | undefined {
    if (!this.#quotas.services.take(found.source)) return undefined
    const { interface: interfaceName, name, label, type, source } = found
    const instance: DiscoveredInstance = {
      interface: interfaceName,
      name,
      label,
      type,
      source,
      lastSeen: Number.NEGATIVE_INFINITY,
      host: undefined,
      listedAt: Number.POSITIVE_INFINITY,
      isListed: false,
    }
    this.#instances.set(instanceKey(instance.interface, instance.name), instance)
    this.#instancesByType.set(instance.type, (this.#instancesByType.get(instance.type) ?? 0) + 1)
    return instance
  }

  /** A new host, if there is room. */
  addHost(hostname: string, source: string, now: number): DiscoveredHost | undefined {
    if (!this.#quotas.takeHost(source, now)) return undefined
    const host: DiscoveredHost = {
      key: nameKey(hostname),
      hostname,
      source,
      instances: new Set(),
      listedInstances: 0,
      unanswered: new Set(),
      state: 'alive',
      lastSeen: now,
      addressSeen: Number.NEGATIVE_INFINITY,
      queriedAt: Number.NEGATIVE_INFINITY,
      isAbsent: false,
      heardOn: new Map(),
      isChanged: false,
      reported: undefined,
      changeBudget: new Budget(CHANGES_PER_SECOND, CHANGE_BURST),
    }
    this.#hosts.set(host.key, host)
    return host
  }

  /** The instance is offered by this host, or by this machine itself, and by no other any more. */
  attach(instance: DiscoveredInstance, host: DiscoveredHost | undefined, now: number): void {
    if (instance.host === host) return
    this.detach(instance, 'left', now)
    instance.host = host
    if (!instance.isListed && instance.listedAt === Number.POSITIVE_INFINITY) {
      instance.listedAt = now + TXT_TIMEOUT
      this.#txtTimeouts.put(instance, instance.listedAt, now)
    }
    if (!host) return
    host.instances.add(instance)
    if (instance.isListed) host.listedInstances++
    this.markChanged(host)
  }

  /** The instance is offered by nobody that is known. With the last of its services, its host goes into `state`. */
  detach(instance: DiscoveredInstance, state: 'failed' | 'left', now: number): void {
    const { host } = instance
    if (!host) return
    instance.host = undefined
    host.instances.delete(instance)
    host.unanswered.delete(instance)
    if (instance.isListed) host.listedInstances--
    if (host.instances.size === 0) this.removeHost(host, state, now)
    else this.markChanged(host)
  }

  /** Enough is known of the instance. */
  list(instance: DiscoveredInstance): void {
    if (instance.isListed) return
    instance.isListed = true
    this.#txtTimeouts.remove(instance)
    if (!instance.host) return
    instance.host.listedInstances++
    this.markChanged(instance.host)
  }

  /** Something true was heard of it. */
  markAlive(host: DiscoveredHost, interfaceName: string, isNew: boolean, now: number): void {
    host.lastSeen = now
    host.heardOn.set(interfaceName, now)
    if (isNew || host.state === 'suspect') host.isChanged = true
    host.state = 'alive'
    this.#unreported.add(host)
  }

  markChanged(host: DiscoveredHost): void {
    host.isChanged = true
    this.#unreported.add(host)
  }

  markSuspect(host: DiscoveredHost): void {
    host.state = 'suspect'
    this.markChanged(host)
  }

  /** The host has no address any more. It is told to have gone, and kept in case it gets another one. */
  markAbsent(host: DiscoveredHost, state: 'failed' | 'left', now: number): void {
    host.isAbsent = true
    if (host.reported) this.#sighted(goneSightingOf(host, host.reported.sighting, state), now)
    host.reported = undefined
    host.isChanged = true
  }

  /** The instance is no longer there; with the last of its services, its host goes into `state`. */
  removeInstance(instance: DiscoveredInstance, state: 'failed' | 'left', now: number): void {
    const { interface: interfaceName, name, type, source } = instance
    if (!this.#instances.delete(instanceKey(interfaceName, name))) return
    this.#quotas.services.release(source)
    const others = (this.#instancesByType.get(type) ?? 1) - 1
    if (others > 0) this.#instancesByType.set(type, others)
    else this.#instancesByType.delete(type)
    this.#txtTimeouts.remove(instance)
    this.#cache.remove('SRV', name, interfaceName)
    this.#cache.remove('TXT', name, interfaceName)
    this.#cache.removePointer(`${type}.local`, name, interfaceName)
    this.detach(instance, state, now)
    this.#removed(instance)
  }

  /** The host is no longer there, and none of its services is. */
  removeHost(host: DiscoveredHost, state: 'failed' | 'left', now: number): void {
    if (!this.#hosts.delete(host.key)) return
    this.#quotas.hosts.release(host.source)
    this.#unreported.delete(host)
    this.#delayedReports.remove(host)
    if (host.reported) this.#sighted(goneSightingOf(host, host.reported.sighting, state), now)
    for (const instance of host.instances) {
      instance.host = undefined
      this.removeInstance(instance, state, now)
    }
    for (const type of ['A', 'AAAA'] as const) {
      for (const entry of this.#cache.entries(type, host.key)) this.#cache.remove(type, host.key, entry.interface)
    }
    this.#removed(host)
  }

  /** All that was heard on this interface is no longer so; the cache has forgotten it already. */
  removeInterface(interfaceName: string, now: number): void {
    for (const instance of this.#instances.values())
      if (instance.interface === interfaceName) this.removeInstance(instance, 'failed', now)
    for (const host of this.#hosts.values()) {
      if (!host.heardOn.delete(interfaceName)) continue
      if (this.#cache.countAddresses(host.key) > 0) this.markChanged(host)
      else this.removeHost(host, 'failed', now)
    }
  }

  /** Tells of those of which something is to be told. */
  report(now: number): void {
    for (const host of this.#unreported) this.#report(host, now)
    this.#unreported.clear()
  }

  /** Tells when all that is due by now is done: what goes together is told of together. */
  reportSoon(now: number): void {
    if (this.#isReportPlanned) return
    this.#isReportPlanned = true
    this.#agenda.add(now, (later) => {
      this.#isReportPlanned = false
      this.report(later)
    })
  }

  #report(host: DiscoveredHost, now: number): void {
    if (host.listedInstances === 0 || this.#cache.countAddresses(host.key) === 0) return
    if (host.isChanged ? host.changeBudget.take(now) : now - (host.reported?.at ?? now) >= LAST_SEEN_INTERVAL) {
      host.isChanged = false
      host.isAbsent = false
      host.reported = { sighting: sightingOf(host, this.#cache), at: now }
      this.#sighted(host.reported.sighting, now)
    }
    if (host.isChanged) this.#delayedReports.put(host, host.changeBudget.availableAt(now), now)
  }
}

function instanceKey(interfaceName: string, name: string): string {
  return `${interfaceName} ${nameKey(name)}`
}
