import type { Agenda } from '../../agenda.ts'
import { Budget } from '../../budget.ts'

/**
 * What may be told of all hosts together, by weight: per second, and at once. The rest waits, so that made-up hosts push
 * nothing out of the journal, which holds 4096 changes.
 */
const WEIGHT_PER_SECOND = 80
const BURST = 2048
/** What waits is tried again after this, ms. */
const PAUSE = 250

/** What there is to tell of somebody. */
export interface News {
  /** One for each change, and one for each KiB of them. */
  weight: number
  tell(): void
}

/** Tells what unproven hosts give cause to, within a budget: of those who wait, the latest news, in their order. */
export class Telling {
  readonly #agenda: Agenda
  readonly #budget = new Budget(WEIGHT_PER_SECOND, BURST)
  readonly #waiting = new Map<string, (now: number) => News | undefined>()
  #isPlanned = false

  constructor(agenda: Agenda) {
    this.#agenda = agenda
  }

  /** There may be news of `id`: `news` says so when it can be told. */
  offer(id: string, news: (now: number) => News | undefined, now: number): void {
    this.#waiting.set(id, news)
    if (!this.#isPlanned) this.#tell(now)
  }

  #tell(now: number): void {
    for (const [id, find] of this.#waiting) {
      const news = find(now)
      if (news && !this.#budget.take(now, Math.min(BURST, Math.ceil(news.weight)))) {
        this.#plan(now)
        return
      }
      this.#waiting.delete(id)
      news?.tell()
    }
  }

  #plan(now: number): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    this.#agenda.add(now + PAUSE, (later) => {
      this.#isPlanned = false
      this.#tell(later)
    })
  }
}
