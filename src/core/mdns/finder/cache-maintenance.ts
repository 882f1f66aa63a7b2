import type { HostAssertion } from '../../presence/peers/types.ts'
import { nameKey, OWN_TYPE, SERVICE_TYPES, serviceTypeOf } from '../dns/records.ts'
import { type CacheEntry, HOST_QUERY_REFRESH, MAX_REFRESHES, refreshedSince, SUSPECT_REFRESH } from './cache-entry.ts'
import type { DiscoveredHost, DiscoveredInstance } from './discovered-host.ts'
import type { HostTable } from './host-table.ts'
import type { QueryScheduler } from './query-scheduler.ts'
import type { Quotas } from './quotas.ts'
import type { RecordCache } from './record-cache.ts'
import type { Resolver } from './resolver.ts'
import type { TypeBrowser } from './type-browser.ts'

/** Returns whether the beacons of a living peer state the same as the host does by mDNS. `host` is in lower case. */
export type IsConfirmedByBeacon = (host: string, assertion: HostAssertion) => boolean

/** How long an answer may take, ms. Both the query and the answer can be delayed to combine them with others. */
const ANSWER_TIMEOUT = 500

/** The maximum number of services, and of service types, that are queried per host. */
const MAX_CHECKED_SERVICES = 8
const MAX_CHECKED_TYPES = 8

/**
 * Checks whether a host is alive by querying its addresses, its services and their types. Many devices answer for only
 * one of these. The queried records are marked as unconfirmed so that they are not sent as known answers, which would
 * suppress the answer.
 */
class LivenessCheck {
  readonly #cache: RecordCache
  readonly #queries: QueryScheduler

  constructor(cache: RecordCache, queries: QueryScheduler) {
    this.#cache = cache
    this.#queries = queries
  }

  /**
   * Queries the host because one of its records was not refreshed. Does nothing if the host was already queried since
   * the refreshes of this record began.
   */
  query(host: DiscoveredHost, entry: CacheEntry, now: number): void {
    if (host.queriedAt >= refreshedSince(entry)) return
    host.queriedAt = now
    for (const type of ['A', 'AAAA'] as const) this.#queryFor(this.#cache.entries(type, host.key), now)
    const types = new Set<string>()
    let services = 0
    for (const instance of host.instances) {
      if (services++ < MAX_CHECKED_SERVICES) {
        for (const type of ['SRV', 'TXT'] as const) {
          this.#queryFor(this.#cache.entries(type, instance.name, instance.interface), now)
        }
      }
      if (types.size < MAX_CHECKED_TYPES) types.add(instance.type)
      if (types.has(instance.type)) this.#queryFor(this.#pointerOf(instance), now)
    }
  }

  /** Whether the host was queried and has had enough time to answer. */
  hadTimeToAnswer({ queriedAt }: DiscoveredHost, now: number): boolean {
    return now - queriedAt >= ANSWER_TIMEOUT
  }

  #pointerOf({ type, name, interface: interfaceName }: DiscoveredInstance): CacheEntry[] {
    const pointer = this.#cache.pointer(`${type}.local`, name, interfaceName)
    return pointer ? [pointer] : []
  }

  #queryFor(all: readonly CacheEntry[], now: number): void {
    for (const entry of all) {
      entry.needsConfirmation = true
      const { type, name } = entry.record
      this.#queries.schedule(entry.interface, { type, name }, now, 'always')
    }
  }
}

/**
 * Refreshes cached records before they expire (RFC 6762, section 5.2), and decides which hosts and services are gone
 * when records expire.
 */
export class CacheMaintenance {
  readonly #cache: RecordCache
  readonly #quotas: Quotas
  readonly #queries: QueryScheduler
  readonly #browser: TypeBrowser
  readonly #hosts: HostTable
  readonly #liveness: LivenessCheck
  readonly #resolver: Resolver
  readonly #isConfirmedByBeacon: IsConfirmedByBeacon

  constructor(parts: {
    cache: RecordCache
    quotas: Quotas
    queries: QueryScheduler
    browser: TypeBrowser
    hosts: HostTable
    resolver: Resolver
    isConfirmedByBeacon: IsConfirmedByBeacon
  }) {
    this.#cache = parts.cache
    this.#quotas = parts.quotas
    this.#queries = parts.queries
    this.#browser = parts.browser
    this.#hosts = parts.hosts
    this.#liveness = new LivenessCheck(parts.cache, parts.queries)
    this.#resolver = parts.resolver
    this.#isConfirmedByBeacon = parts.isConfirmedByBeacon
  }

