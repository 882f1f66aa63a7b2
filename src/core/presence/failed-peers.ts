import type { Agenda } from '../agenda.ts'
import { MAX_QUERY_IDS } from '../wire/index.ts'
import type { Outbox } from './outbox.ts'
import type { Registry } from './peers/registry.ts'
import type { Self } from './peers/self.ts'

/** Failed peers are asked for this often, ms. */
const ASK_EVERY = 60_000

/** Asks for peers that have failed, as many at a time as a query holds: so both sides of a partition notice when it is healed. */
export class FailedPeers {
  readonly #self: Self
  readonly #registry: Registry
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  /** How many were asked for: the next ones are next. */
  #asked = 0

  constructor(self: Self, registry: Registry, outbox: Outbox, agenda: Agenda) {
    this.#self = self
    this.#registry = registry
    this.#outbox = outbox
    this.#agenda = agenda
  }

  /** From now on, without end. */
  start(now: number): void {
    this.#agenda.add(now + ASK_EVERY, (later) => {
      this.#ask()
      this.start(later)
    })
  }

  #ask(): void {
    const failed = Array.from(this.#registry.values()).filter(({ state, hasBeaten }) => state === 'failed' && hasBeaten)
    const from = this.#asked % Math.max(1, failed.length)
    const ids = failed.slice(from, from + MAX_QUERY_IDS).map(({ id }) => id)
    this.#asked = from + ids.length
    if (ids.length > 0) this.#outbox.shout(this.#self.query(ids))
  }
}
