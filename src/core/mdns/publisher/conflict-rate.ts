/** So many conflicts within so long, ms, make every further attempt wait so long, ms (RFC 6762, section 8.1). */
const MOST = 15
const WITHIN = 10_000
const PAUSE = 5000
/** Until there has been no conflict for so long, ms. */
const CALM = 60_000

/** Keeps a host that is always contradicted from asking without end. */
export class ConflictRate {
  /** The newest last. */
  #times: number[] = []
  #isHigh = false

  count(now: number): void {
    if (this.#isCalm(now)) this.#isHigh = false
    this.#times = [...this.#times.slice(1 - MOST), now]
    const [oldest] = this.#times
    if (this.#times.length === MOST && oldest !== undefined && now - oldest < WITHIN) this.#isHigh = true
  }

  /** How long to wait before asking, ms. */
  pause(now: number): number {
    return this.#isHigh && !this.#isCalm(now) ? PAUSE : 0
  }

  #isCalm(now: number): boolean {
    return now - (this.#times.at(-1) ?? Number.NEGATIVE_INFINITY) > CALM
  }
}
