import { type Agenda, TimerWheel } from '../../agenda.ts'
import { Budget } from '../../budget.ts'
import type { Sighting } from '../../presence/peers/types.ts'
import { nameKey } from '../dns/records.ts'
import { type DiscoveredHost, type DiscoveredInstance, goneSightingOf, sightingOf } from './discovered-host.ts'
import type { Quotas } from './quotas.ts'
import type { RecordCache } from './record-cache.ts'

/** How long to wait for a TXT record before a service is listed without one, ms. */
const TXT_TIMEOUT = 1000

/** The minimum time between two reports of a host that is only seen again, ms. */
const LAST_SEEN_INTERVAL = 1000

/** The changes of one host that are reported at once, and per second after that. */
const CHANGE_BURST = 10
const CHANGES_PER_SECOND = 1

/** The discovered hosts and service instances, and how they belong together. Reports their changes. */
export class HostTable {
  readonly #cache: RecordCache
  readonly #quotas: Quotas
  readonly #sighted: (sighting: Sighting, now: number) => void
  readonly #removed: (item: DiscoveredInstance | DiscoveredHost) => void
  readonly #instances = new Map<string, DiscoveredInstance>()
  readonly #hosts = new Map<string, DiscoveredHost>()
  /** The number of instances of each service type. */
  readonly #instancesByType = new Map<string, number>()
  /** The hosts with something to report. */
  readonly #unreported = new Set<DiscoveredHost>()
  readonly #agenda: Agenda
  readonly #delayedReports: TimerWheel<DiscoveredHost>
  /** Instances that are waiting for a TXT record. */
  readonly #txtTimeouts: TimerWheel<DiscoveredInstance>
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
    this.#delayedReports = new TimerWheel(parts.agenda, (host, now) => this.#report(host, now))
    this.#txtTimeouts = new TimerWheel(parts.agenda, (instance, now) => {
      this.list(instance)
      this.reportSoon(now)
    })
  }

  /** Finds an instance by its full name. */
  instance(interfaceName: string, name: string): DiscoveredInstance | undefined {
    return this.#instances.get(instanceKey(interfaceName, name))
  }

  host(name: string): DiscoveredHost | undefined {
    return this.#hosts.get(nameKey(name))
  }

  /** Whether an instance of the type is known. */
  hasInstanceOf(type: string): boolean {
    return this.#instancesByType.has(type)
  }

  /** Adds an instance. Returns undefined if a quota is full. */
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

  /** Adds a host. Returns undefined if a quota is full. */
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
      addressLastSeen: Number.NEGATIVE_INFINITY,
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

  /** Assigns the instance to a host, or to none if this host itself offers it. */
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

  /** Removes the instance from its host. A host that loses its last instance is removed with `state`. */
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

  /** Lists the instance: its TXT record is known, or was waited for long enough. */
  list(instance: DiscoveredInstance): void {
    if (instance.isListed) return
    instance.isListed = true
    this.#txtTimeouts.remove(instance)
    if (!instance.host) return
    instance.host.listedInstances++
    this.markChanged(instance.host)
  }

  /** Marks a host as alive after one of its records was received. */
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

  /** Reports a host without addresses as gone, and keeps it in case it announces another address. */
  markAbsent(host: DiscoveredHost, state: 'failed' | 'left', now: number): void {
    host.isAbsent = true
    if (host.reported) this.#sighted(goneSightingOf(host, host.reported.sighting, state), now)
    host.reported = undefined
    host.isChanged = true
  }

  /** Removes an instance. A host that loses its last instance is removed with `state`. */
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

  /** Removes a host and all its instances. */
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

  /** Removes everything that was discovered on an interface. The cache must have removed the interface before. */
  removeInterface(interfaceName: string, now: number): void {
    for (const instance of this.#instances.values())
      if (instance.interface === interfaceName) this.removeInstance(instance, 'failed', now)
    for (const host of this.#hosts.values()) {
      if (!host.heardOn.delete(interfaceName)) continue
      if (this.#cache.countAddresses(host.key) > 0) this.markChanged(host)
      else this.removeHost(host, 'failed', now)
    }
  }

  /** Reports all hosts with something to report. */
  report(now: number): void {
    for (const host of this.#unreported) this.#report(host, now)
    this.#unreported.clear()
  }

  /** Reports once all tasks that are due now have run, so that related changes are reported together. */
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
