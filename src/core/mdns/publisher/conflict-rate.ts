/** So many conflicts within so long, ms, make every further attempt wait so long, ms (RFC 6762, section 8.1). */
const MAX_CONFLICTS = 15
const CONFLICT_WINDOW = 10_000
const BACKOFF_DELAY = 5000
/** Until there has been no conflict for so long, ms. */
const BACKOFF_RESET = 60_000

/** Keeps a host that is always contradicted from asking without end. */
export class ProbeBackoff {
  /** The newest last. */
  #times: number[] = []
  #isHigh = false

  conflict(now: number): void {
    if (this.#isCalm(now)) this.#isHigh = false
    this.#times = [...this.#times.slice(1 - MAX_CONFLICTS), now]
    const [oldest] = this.#times
    if (this.#times.length === MAX_CONFLICTS && oldest !== undefined && now - oldest < CONFLICT_WINDOW)
      this.#isHigh = true
  }

  /** How long to wait before asking, ms. */
  delay(now: number): number {
    return this.#isHigh && !this.#isCalm(now) ? BACKOFF_DELAY : 0
  }

  #isCalm(now: number): boolean {
    return now - (this.#times.at(-1) ?? Number.NEGATIVE_INFINITY) > BACKOFF_RESET
  }
}
