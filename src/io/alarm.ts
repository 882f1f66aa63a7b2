import type { Clock } from './clock.ts'

/** Rings when the earliest of what is due has come. */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #timer: NodeJS.Timeout | undefined
  #at = Number.POSITIVE_INFINITY
  #stopped = false

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** To ring at this moment, monotonic ms, unless it rings earlier anyway: whoever is woken sets it again. */
  set(at: number | undefined): void {
    if (this.#stopped || at === undefined || at >= this.#at) return
    clearTimeout(this.#timer)
    this.#at = at
    this.#timer = setTimeout(
      () => {
        this.#at = Number.POSITIVE_INFINITY
        this.#clock.notice()
        this.#ring()
      },
      Math.max(0, Math.ceil(at - this.#clock.now())),
    )
  }

  /** Never rings again, whatever is set afterwards. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }
}
