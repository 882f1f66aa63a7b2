import { monotonicNow } from '../shared/monotonic.ts'

/** A periodic task runs when this part of its interval has passed, if the process is awake then for another reason. */
const EARLIEST = 0.75
/** A periodic task runs when this part of its interval has passed, whatever else happens. */
const LATEST = 1.2

interface PeriodicTask {
  readonly interval: number
  readonly run: () => void
  /** Monotonic ms. */
  ranAt: number
}

/**
 * Runs periodic tasks when the process is awake anyway, as for its own beat. To wake up an idle Node process costs more
 * processor time than most such tasks need.
 */
export class Ticker {
  readonly #tasks = new Set<PeriodicTask>()
  readonly #now: () => number
  #timer: NodeJS.Timeout | undefined

  /** @param now a monotonic clock, ms */
  constructor(now: () => number = monotonicNow) {
    this.#now = now
  }

  /**
   * Runs a function, which must not throw, about every `interval` ms: the time between two runs is 0.75 to 1.2 times as long.
   * Keeps the process alive. Returns a function that ends this.
   */
  every(interval: number, run: () => void): () => void {
    const task = { interval, run, ranAt: this.#now() }
    this.#tasks.add(task)
    this.#setTimer()
    return () => {
      this.#tasks.delete(task)
      this.#setTimer()
    }
  }

  /** Runs the tasks that may run now. Call it when the process is awake for another reason. */
  awake(): void {
    const now = this.#now()
    let hasRun = false
    for (const task of this.#tasks) {
      if (now - task.ranAt < EARLIEST * task.interval) continue
      task.ranAt = now
      task.run()
      hasRun = true
    }
    if (hasRun) this.#setTimer()
  }

  #setTimer(): void {
    clearTimeout(this.#timer)
    let at = Number.POSITIVE_INFINITY
    for (const { ranAt, interval } of this.#tasks) at = Math.min(at, ranAt + LATEST * interval)
    if (at < Number.POSITIVE_INFINITY) {
      this.#timer = setTimeout(() => this.awake(), Math.max(0, Math.floor(at - this.#now())))
    }
  }
}
