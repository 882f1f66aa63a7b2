import type { Agenda } from '../agenda.ts'

/** What is due is run at the next multiple of this, ms. */
const NEAR = 100
/** What is due later than this, ms, is looked at again on the way. */
const FAR = 60_000

/**
 * When each of many things is due, where others decide how many things there are and how often their time moves. An
 * agenda keeps a task until its time; here, moving a thing and taking it out leave nothing behind.
 */
export class Timetable<T> {
  readonly #agenda: Agenda
  readonly #run: (item: T, now: number) => void
  /** What is due, and when, by the time at which it is looked at. An emptied slot stays until then: its task does. */
  readonly #slots = new Map<number, Map<T, number>>()
  readonly #slotOf = new Map<T, Map<T, number>>()

  constructor(agenda: Agenda, run: (item: T, now: number) => void) {
    this.#agenda = agenda
    this.#run = run
  }

  /** `item` is due at `at` (monotonic ms) and at no other time. */
  put(item: T, at: number, now: number): void {
    this.remove(item)
    const time = at - now < FAR ? Math.ceil(at / NEAR) * NEAR : Math.floor(at / FAR) * FAR
    let slot = this.#slots.get(time)
    if (!slot) {
      slot = new Map()
      this.#slots.set(time, slot)
      this.#agenda.add(time, (later) => this.#look(time, later))
    }
    slot.set(item, at)
    this.#slotOf.set(item, slot)
  }

  remove(item: T): void {
    this.#slotOf.get(item)?.delete(item)
    this.#slotOf.delete(item)
  }

  #look(time: number, now: number): void {
    const slot = this.#slots.get(time) ?? new Map<T, number>()
    this.#slots.delete(time)
    for (const [item, at] of slot) {
      if (at > now) {
        this.put(item, at, now)
      } else {
        this.remove(item)
        this.#run(item, now)
      }
    }
  }
}
