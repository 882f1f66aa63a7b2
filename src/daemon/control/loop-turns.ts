/** How long all long tasks together may run in one turn of the event loop, ms. */
const MAX_MS = 4
/** The clock is read for one of so many steps of a task: a step takes microseconds. */
const STEPS_PER_READING = 16

/**
 * Divides long tasks among turns of the event loop, so that datagrams and other clients never wait long. Only one task runs
 * in a turn, and tasks that wait go on in the order in which they came.
 */
export class LoopTurns {
  readonly #now: () => number
  readonly #waiting: (() => void)[] = []
  /** Monotonic ms. Undefined until a task has asked for the time in this turn. */
  #endsAt: number | undefined
  #steps = 0

  /** `now` is the monotonic time, ms. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** To be called after each step of a task. Returns whether the time in this turn is over: then it has to wait for `next`. */
  isOver(): boolean {
    if (++this.#steps % STEPS_PER_READING !== 0) return false
    this.#endsAt ??= this.#begin()
    return this.#now() >= this.#endsAt
  }

  /** Resolves in a later turn, when it is this task's. */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #begin(): number {
    setImmediate(() => {
      this.#endsAt = undefined
      const resume = this.#waiting.shift()
      if (!resume) return
      this.#endsAt = this.#begin()
      resume()
    })
    return this.#now() + MAX_MS
  }
}
