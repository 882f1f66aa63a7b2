import type { Agenda } from '../../agenda.ts'
import { Timetable } from '../../timetable.ts'
import type { RecordType } from '../dns/types.ts'
import type { Cache } from './cache.ts'
import type { Caps } from './caps.ts'
import type { FoundHost, Instance } from './found.ts'
import type { Questions } from './questions.ts'

/** Asking for what is missing, and how long each time is waited for an answer, ms. */
const WAITS = [1120, 2000, 4000, 8000, 2000]

type Item = Instance | FoundHost

interface Missing {
  type: RecordType
  name: string
  interface: string
}

/**
 * Asks for what was not told along with a pointer: its SRV and TXT records, and the addresses of the host that they
 * name. What nobody tells is given up.
 */
export class FollowUps {
  readonly #cache: Cache
  readonly #caps: Caps
  readonly #questions: Questions
  readonly #givenUp: (item: Item, now: number) => void
  readonly #tries = new Map<Item, number>()
  readonly #timetable: Timetable<Item>

  constructor(parts: {
    agenda: Agenda
    cache: Cache
    caps: Caps
    questions: Questions
    /** Without an SRV record or an address all this time. */
    givenUp: (item: Item, now: number) => void
  }) {
    this.#cache = parts.cache
    this.#caps = parts.caps
    this.#questions = parts.questions
    this.#givenUp = parts.givenUp
    this.#timetable = new Timetable(parts.agenda, (item, now) => this.#ask(item, now))
  }

  /** Asks in a moment, as the rest of an announcement may be on its way. */
  follow(item: Item, now: number): void {
    if (this.#tries.has(item)) return
    this.#tries.set(item, 0)
    this.#timetable.put(item, now, now)
  }

  forget(item: Item): void {
    this.#tries.delete(item)
    this.#timetable.remove(item)
  }

  #ask(item: Item, now: number): void {
    const tried = this.#tries.get(item) ?? 0
    const missing = 'instances' in item ? this.#missingOfHost(item, tried) : this.#missingOfInstance(item)
    const wait = WAITS[tried]
    if (missing.length === 0 || wait === undefined) {
      this.forget(item)
      if (missing.length > 0) this.#givenUp(item, now)
      return
    }
    this.#tries.set(item, tried + 1)
    this.#timetable.put(item, now + wait, now)
    for (const { type, name, interface: on } of missing) {
      if (!this.#questions.isAsking(on, { type, name }) && !this.#caps.takeQuestion(item.source, now)) continue
      this.#questions.ask(on, { type, name }, now)
    }
  }

  #missingOfInstance({ name, interface: on }: Instance): Missing[] {
    const missing = (type: RecordType) => this.#cache.newest(type, name, on) === undefined
    return (['SRV', 'TXT'] as const).filter(missing).map((type) => ({ type, name, interface: on }))
  }

  /** A family that it may well not have is asked for once; no address at all, again and again. */
  #missingOfHost({ hostname, heardOn }: FoundHost, tried: number): Missing[] {
    const all = [...heardOn.keys()].flatMap((name) => [
      { type: 'A' as const, name: hostname, interface: name },
      { type: 'AAAA' as const, name: hostname, interface: name },
    ])
    const missing = all.filter((each) => this.#cache.newest(each.type, hostname, each.interface) === undefined)
    return tried > 0 && this.#cache.countAddresses(hostname) > 0 ? [] : missing
  }
}
