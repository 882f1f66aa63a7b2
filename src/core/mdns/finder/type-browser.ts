import type { Agenda } from '../../agenda.ts'
import { Timetable } from '../../timetable.ts'
import { nameKey, OWN_TYPE, SERVICE_TYPES, serviceTypeOf } from '../dns/records.ts'
import type { QueryScheduler } from './query-scheduler.ts'
import type { Quota } from './quotas.ts'

/** First and longest time between two questions for one type, ms; it doubles each time (RFC 6762, section 5.2). */
const FIRST_INTERVAL = 1000

const MAX_INTERVAL = 3_600_000

/** The questions for a type begin anew only when they have become rarer than this, ms. */
const RESTART_ABOVE = 30_000

/** What gathering questions may shift two of them towards each other, ms: one second must lie between them. */
const MAX_QUERY_DELAY = 120

/** Others' questions take the place of ours until ours are as rare as this, ms: nobody keeps us from asking for good. */
const MAX_SHARED_INTERVAL = 600_000

/** As types are in the wild: RFC 6335, section 5.1, allows 15 letters, digits and hyphens. */
const TYPE_NAME = /^_[a-z0-9_-]{1,62}\._(?:tcp|udp)\.local$/

/** The questions for one type on one interface. */
interface QuerySeries {
  interface: string
  /** `_ipp._tcp.local`, as others write it. */
  name: string
  /** When it was asked for last, by us or by another. */
  queriedAt: number
  interval: number
}

/** A type that others told of. */
interface LearnedType {
  /** As it was written. */
  name: string
  /** Who told of it first. */
  source: string
}

/** Which service types are looked for, and asking for them at ever longer intervals. */
export class TypeBrowser {
  readonly #queries: QueryScheduler
  readonly #quota: Quota
  readonly #learnsTypes: boolean
  readonly #configured: ReadonlySet<string>
  readonly #learned = new Map<string, LearnedType>()
  /** By interface, then by name in lower case. */
  readonly #series = new Map<string, Map<string, QuerySeries>>()
  readonly #timetable: Timetable<QuerySeries>

  constructor(parts: { agenda: Agenda; queries: QueryScheduler; quota: Quota; types: readonly string[] }) {
    this.#queries = parts.queries
    this.#quota = parts.quota
    this.#learnsTypes = parts.types.includes('*')
    this.#configured = new Set([OWN_TYPE, ...parts.types.filter((type) => type !== '*').map(nameKey)])
    this.#timetable = new Timetable(parts.agenda, (series, now) => this.#query(series, now))
  }

  /** The types that are looked for. */
  get types(): string[] {
    return [...this.#configured, ...this.#learned.keys()]
  }

  /** Whether a type, in lower case, is looked for. */
  has(type: string): boolean {
    return this.#configured.has(type) || this.#learned.has(type)
  }

  /** Whether types that others tell of are looked for. */
  get learnsTypes(): boolean {
    return this.#learnsTypes
  }

  /** A type that `source` told of, `_ipp._tcp.local`. Says whether it is looked for now. */
  learn(name: string, source: string, now: number): boolean {
    const type = serviceTypeOf(name)
    if (this.has(type)) return true
    if (!this.#learnsTypes || !TYPE_NAME.test(nameKey(name)) || !this.#quota.take(source)) return false
    this.#learned.set(type, { name, source })
    for (const interfaceName of this.#series.keys()) this.#start(interfaceName, name, now)
    return true
  }

  forget(type: string): void {
    const learnt = this.#learned.get(type)
    if (learnt === undefined) return
    this.#learned.delete(type)
    this.#quota.release(learnt.source)
    for (const series of this.#series.values()) this.#stop(series, learnt.name)
  }

  /** Asks on an interface for everything. */
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

  /** Something of this type has gone, which may come back without a word: it is asked for often again. */
  restart(interfaceName: string, type: string, now: number): void {
    const series = this.#series.get(interfaceName)?.get(`${type}.local`)
    if (series && series.interval > RESTART_ABOVE) this.#start(interfaceName, series.name, now)
  }

  /** Somebody else has asked for the instances of a type, knowing no more than we do: that is as good as our asking. */
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
    if (series) this.#timetable.remove(series)
    all.delete(nameKey(name))
  }

  #query(series: QuerySeries, now: number): void {
    this.#queries.schedule(series.interface, { name: series.name, type: 'PTR' }, now, 'always')
    this.#scheduleNext(series, now)
  }

  #scheduleNext(series: QuerySeries, now: number): void {
    series.queriedAt = now
    this.#timetable.put(series, now + series.interval + MAX_QUERY_DELAY, now)
    series.interval = Math.min(series.interval * 2, MAX_INTERVAL)
  }
}
