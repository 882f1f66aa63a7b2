import type { Agenda } from '../../agenda.ts'
import { Timetable } from '../../timetable.ts'
import { keyOf, OWN_TYPE, SERVICES, typeOf } from '../dns/names.ts'
import type { Cap } from './caps.ts'
import type { Questions } from './questions.ts'

/** First and longest time between two questions for one type, ms; it doubles each time (RFC 6762, section 5.2). */
const FIRST = 1000
const LONGEST = 3_600_000
/** The questions for a type begin anew only when they have become rarer than this, ms. */
const RARE = 30_000
/** What gathering questions may shift two of them towards each other, ms: one second must lie between them. */
const GATHERING = 120
/** Others' questions take the place of ours until ours are as rare as this, ms: nobody keeps us from asking for good. */
const SHARED = 600_000

/** As types are in the wild: RFC 6335, section 5.1, allows 15 letters, digits and hyphens. */
const TYPE = /^_[a-z0-9_-]{1,62}\._(?:tcp|udp)\.local$/

/** The questions for one type on one interface. */
interface Series {
  interface: string
  /** `_ipp._tcp.local`, as others write it. */
  name: string
  /** When it was asked for last, by us or by another. */
  askedAt: number
  wait: number
}

/** A type that others told of. */
interface Learnt {
  /** As it was written. */
  name: string
  /** Who told of it first. */
  source: string
}

/** Which service types are looked for, and asking for them at ever longer intervals. */
export class Browse {
  readonly #questions: Questions
  readonly #cap: Cap
  readonly #all: boolean
  readonly #chosen: ReadonlySet<string>
  readonly #learnt = new Map<string, Learnt>()
  /** By interface, then by name in lower case. */
  readonly #series = new Map<string, Map<string, Series>>()
  readonly #timetable: Timetable<Series>

  constructor(parts: { agenda: Agenda; questions: Questions; cap: Cap; types: readonly string[] }) {
    this.#questions = parts.questions
    this.#cap = parts.cap
    this.#all = parts.types.includes('*')
    this.#chosen = new Set([OWN_TYPE, ...parts.types.filter((type) => type !== '*').map(keyOf)])
    this.#timetable = new Timetable(parts.agenda, (series, now) => this.#ask(series, now))
  }

  /** The types that are looked for. */
  get types(): string[] {
    return [...this.#chosen, ...this.#learnt.keys()]
  }

  /** Whether a type, in lower case, is looked for. */
  has(type: string): boolean {
    return this.#chosen.has(type) || this.#learnt.has(type)
  }

  /** Whether types that others tell of are looked for. */
  get learns(): boolean {
    return this.#all
  }

  /** A type that `source` told of, `_ipp._tcp.local`. Says whether it is looked for now. */
  learn(name: string, source: string, now: number): boolean {
    const type = typeOf(name)
    if (this.has(type)) return true
    if (!this.#all || !TYPE.test(keyOf(name)) || !this.#cap.take(source)) return false
    this.#learnt.set(type, { name, source })
    for (const on of this.#series.keys()) this.#begin(on, name, now)
    return true
  }

  unlearn(type: string): void {
    const learnt = this.#learnt.get(type)
    if (learnt === undefined) return
    this.#learnt.delete(type)
    this.#cap.give(learnt.source)
    for (const series of this.#series.values()) this.#end(series, learnt.name)
  }

  /** Asks on an interface for everything. */
  begin(on: string, now: number): void {
    if (!this.#series.has(on)) this.#series.set(on, new Map())
    const names = [
      ...Array.from(this.#chosen, (type) => `${type}.local`),
      ...Array.from(this.#learnt.values(), ({ name }) => name),
    ]
    for (const name of this.#all ? [SERVICES, ...names] : names) this.#begin(on, name, now)
  }

  end(on: string): void {
    const series = this.#series.get(on)
    this.#series.delete(on)
    for (const { name } of series?.values() ?? []) if (series) this.#end(series, name)
  }

  /** Something of this type has gone, which may come back without a word: it is asked for often again. */
  again(on: string, type: string, now: number): void {
    const series = this.#series.get(on)?.get(`${type}.local`)
    if (series && series.wait > RARE) this.#begin(on, series.name, now)
  }

  /** Somebody else has asked for the instances of a type, knowing no more than we do: that is as good as our asking. */
  asked(on: string, name: string, now: number): void {
    const series = this.#series.get(on)?.get(keyOf(name))
    if (series && series.wait < SHARED && now - series.askedAt >= FIRST) this.#step(series, now)
  }

  #begin(on: string, name: string, now: number): void {
    const all = this.#series.get(on)
    if (!all) return
    this.#end(all, name)
    const series = { interface: on, name, askedAt: now, wait: FIRST }
    all.set(keyOf(name), series)
    this.#ask(series, now)
  }

  #end(all: Map<string, Series>, name: string): void {
    const series = all.get(keyOf(name))
    if (series) this.#timetable.remove(series)
    all.delete(keyOf(name))
  }

  #ask(series: Series, now: number): void {
    this.#questions.ask(series.interface, { name: series.name, type: 'PTR' }, now, 'always')
    this.#step(series, now)
  }

  #step(series: Series, now: number): void {
    series.askedAt = now
    this.#timetable.put(series, now + series.wait + GATHERING, now)
    series.wait = Math.min(series.wait * 2, LONGEST)
  }
}
