import type { Agenda } from '../agenda.ts'
import { Budget } from '../budget.ts'
import type { Interface } from '../link.ts'
import type { Random } from '../random.ts'
import type { Outbox } from './outbox.ts'
import type { Self } from './peers/self.ts'

/** Beats are spread by this share of the interval to either side, so that peers do not fall into step. */
const JITTER = 0.1
/** When what is said at the start is said again, for loss: ms, each spread by half. */
const REPEATS = [250, 750]
/** A changed record is said again after this, or up to twice this, ms, unless it has changed again. */
const CHANGE_REPEAT = 300
/** Changed records told to everyone, per second and at once: a sensor's readings can wait for a moment. */
const CHANGES_PER_SECOND = 4
const CHANGE_BURST = 2
/** What others connect to, they are to know at once: services and addresses. */
const URGENT_CHANGES_PER_SECOND = 10
const URGENT_BURST = 5
/** A goodbye is said three times, ms after the first. */
const GOODBYES = [0, 10, 20]

/** When to say something unasked: at the start, at every beat, on a change, at the end. */
export class Speaker {
  readonly #self: Self
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  readonly #random: Random
  readonly #changes = new Budget(CHANGES_PER_SECOND, CHANGE_BURST)
  #announced = 0
  readonly #urgentChanges = new Budget(URGENT_CHANGES_PER_SECOND, URGENT_BURST)
  /** When a change that had to wait is told. */
  #plannedAt = Number.POSITIVE_INFINITY
  #left = false
  /** Called at every beat, before it is sent. */
  readonly #beforeBeat: (now: number) => void

  constructor(self: Self, outbox: Outbox, agenda: Agenda, random: Random, beforeBeat: (now: number) => void) {
    this.#self = self
    this.#outbox = outbox
    this.#agenda = agenda
    this.#random = random
    this.#beforeBeat = beforeBeat
  }

  get hasLeft(): boolean {
    return this.#left
  }

  /** Begins to beat. */
  start(now: number): void {
    this.#planBeat(now)
  }

  /** Tells newly reached networks who is here, and asks who else is. */
  announce(interfaces: readonly Interface[], now: number): void {
    if (this.#left || interfaces.length === 0) return
    this.#shoutRecord(interfaces, now)
    this.beat(now)
    this.#outbox.shout(this.#self.query([]), interfaces)
    for (const delay of REPEATS) {
      this.#agenda.add(now + delay * (0.5 + this.#random.number()), (later) => {
        if (this.#left) return
        const still = interfaces.filter(({ name }) => this.#outbox.find(name))
        this.#shoutRecord(still, later)
        this.#outbox.shout(this.#self.query([]), still)
      })
    }
  }

  /** Tells all networks: after a new beginning. */
  announceEverywhere(now: number): void {
    this.announce(this.#outbox.interfaces, now)
  }

  /** One beat to everyone, now. */
  beat(now: number): void {
    if (this.#left) return
    // The record comes first: the position of the beat has to lie ahead of the anchor in it.
    if (this.#self.recordVersion !== this.#announced) this.changed(now)
    const { endsChain } = this.#self
    this.#outbox.shout(this.#self.beat(now))
    if (!endsChain) return
    // Right behind a fresh beat a record is sure to be looked at, however many are made up in our name.
    this.#self.renewChain()
    this.#tellRecord(now)
  }

  /** Tells everyone of a new record: at once, but only so often, and the last one always. */
  changed(now: number, isUrgent = false): void {
    if (this.#left) return
    const budget = isUrgent ? this.#urgentChanges : this.#changes
    if (!budget.take(now)) {
      this.#plan(budget.availableAt(now), isUrgent)
      return
    }
    this.#tellRecord(now)
  }

  #tellRecord(now: number): void {
    this.#plannedAt = Number.POSITIVE_INFINITY
    this.#shoutRecord(this.#outbox.interfaces, now)
    const version = this.#announced
    this.#agenda.add(now + CHANGE_REPEAT * (1 + this.#random.number()), (later) => {
      if (!this.#left && this.#announced === version) this.#shoutRecord(this.#outbox.interfaces, later)
    })
  }

  #plan(at: number, isUrgent: boolean): void {
    if (at >= this.#plannedAt) return
    this.#plannedAt = at
    this.#agenda.add(at, (now) => {
      if (this.#plannedAt !== at) return // told meanwhile, or to be told sooner
      this.#plannedAt = Number.POSITIVE_INFINITY
      this.changed(now, isUrgent)
    })
  }

  leave(now: number): void {
    this.#left = true
    const bye = this.#self.bye()
    for (const delay of GOODBYES) this.#agenda.add(now + delay, () => this.#outbox.shout(bye))
  }

  #planBeat(now: number): void {
    const spread = 1 + JITTER * (2 * this.#random.number() - 1)
    this.#agenda.add(now + this.#self.interval * spread, (later) => {
      if (this.#left) return
      this.#beforeBeat(later)
      this.beat(later)
      this.#planBeat(later)
    })
  }

  #shoutRecord(interfaces: readonly Interface[], now: number): void {
    this.#announced = this.#self.recordVersion
    for (const network of interfaces) this.#outbox.shoutAll(this.#self.recordFor(network, now), network)
  }
}
