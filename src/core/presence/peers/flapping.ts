/** Half-life of the memory of past changes, ms. */
const HALF_LIFE = 60_000
/** Four failures and returns in a minute: alive, suspect, failed and alive again are three changes each. */
const FLAPS_ABOVE = 12
const SETTLED_BELOW = 4

/** Damping with decay, as for flapping routes (RFC 2439): how much a peer's state has changed of late. */
export class Flapping {
  #penalty = 0
  #at = 0
  #flapping = false

  get flapping(): boolean {
    return this.#flapping
  }

  /** Counts one change of state. True when this is the one that makes it flap. */
  changed(now: number): boolean {
    this.#penalty = this.#level(now) + 1
    this.#at = now
    const began = !this.#flapping && this.#penalty > FLAPS_ABOVE
    this.#flapping ||= began
    return began
  }

  /** When it will have settled if nothing more happens, monotonic ms. */
  get settlesAt(): number {
    return this.#at + HALF_LIFE * Math.max(0, Math.log2(this.#penalty / SETTLED_BELOW))
  }

  /** True when it has just settled. */
  settle(now: number): boolean {
    if (!this.#flapping || this.#level(now) > SETTLED_BELOW * 1.001) return false
    this.#flapping = false
    return true
  }

  #level(now: number): number {
    return this.#penalty * 2 ** ((this.#at - now) / HALF_LIFE)
  }
}
