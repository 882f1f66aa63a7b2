import { uptime } from 'node:os'
import { performance } from 'node:perf_hooks'

/** Differences below this are rounding, ms: the kernel tells its uptime in hundredths of a second. */
const ROUNDING = 1000
/** Differences of the wall clock below this are its slewing and our reading of it, ms. */
const STEP = 50

/**
 * Monotonic milliseconds that go on while the machine sleeps, which Node's own do not on Linux. Steps of the wall
 * clock do not matter to it.
 */
export class Clock {
  #slept = 0
  #offset = Date.now() - performance.now()
  readonly #ahead = aheadOfMonotonic()

  now(): number {
    return performance.now() + this.#slept
  }

  /** Looks whether the machine has slept: to be called whenever a timer fires. */
  notice(): void {
    const slept = aheadOfMonotonic() - this.#ahead
    if (slept > this.#slept + ROUNDING) this.#slept = slept
  }

  /** The wall-clock time, ms since 1970, of a moment of this clock. The same for the same moment until the wall clock steps. */
  wallClock(moment: number): number {
    const offset = Date.now() - this.now()
    if (Math.abs(offset - this.#offset) > STEP) this.#offset = offset
    return moment + this.#offset
  }
}

/** How far the time since boot, sleep included, is ahead of Node's monotonic clock, ms. */
function aheadOfMonotonic(): number {
  return uptime() * 1000 - performance.now()
}
