import type { Agenda } from '../agenda.ts'
import type { Outbox } from './outbox.ts'
import type { Registry } from './peers/registry.ts'
import type { Self } from './peers/self.ts'

/** What the answers of all peers of a segment may take together while somebody keeps asking, bits per second. */
const BITS_PER_SECOND = 512_000
/** Between two answers on one interface, ms: by what they take, within these bounds. */
const LEAST_SPACING = 250
const MOST_SPACING = 5000
/** So many answers may follow each other without that spacing. */
const BURST = 3
/** Ethernet, IP and UDP around a datagram and the header in it, bytes. */
const OVERHEAD = 14 + 48 + 40

interface Desk {
  /** An answer is planned. */
  isPlanned: boolean
  /** When the last question came, ms. */
  askedAt: number
  /** When the answers said so far would be paid for by the spacing between them, ms (GCRA, ITU-T I.371). */
  paidAt: number
  spacing: number
}

/**
 * Answers questions with our record on the shared paths of an interface. One answer serves all who have asked by then;
 * they are spaced out, and a question that comes too soon waits and is not dropped. So one asker cannot use up what
 * another needs, and nobody can draw more than the spacing allows.
 */
export class SharedAnswers {
  readonly #self: Self
  readonly #registry: Registry
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  /** By interface. */
  readonly #desks = new Map<string, Desk>()

  constructor(self: Self, registry: Registry, outbox: Outbox, agenda: Agenda) {
    this.#self = self
    this.#registry = registry
    this.#outbox = outbox
    this.#agenda = agenda
  }

  /** Answers on interface `name` at `due`, monotonic ms, or as soon after that as the spacing allows. */
  plan(name: string, due: number, now: number): void {
    const desk = this.#desks.get(name) ?? this.#open(name)
    if (!desk) return
    desk.askedAt = now
    if (desk.isPlanned) return
    desk.isPlanned = true
    this.#agenda.add(Math.max(due, desk.paidAt - (BURST - 1) * desk.spacing), (later) =>
      this.#answer(name, desk, later),
    )
  }

  #open(name: string): Desk | undefined {
    for (const known of this.#desks.keys()) if (!this.#outbox.find(known)) this.#desks.delete(known)
    if (!this.#outbox.find(name)) return undefined
    const desk = { isPlanned: false, askedAt: 0, paidAt: Number.NEGATIVE_INFINITY, spacing: LEAST_SPACING }
    this.#desks.set(name, desk)
    return desk
  }

  #answer(name: string, desk: Desk, now: number): void {
    const network = this.#outbox.find(name)
    const stableUntil = network ? this.#self.stableUntil(network) : now
    if (stableUntil > now) {
      this.#agenda.add(stableUntil, (later) => this.#answer(name, desk, later))
      return
    }
    desk.isPlanned = false
    if (!network) return
    // It was said for another reason since the last question.
    if (this.#self.saidAt(network) > desk.askedAt) return
    const parts = this.#self.recordFor(network, now)
    const bytes = parts.reduce((sum, part) => sum + part.bytes.length + OVERHEAD, 0)
    const bits = 8 * bytes * network.paths.length * (this.#registry.presentCount + 1)
    desk.spacing = Math.min(Math.max((1000 * bits) / BITS_PER_SECOND, LEAST_SPACING), MOST_SPACING)
    desk.paidAt = Math.max(now, desk.paidAt) + desk.spacing
    this.#outbox.shoutAll(parts, network)
  }
}
