import { type Agenda, TimerWheel } from '../../agenda.ts'
import { nameKey, OWN_TYPE, SERVICE_TYPES, serviceTypeOf } from '../dns/records.ts'
import type { QueryScheduler } from './query-scheduler.ts'
import type { Quota } from './quotas.ts'

/**
 * The first and the longest interval between two queries for one type, ms. The interval doubles each time (RFC 6762,
 * section 5.2).
 */
const FIRST_INTERVAL = 1000
const MAX_INTERVAL = 3_600_000

/** Queries restart with the first interval only if the interval has grown beyond this, ms. */
const RESTART_ABOVE = 30_000

/**
 * The query scheduler may send a query this much later, ms. It is added so that at least one second lies between two
 * queries.
 */
const MAX_QUERY_DELAY = 120

/** Queries of other hosts replace own ones up to this interval, ms. So no host can prevent own queries for good. */
const MAX_SHARED_INTERVAL = 600_000

/** Accepts more than the 15 letters, digits and hyphens of RFC 6335, section 5.1: some devices use longer names. */
const TYPE_NAME = /^_[a-z0-9_-]{1,62}\._(?:tcp|udp)\.local$/

/** The repeated queries for one type on one interface. */
interface QuerySeries {
  interface: string
  /** For example `_ipp._tcp.local`, in the spelling of the announcing host. */
  name: string
  /** When this host or another one last asked for the type, monotonic ms. */
  queriedAt: number
  interval: number
}

/** A type that another host announced. */
interface LearnedType {
  /** In the spelling of the announcing host. */
  name: string
  /** The address that first announced the type. */
  source: string
}

/** The service types that are browsed for. Queries them at growing intervals. */
export class TypeBrowser {
  readonly #queries: QueryScheduler
  readonly #quota: Quota
  readonly #learnsTypes: boolean
  readonly #configured: ReadonlySet<string>
  readonly #learned = new Map<string, LearnedType>()
  /** By interface, then by name in lower case. */
  readonly #series = new Map<string, Map<string, QuerySeries>>()
  readonly #timers: TimerWheel<QuerySeries>

  constructor(parts: { agenda: Agenda; queries: QueryScheduler; quota: Quota; types: readonly string[] }) {
    this.#queries = parts.queries
    this.#quota = parts.quota
    this.#learnsTypes = parts.types.includes('*')
    this.#configured = new Set([OWN_TYPE, ...parts.types.filter((type) => type !== '*').map(nameKey)])
    this.#timers = new TimerWheel(parts.agenda, (series, now) => this.#query(series, now))
  }

  /** The types that are browsed for. */
  get types(): string[] {
    return [...this.#configured, ...this.#learned.keys()]
  }

  /** Whether a type, in lower case, is browsed for. */
  has(type: string): boolean {
    return this.#configured.has(type) || this.#learned.has(type)
  }

  /** Whether types that other hosts announce are browsed for. */
  get learnsTypes(): boolean {
    return this.#learnsTypes
  }

  /** Adds a type that `source` announced, such as `_ipp._tcp.local`. Returns whether the type is browsed for. */
  learn(name: string, source: string, now: number): boolean {
    const type = serviceTypeOf(name)
    if (this.has(type)) return true
    if (!this.#learnsTypes || !TYPE_NAME.test(nameKey(name)) || !this.#quota.take(source)) return false
    this.#learned.set(type, { name, source })
    for (const interfaceName of this.#series.keys()) this.#start(interfaceName, name, now)
    return true
  }

  forget(type: string): void {
    const learned = this.#learned.get(type)
    if (learned === undefined) return
    this.#learned.delete(type)
    this.#quota.release(learned.source)
    for (const series of this.#series.values()) this.#stop(series, learned.name)
  }

  /** Starts the queries for all types on an interface. */
  startOn(interfaceName: string, now: number): void {
    if (!this.#series.has(interfaceName)) this.#series.set(interfaceName, new Map())
    const names = [
      ...Array.from(this.#configured, (type) => `${type}.local`),
      ...Array.from(this.#learned.values(), ({ name }) => name),
    ]
    for (const name of this.#learnsTypes ? [SERVICE_TYPES, ...names] : names) this.#start(interfaceName, name, now)
  }

  stopOn(interfaceName: string): void {
    const series = this.#series.get(interfaceName)
    this.#series.delete(interfaceName)
    for (const { name } of series?.values() ?? []) if (series) this.#stop(series, name)
  }

  /** Queries a type more often again, because one of its instances failed and may return without an announcement. */
  restart(interfaceName: string, type: string, now: number): void {
    const series = this.#series.get(interfaceName)?.get(`${type}.local`)
    if (series && series.interval > RESTART_ABOVE) this.#start(interfaceName, series.name, now)
  }

  /**
   * Another host has asked for the instances of a type and knows no more than this host. Its query replaces an own one.
   */
  queriedByOther(interfaceName: string, name: string, now: number): void {
    const series = this.#series.get(interfaceName)?.get(nameKey(name))
    if (series && series.interval < MAX_SHARED_INTERVAL && now - series.queriedAt >= FIRST_INTERVAL)
      this.#scheduleNext(series, now)
  }

  #start(interfaceName: string, name: string, now: number): void {
    const all = this.#series.get(interfaceName)
    if (!all) return
    this.#stop(all, name)
    const series = { interface: interfaceName, name, queriedAt: now, interval: FIRST_INTERVAL }
    all.set(nameKey(name), series)
    this.#query(series, now)
  }

  #stop(all: Map<string, QuerySeries>, name: string): void {
    const series = all.get(nameKey(name))
    if (series) this.#timers.remove(series)
    all.delete(nameKey(name))
  }

  #query(series: QuerySeries, now: number): void {
    this.#queries.schedule(series.interface, { name: series.name, type: 'PTR' }, now, 'always')
    this.#scheduleNext(series, now)
  }

  #scheduleNext(series: QuerySeries, now: number): void {
    series.queriedAt = now
    this.#timers.put(series, now + series.interval + MAX_QUERY_DELAY, now)
    series.interval = Math.min(series.interval * 2, MAX_INTERVAL)
  }
}
