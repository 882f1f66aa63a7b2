import { randomBytes } from 'node:crypto'
import { uptime } from 'node:os'
import type { Random } from '../core/random.ts'
import { monotonicNow } from '../shared/monotonic.ts'
import { CLOCK_STEP, Suspension } from './suspension.ts'
import { Ticker } from './ticker.ts'

/** Time, timers and random numbers of the system, which the core does not access itself. */

/**
 * A monotonic clock in milliseconds. Unlike Node's clock on Linux, it includes the time during which the machine was
 * suspended. It does not depend on the wall clock.
 */
export class Clock {
  readonly #suspension = new Suspension({ monotonic: monotonicNow(), wall: Date.now() }, uptimeNow())
  #offset = Date.now() - monotonicNow()
  /** Runs periodic tasks when an `Alarm` of this clock goes off. */
  readonly ticker = new Ticker()

  now(): number {
    return monotonicNow() + this.#suspension.duration
  }

  /** Checks whether the machine was suspended. Call it whenever a timer fires. */
  checkSuspend(): void {
    this.#suspension.check({ monotonic: monotonicNow(), wall: Date.now() }, uptimeNow)
  }

  /**
   * Converts a time of this clock to the wall clock's, ms since 1970. Returns the same value for the same time until the
   * wall clock is set.
   */
  wallClock(time: number): number {
    const offset = Date.now() - this.now()
    if (Math.abs(offset - this.#offset) > CLOCK_STEP) this.#offset = offset
    return time + this.#offset
  }
}

/** The time since boot, including suspend, ms. */
function uptimeNow(): number {
  return uptime() * 1000
}

/** Calls a function at the earliest of the times that were set. */
export class Alarm {
  readonly #clock: Clock
  readonly #callback: () => void
  #timer: NodeJS.Timeout | undefined
  #at = Number.POSITIVE_INFINITY
  #stopped = false

  constructor(clock: Clock, callback: () => void) {
    this.#clock = clock
    this.#callback = callback
  }

  /** Sets the alarm to a time (monotonic ms), unless it is set to an earlier one. After each call, it must be set again. */
  set(at: number | undefined): void {
    if (this.#stopped || at === undefined || at >= this.#at) return
    clearTimeout(this.#timer)
    this.#at = at
    this.#timer = setTimeout(
      () => {
        this.#at = Number.POSITIVE_INFINITY
        this.#clock.checkSuspend()
        this.#callback()
        this.#clock.ticker.awake()
      },
      Math.max(0, Math.ceil(at - this.#clock.now())),
    )
  }

  /** Stops the alarm for good. Setting it afterwards has no effect. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }
}

/** The system's random numbers. */
export const random: Random = {
  number: Math.random,
  bytes: (length) => randomBytes(length),
}
