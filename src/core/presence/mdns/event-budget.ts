import type { Agenda } from '../../agenda.ts'
import { Budget } from '../../budget.ts'

/** How much all mDNS hosts together may write into the journal, by cost: per second, and at once. */
const COST_PER_SECOND = 80
const BURST = 2048
/** How long to wait when the budget is used up, ms. */
const RETRY_AFTER = 250

/** Entries that are ready for the journal. */
export interface PendingEntries {
  /** One for each entry, and one for each KiB of them. */
  cost: number
  write(): void
}

/**
 * Limits how many journal entries mDNS hosts cause per second. Nothing proves that an mDNS host exists, and the journal
 * keeps only the latest 4096 entries: without the limit, invented hosts could push out the entries of all other peers.
 *
 * What exceeds the budget waits, first in, first out. A subject that changes again while it waits keeps its place, and
 * only its latest state is written.
 */
export class MdnsEventBudget {
  readonly #agenda: Agenda
  readonly #budget = new Budget(COST_PER_SECOND, BURST)
  readonly #waiting = new Map<string, (now: number) => PendingEntries | undefined>()
  #isWaiting = false

  constructor(agenda: Agenda) {
    this.#agenda = agenda
  }

  /**
   * Something about `subject` (a host name or a peer id) may have changed. `prepare` is called when its turn comes, now
   * or later, and returns undefined when there is nothing to write.
   */
  submit(subject: string, prepare: (now: number) => PendingEntries | undefined, now: number): void {
    this.#waiting.set(subject, prepare)
    if (!this.#isWaiting) this.#write(now)
  }

  /** Nothing is to be written about `subject` any more. */
  cancel(subject: string): void {
    this.#waiting.delete(subject)
  }

  #write(now: number): void {
    for (const [subject, prepare] of this.#waiting) {
      const entries = prepare(now)
      if (entries && !this.#budget.take(now, Math.min(BURST, Math.ceil(entries.cost)))) {
        this.#retryLater(now)
        return
      }
      this.#waiting.delete(subject)
      entries?.write()
    }
  }

  #retryLater(now: number): void {
    this.#isWaiting = true
    this.#agenda.add(now + RETRY_AFTER, (later) => {
      this.#isWaiting = false
      this.#write(later)
    })
  }
}