  /** Called when a record is due for a refresh. */
  refresh(entry: CacheEntry, now: number): void {
    const { record, interface: interfaceName, source } = entry
    const { type, name } = record
    const instance = this.#instanceOf(entry)
    const host = this.#hostOf(entry)
    if (type === 'PTR' ? !this.#isWanted(name) : !host) return
    if (this.#isInBeacons(entry)) {
      this.#cache.renew(entry, now)
      return
    }
    const question = { type, name }
    const isAllowed = entry.confirmed || this.#queries.isScheduled(interfaceName, question)
    if (isAllowed || this.#quotas.takeQuestion(source, now)) {
      // The last refresh is sent even if another host asks the same question: that host may have asked this host alone.
      const mode = entry.refreshes >= MAX_REFRESHES - 1 ? 'insist' : undefined
      this.#queries.schedule(interfaceName, question, now, mode)
    }
    if (!host) return
    // Maybe only this service or address is gone, not the host.
    if (entry.refreshes === HOST_QUERY_REFRESH) this.#liveness.query(host, entry, now)
    if (entry.refreshes < SUSPECT_REFRESH) return
    if (instance && this.#cache.newest('SRV', name, interfaceName) === entry) host.unanswered.add(instance)
    if (type === 'TXT' || type === 'PTR') return
    if (host.state !== 'alive' || hasAnswered(host, entry) || !this.#liveness.hadTimeToAnswer(host, now)) return
    if (entry.refreshes === SUSPECT_REFRESH && !this.#isSilent(host)) return
    this.#hosts.markSuspect(host)
    this.#hosts.reportSoon(now)
  }

  /**
   * Whether an expired record is kept. It is kept if its host has answered other queries since the refreshes began, and has
   * not sent a different record in its place. Some devices are alive, but answer queries for only some of their records.
   */
  isStillValid(entry: CacheEntry): boolean {
    const { record, interface: interfaceName } = entry
    const since = refreshedSince(entry)
    if (record.type === 'A' || record.type === 'AAAA') {
      const host = this.#hostOf(entry)
      return host !== undefined && host.lastSeen >= since && host.addressLastSeen < since
    }
    const instance = this.#instanceOf(entry)
    if (!instance || instance.lastSeen < since) return false
    return record.type === 'PTR' || this.#cache.newest(record.type, record.name, interfaceName) === entry
  }

  /**
   * Fails a host that has not answered since `since`. Only hosts that run earshotd fail, because earshotd always
   * answers.
   */
  failIfSilent(hostname: string, since: number, now: number): void {
    const host = this.#hosts.host(hostname)
    if (!host || host.lastSeen >= since || ![...host.instances].some(({ type }) => type === OWN_TYPE)) return
    this.#hosts.removeHost(host, 'failed', now)
    this.#hosts.reportSoon(now)
  }

  /** Called when a record has expired and was removed from the cache. */
  expired(entry: CacheEntry, now: number): void {
    const { record, interface: interfaceName } = entry
    const host = this.#hostOf(entry)
    const instance = this.#instanceOf(entry)
    const state = entry.withdrawn ? 'left' : 'failed'
    switch (record.type) {
      case 'PTR':
        if (nameKey(record.name) === SERVICE_TYPES) this.forgetUnusedType(serviceTypeOf(record.data))
        else if (instance) this.#removeInstance(instance, state, now)
        break
      case 'SRV':
        if (!instance || this.#hasNewerService(instance)) break
        if (host && isHostGone(host, entry)) this.#failHost(host, now)
        else if (entry.withdrawn) this.#awaitNewService(instance, now)
        else this.#removeInstance(instance, state, now)
        break
      case 'TXT':
        if (host && !this.#cache.newest('TXT', record.name, interfaceName)) this.#hosts.markChanged(host)
        break
      default:
        if (!host) break
        if (isHostGone(host, entry)) this.#failHost(host, now)
        else if (this.#cache.countAddresses(host.key) > 0) this.#hosts.markChanged(host)
        else {
          this.#hosts.markAbsent(host, state, now)
          this.#resolver.resolve(host, now)
        }
    }
    this.#hosts.reportSoon(now)
  }

  /** Called when all queries for a missing SRV record or address went unanswered. */
  unresolved(item: DiscoveredInstance | DiscoveredHost, now: number): void {
    if ('instances' in item) {
      // A host that had an address may get a new one. It stays absent while its services are announced.
      if (!item.isAbsent && this.#cache.countAddresses(item.key) === 0) this.#hosts.removeHost(item, 'left', now)
    } else if (!this.#cache.newest('SRV', item.name, item.interface)) {
      this.#hosts.removeInstance(item, 'left', now)
    }
    this.#hosts.reportSoon(now)
  }

  /** Stops browsing for a learned type when no host announces it and no instance of it exists. */
  forgetUnusedType(type: string): void {
    if (!this.#browser.learnsTypes || this.#hosts.hasInstanceOf(type)) return
    const isAnnounced = this.#cache
      .entries('PTR', SERVICE_TYPES)
      .some(({ record }) => record.type === 'PTR' && serviceTypeOf(record.data) === type)
    if (!isAnnounced) this.#browser.forget(type)
  }

  /** The SRV record got a goodbye, but the instance did not. Another SRV record may follow. */
  #awaitNewService(instance: DiscoveredInstance, now: number): void {
    this.#hosts.detach(instance, 'left', now)
    this.#resolver.resolve(instance, now)
  }

  /** Whether beacons confirm the record. They arrive more often than answers would. */
  #isInBeacons(entry: CacheEntry): boolean {
    const { record, interface: interfaceName } = entry
    if (record.type === 'A' || record.type === 'AAAA') {
      return this.#isConfirmedByBeacon(nameKey(record.name), { address: record.data, interface: interfaceName })
    }
    const instance = this.#instanceOf(entry)
    if (!instance?.host) return false
    const { host, label: name, type } = instance
    if (type === OWN_TYPE) return this.#isConfirmedByBeacon(host.key, { name })
    return this.#isConfirmedByBeacon(
      host.key,
      record.type === 'SRV' ? { name, type, port: record.data.port } : { name, type },
    )
  }

  #removeInstance(instance: DiscoveredInstance, state: 'failed' | 'left', now: number): void {
    if (state === 'failed') this.#browser.restart(instance.interface, instance.type, now)
    this.#hosts.removeInstance(instance, state, now)
  }

  #failHost(host: DiscoveredHost, now: number): void {
    for (const each of host.instances) this.#browser.restart(each.interface, each.type, now)
    this.#hosts.removeHost(host, 'failed', now)
  }

  /** Whether another SRV record has replaced the expired one. */
  #hasNewerService({ host, name, interface: interfaceName }: DiscoveredInstance): boolean {
    const srv = this.#cache.newest('SRV', name, interfaceName)?.record
    return srv?.type === 'SRV' && (!host || nameKey(srv.data.target) === host.key)
  }

  #isWanted(name: string): boolean {
    return nameKey(name) === SERVICE_TYPES ? this.#browser.learnsTypes : this.#browser.has(serviceTypeOf(name))
  }

  /** The instance to which a record belongs. */
  #instanceOf({ record, interface: interfaceName }: CacheEntry): DiscoveredInstance | undefined {
    return this.#hosts.instance(interfaceName, record.type === 'PTR' ? record.data : record.name)
  }

  /** The host to which a record belongs. */
  #hostOf(entry: CacheEntry): DiscoveredHost | undefined {
    const { type, name } = entry.record
    return type === 'A' || type === 'AAAA' ? this.#hosts.host(name) : this.#instanceOf(entry)?.host
  }

  /** Whether none of the host's services, or none of its addresses, was refreshed. */
  #isSilent({ key, instances, unanswered }: DiscoveredHost): boolean {
    if (unanswered.size === instances.size) return true
    const addresses = [...this.#cache.entries('A', key), ...this.#cache.entries('AAAA', key)]
    return addresses.every(({ refreshes, withdrawn }) => refreshes >= SUSPECT_REFRESH || withdrawn)
  }
}

/**
 * Whether the host is gone: its record expired without a goodbye and the host has not answered since. All its other
 * records are invalid too.
 */
function isHostGone(host: DiscoveredHost, entry: CacheEntry): boolean {
  return !entry.withdrawn && !hasAnswered(host, entry)
}

/** Whether the host has sent anything since the refreshes of the record began. */
function hasAnswered(host: DiscoveredHost, entry: CacheEntry): boolean {
  return host.lastSeen >= refreshedSince(entry)
}
