import type { Saying } from '../../presence/peers/types.ts'
import { nameKey, OWN_TYPE, SERVICE_TYPES, serviceTypeOf } from '../dns/records.ts'
import { type CacheEntry, HOST_QUERY_REFRESH, MAX_REFRESHES, refreshedSince, SUSPECT_REFRESH } from './cache-entry.ts'
import type { DiscoveredHost, DiscoveredInstance } from './discovered-host.ts'
import type { HostTable } from './host-table.ts'
import type { QueryScheduler } from './query-scheduler.ts'
import type { Quotas } from './quotas.ts'
import type { RecordCache } from './record-cache.ts'
import type { Resolver } from './resolver.ts'
import type { TypeBrowser } from './type-browser.ts'

/** Whether the beacons of a living peer tell what a host, named in lower case, says of itself by mDNS. */
export type IsConfirmedByBeacon = (host: string, saying: Saying) => boolean

/** An answer may take this long, ms: our question is gathered with others, and so may be the answer. */
const ANSWER_TIMEOUT = 500

/** Of so many of a host's services, and of so many types, is asked. */
const MAX_CHECKED_SERVICES = 8

const MAX_CHECKED_TYPES = 8

/**
 * Asks hosts for a sign of life. Many devices answer for their service type, or for their service, and never for their
 * host name alone: so all three are asked for. What is asked for is doubted, so that no known answer keeps them silent.
 */
class LivenessCheck {
  readonly #cache: RecordCache
  readonly #queries: QueryScheduler

  constructor(cache: RecordCache, queries: QueryScheduler) {
    this.#cache = cache
    this.#queries = queries
  }

  /** Asks on account of a record that nobody tells again, unless the host was asked since that was asked for. */
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

  /** Whether it was asked, and has had the time to answer. */
  hadTimeToAnswer({ queriedAt: askedAt }: DiscoveredHost, now: number): boolean {
    return now - askedAt >= ANSWER_TIMEOUT
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

/** Asks again for what is about to run out, and judges from what does who is still there. */
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

  /** Time to ask again for a record. */
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
    if (
      entry.confirmed ||
      this.#queries.isScheduled(interfaceName, { type, name }) ||
      this.#quotas.takeQuestion(source, now)
    ) {
      // What somebody else asks may have been said to us alone: before the end we ask ourselves.
      this.#queries.schedule(
        interfaceName,
        { type, name },
        now,
        entry.refreshes >= MAX_REFRESHES - 1 ? 'insist' : undefined,
      )
    }
    if (!host) return
    // It may have lost no more than this service, or this address.
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
   * Whether a record that nobody told of again is still true, as whoever it belongs to has answered other questions, and
   * tells nothing in its place. Some devices answer for some of what they have, and never for the rest.
   */
  isStillValid(entry: CacheEntry): boolean {
    const { record, interface: interfaceName } = entry
    const since = refreshedSince(entry)
    if (record.type === 'A' || record.type === 'AAAA') {
      const host = this.#hostOf(entry)
      return host !== undefined && host.lastSeen >= since && host.addressSeen < since
    }
    const instance = this.#instanceOf(entry)
    if (!instance || instance.lastSeen < since) return false
    return record.type === 'PTR' || this.#cache.newest(record.type, record.name, interfaceName) === entry
  }

  /** Nobody has answered for a host since it was asked for. One that runs an earshotd would have. */
  failIfSilent(hostname: string, since: number, now: number): void {
    const host = this.#hosts.host(hostname)
    if (!host || host.lastSeen >= since || ![...host.instances].some(({ type }) => type === OWN_TYPE)) return
    this.#hosts.removeHost(host, 'failed', now)
    this.#hosts.reportSoon(now)
  }

  /** A record has run out. */
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

  /** What was asked for many times, nobody tells. */
  unresolved(item: DiscoveredInstance | DiscoveredHost, now: number): void {
    if ('instances' in item) {
      // One that had an address may have another before long: it is missed for as long as its services are told of.
      if (!item.isAbsent && this.#cache.countAddresses(item.key) === 0) this.#hosts.removeHost(item, 'left', now)
    } else if (!this.#cache.newest('SRV', item.name, item.interface)) {
      this.#hosts.removeInstance(item, 'left', now)
    }
    this.#hosts.reportSoon(now)
  }

  /** A type that others told of is looked for as long as they do, or instances of it are there. */
  forgetUnusedType(type: string): void {
    if (!this.#browser.learnsTypes || this.#hosts.hasInstanceOf(type)) return
    const isTold = this.#cache
      .entries('PTR', SERVICE_TYPES)
      .some(({ record }) => record.type === 'PTR' && serviceTypeOf(record.data) === type)
    if (!isTold) this.#browser.forget(type)
  }

  /** Its host and port were taken back, and it was not: others may be about to be told. */
  #awaitNewService(instance: DiscoveredInstance, now: number): void {
    this.#hosts.detach(instance, 'left', now)
    this.#resolver.resolve(instance, now)
  }

  /** Whether the beacons of the host that a record is of tell the same: they come more often than any answer would. */
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

  /** Another SRV record has taken the place of one that has run out. */
  #hasNewerService({ host, name, interface: interfaceName }: DiscoveredInstance): boolean {
    const srv = this.#cache.newest('SRV', name, interfaceName)?.record
    return srv?.type === 'SRV' && (!host || nameKey(srv.data.target) === host.key)
  }

  #isWanted(name: string): boolean {
    return nameKey(name) === SERVICE_TYPES ? this.#browser.learnsTypes : this.#browser.has(serviceTypeOf(name))
  }

  /** The instance that a record is of. */
  #instanceOf({ record, interface: interfaceName }: CacheEntry): DiscoveredInstance | undefined {
    return this.#hosts.instance(interfaceName, record.type === 'PTR' ? record.data : record.name)
  }

  /** The host that a record is of. */
  #hostOf(entry: CacheEntry): DiscoveredHost | undefined {
    const { type, name } = entry.record
    return type === 'A' || type === 'AAAA' ? this.#hosts.host(name) : this.#instanceOf(entry)?.host
  }

  /** None of its services, or none of its addresses, was told of again when it was asked for. */
  #isSilent({ key, instances, unanswered }: DiscoveredHost): boolean {
    if (unanswered.size === instances.size) return true
    const addresses = [...this.#cache.entries('A', key), ...this.#cache.entries('AAAA', key)]
    return addresses.every(({ refreshes, withdrawn }) => refreshes >= SUSPECT_REFRESH || withdrawn)
  }
}

/** Nobody answered for the record that has run out, nor anything else for its host: what else it has is void as well. */
function isHostGone(host: DiscoveredHost, entry: CacheEntry): boolean {
  return !entry.withdrawn && !hasAnswered(host, entry)
}

/** Whether anything was heard of the host since it has been asked for the record. */
function hasAnswered(host: DiscoveredHost, entry: CacheEntry): boolean {
  return host.lastSeen >= refreshedSince(entry)
}
