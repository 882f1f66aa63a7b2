/** After this time, in ms, a state change counts half as much. */
const HALF_LIFE = 60_000
/**
 * The penalty above which a peer is flapping: as after four failures and returns within a minute. Each of them has three
 * changes (suspect, failed, alive).
 */
const SUPPRESS_ABOVE = 12
/** The penalty below which the peer is stable again. */
const REUSE_BELOW = 4

/** Route flap damping (RFC 2439) for one peer: a penalty that grows with each state change and decays exponentially. */
export class Flapping {
  #penalty = 0
  #at = 0
  #flapping = false

  get flapping(): boolean {
    return this.#flapping
  }

  /** Counts one state change. Returns whether the peer starts to flap with this change. */
  stateChanged(now: number): boolean {
    this.#penalty = this.#penaltyAt(now) + 1
    this.#at = now
    const began = !this.#flapping && this.#penalty > SUPPRESS_ABOVE
    this.#flapping ||= began
    return began
  }

  /** When the peer will be stable if its state does not change again, in monotonic ms. */
  get settlesAt(): number {
    return this.#at + HALF_LIFE * Math.max(0, Math.log2(this.#penalty / REUSE_BELOW))
  }

  /** Ends the flapping if the penalty has decayed enough. Returns whether it did. */
  settle(now: number): boolean {
    if (!this.#flapping || this.#penaltyAt(now) > REUSE_BELOW * 1.001) return false
    this.#flapping = false
    return true
  }

  #penaltyAt(now: number): number {
    return this.#penalty * 2 ** ((this.#at - now) / HALF_LIFE)
  }
}
