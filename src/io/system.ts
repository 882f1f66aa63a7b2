import { randomBytes } from 'node:crypto'
import { uptime } from 'node:os'
import type { Random } from '../core/random.ts'
import { monotonicNow } from '../shared/monotonic.ts'
import { Ticker } from './ticker.ts'

/** Time, timers and random numbers of the system, which the core does not access itself. */

/** Differences below this, in ms, between the system's uptime and Node's clock are rounding errors: the uptime has two decimals. */
const UPTIME_ROUNDING = 1000
/**
 * A suspend also sets the wall clock ahead, so the uptime is read after that. It is read at least this often, in ms, in case
 * the wall clock was set back at the same time. Reading it opens a file.
 */
const SUSPEND_CHECK_INTERVAL = 10_000
/** Changes below this, in ms, of the wall clock's offset are slewing or measurement errors. */
const CLOCK_STEP = 50

/**
 * A monotonic clock in milliseconds. Unlike Node's clock on Linux, it includes the time during which the machine was
 * suspended. It does not depend on the wall clock.
 */
export class Clock {
  #suspended = 0
  #checkedAt = monotonicNow()
  #offset = Date.now() - monotonicNow()
  #checkedOffset = this.#offset
  readonly #initialLead = uptimeLead()
  /** Runs periodic tasks when an `Alarm` of this clock goes off. */
  readonly ticker = new Ticker()

  now(): number {
    return monotonicNow() + this.#suspended
  }

  /** Checks whether the machine was suspended. Call it whenever a timer fires. */
  checkSuspend(): void {
    const now = monotonicNow()
    const offset = Date.now() - now
    const wasSet = Math.abs(offset - this.#checkedOffset) > CLOCK_STEP
    if (!wasSet && now - this.#checkedAt < SUSPEND_CHECK_INTERVAL) return
    this.#checkedAt = now
    this.#checkedOffset = offset
    const suspended = uptimeLead() - this.#initialLead
    if (suspended > this.#suspended + UPTIME_ROUNDING) this.#suspended = suspended
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

/** How far the time since boot, including suspend, is ahead of Node's monotonic clock, ms. */
function uptimeLead(): number {
  return uptime() * 1000 - monotonicNow()
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
