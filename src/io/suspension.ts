/** Differences below this, in ms, between the system's uptime and Node's clock are rounding errors: the uptime has two decimals. */
const UPTIME_ROUNDING = 1000
/**
 * A suspend also sets the wall clock ahead, so the uptime is read after that. It is read at least this often, in ms, in case
 * the wall clock was set back at the same time. Reading it opens a file.
 */
const CHECK_INTERVAL = 10_000
/** Changes below this, in ms, of the wall clock's offset are slewing or measurement errors. */
export const CLOCK_STEP = 50

/** How the clocks of the system stand at one moment, ms. */
interface Reading {
  /** Node's monotonic clock, which stands still on Linux while the machine is suspended. */
  monotonic: number
  /** Since 1970. */
  wall: number
}

/** For how long the machine was suspended since the start of the program. Reads no clock itself. */
export class Suspension {
  /** In ms. Never falls. */
  duration = 0
  readonly #initialLead: number
  #checkedAt: number
  #offset: number

  /** @param uptime the time since boot including suspend, ms */
  constructor({ monotonic, wall }: Reading, uptime: number) {
    this.#initialLead = uptime - monotonic
    this.#checkedAt = monotonic
    this.#offset = wall - monotonic
  }

  /** Checks whether the machine was suspended since the last check. Calls `readUptime` only if that is possible. */
  check({ monotonic, wall }: Reading, readUptime: () => number): void {
    const offset = wall - monotonic
    const wasSet = Math.abs(offset - this.#offset) > CLOCK_STEP
    if (!wasSet && monotonic - this.#checkedAt < CHECK_INTERVAL) return
    this.#checkedAt = monotonic
    this.#offset = offset
    const duration = readUptime() - monotonic - this.#initialLead
    if (duration > this.duration + UPTIME_ROUNDING) this.duration = duration
  }
}
