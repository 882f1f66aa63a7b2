import type { Agenda } from './agenda.ts'

/** What is due is run at the next multiple of this, ms. */
const NEAR = 100
/** What is due later than this, ms, is looked at again on the way. */
const FAR = 60_000

/** Of what is due together so many are run at once, and the rest 1 ms later: others are to have their turn. */
const AT_ONCE = 256

/** What is looked at at one time, and when each of it is due. */
interface Slot<T> {
  time: number
  items: Map<T, number>
}

/**
 * When each of many things is due, where others decide how many things there are and how often their time moves. An
 * agenda keeps a task until its time; here, moving a thing and taking it out leave nothing behind.
 */
export class Timetable<T> {
  readonly #agenda: Agenda
  readonly #run: (item: T, now: number) => void
  /** By the time at which they are looked at. An emptied slot stays until then: its task does. */
  readonly #slots = new Map<number, Slot<T>>()
  readonly #slotOf = new Map<T, Slot<T>>()

  constructor(agenda: Agenda, run: (item: T, now: number) => void) {
    this.#agenda = agenda
    this.#run = run
  }

  /** `item` is due at `at` (monotonic ms) and at no other time. */
  put(item: T, at: number, now: number): void {
    const time = at - now < FAR ? Math.ceil(at / NEAR) * NEAR : Math.floor(at / FAR) * FAR
    const before = this.#slotOf.get(item)
    // It is looked at on the way: most are moved on many times before.
    if (before && before.time <= time) {
      before.items.set(item, at)
      return
    }
    before?.items.delete(item)
    this.#putAt(time, item, at)
  }

  remove(item: T): void {
    this.#slotOf.get(item)?.items.delete(item)
    this.#slotOf.delete(item)
  }

  #putAt(time: number, item: T, at: number): void {
    let slot = this.#slots.get(time)
    if (!slot) {
      slot = { time, items: new Map() }
      this.#slots.set(time, slot)
      this.#agenda.add(time, (later) => this.#look(time, later))
    }
    slot.items.set(item, at)
    this.#slotOf.set(item, slot)
  }

  #look(time: number, now: number): void {
    const slot = this.#slots.get(time)
    if (!slot) return
    this.#slots.delete(time)
    // From now on what is put into the timetable again gets another slot.
    slot.time = Number.POSITIVE_INFINITY
    let left = AT_ONCE
    for (const [item, at] of slot.items) {
      if (at > now) this.put(item, at, now)
      else if (left-- > 0) this.#runFrom(slot, item, now)
      else this.#putAt(now + 1, item, at)
    }
  }

  /** Most things are put in again as they are run: what is known of their slots is overwritten, which is cheaper. */
  #runFrom(slot: Slot<T>, item: T, now: number): void {
    slot.items.delete(item)
    this.#run(item, now)
    if (this.#slotOf.get(item) === slot) this.#slotOf.delete(item)
  }
}
