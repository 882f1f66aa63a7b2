import type { Agenda } from '../agenda.ts'
import { Budget } from '../budget.ts'
import type { Random } from '../random.ts'
import { MAX_QUERY_IDS, type PeerId } from '../wire/index.ts'
import type { Outbox } from './outbox.ts'
import type { Self } from './peers/self.ts'

/** Who is to be asked for is gathered for up to this long, ms. */
const GATHER = 20
/** Nobody is asked for twice within this, ms. */
const PATIENCE = 500
const QUERIES_PER_SECOND = 4
const QUERY_BURST = 8
const REMEMBERED = 4096

/**
 * Asks for records that are missing: of peers that beat but are unknown, and of known ones whose record has changed.
 * On the shared paths, never at the address a beat came from, which a stranger may have made up.
 */
export class Asker {
  readonly #self: Self
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  readonly #random: Random
  readonly #budget = new Budget(QUERIES_PER_SECOND, QUERY_BURST)
  /** Ids to ask for, by interface: known peers before strangers, whose beats anyone can make up. */
  readonly #wanted = new Map<string, { known: Set<PeerId>; strangers: Set<PeerId> }>()
  readonly #asked = new Map<PeerId, number>()

  constructor(self: Self, outbox: Outbox, agenda: Agenda, random: Random) {
    this.#self = self
    this.#outbox = outbox
    this.#agenda = agenda
    this.#random = random
  }

  want(id: PeerId, isKnown: boolean, on: string, now: number): void {
    if (now - (this.#asked.get(id) ?? Number.NEGATIVE_INFINITY) < PATIENCE) return
    let wanted = this.#wanted.get(on)
    if (!wanted) {
      wanted = { known: new Set(), strangers: new Set() }
      this.#wanted.set(on, wanted)
      const due = Math.max(now + GATHER * this.#random.number(), this.#budget.availableAt(now))
      this.#agenda.add(due, (later) => this.#ask(on, later))
    }
    const ids = isKnown ? wanted.known : wanted.strangers
    if (ids.size < MAX_QUERY_IDS) ids.add(id)
  }

  #ask(on: string, now: number): void {
    const wanted = this.#wanted.get(on)
    const network = this.#outbox.find(on)
    if (wanted && network && !this.#budget.take(now)) {
      // Another interface was first.
      this.#agenda.add(Math.max(this.#budget.availableAt(now), now + 1), (later) => this.#ask(on, later))
      return
    }
    this.#wanted.delete(on)
    if (!wanted || !network) return
    const ids = [...wanted.known, ...wanted.strangers].slice(0, MAX_QUERY_IDS)
    for (const id of ids) {
      this.#asked.delete(id)
      this.#asked.set(id, now)
    }
    for (const id of this.#asked.keys()) {
      if (this.#asked.size <= REMEMBERED) break
      this.#asked.delete(id)
    }
    this.#outbox.shout(this.#self.query(ids), [network])
  }
}
