import type { SharedPath } from '../../core/link.ts'
import { codeOf } from '../../shared/caught-error.ts'

type Path = 'unicast' | SharedPath

interface Entry {
  interface: string
  path: Path
  error: Error
  failing: boolean
  /** When this run of failures began, ms. */
  since: number
  told: boolean
  toldAt: number
}

/** A failure younger than this is not told: cables are pulled, and the interface is gone at the next look. */
const GRACE = 1000
/** A new IPv6 address cannot be bound before the kernel knows that nobody else has it (1 to 2 s). */
const ADDRESS_GRACE = 3000
/** One path's faults are told no more often than this, so that a flapping one cannot fill a log. */
const HOLD = 10_000

/**
 * Remembers what fails, and tells each fault once until it works again. `what` says what was tried on a path, such as
 * `open 10.0.0.1`: several sockets can serve one path, and one that works is no sign that another does. Times are
 * monotonic milliseconds.
 */
export class Faults {
  #entries = new Map<string, Entry>()
  #onFault: (fault: { interface: string; path: Path; error: Error }) => void
  #onRecovered: (path: { interface: string; path: Path }) => void

  constructor(
    onFault: (fault: { interface: string; path: Path; error: Error }) => void,
    onRecovered: (path: { interface: string; path: Path }) => void,
  ) {
    this.#onFault = onFault
    this.#onRecovered = onRecovered
  }

  failed(name: string, path: Path, what: string, error: Error, now: number): void {
    const key = `${name} ${path} ${what}`
    const entry = this.#entries.get(key)
    if (entry === undefined) {
      const fresh = { interface: name, path, error, failing: true, since: now, told: false, toldAt: -Infinity }
      this.#entries.set(key, fresh)
      return
    }
    entry.error = error
    if (entry.failing) return
    entry.failing = true
    entry.since = now
  }

  worked(name: string, path: Path, what: string): void {
    // By far the most common case, on every datagram sent: nothing has ever failed.
    if (this.#entries.size === 0) return
    const entry = this.#entries.get(`${name} ${path} ${what}`)
    if (entry === undefined || !entry.failing) return
    entry.failing = false
    if (!entry.told) return
    entry.told = false
    this.#onRecovered({ interface: name, path })
  }

  /** Tells what has been failing long enough. */
  tick(now: number): void {
    for (const entry of this.#entries.values()) {
      if (!entry.failing || entry.told || now - entry.toldAt < HOLD) continue
      if (now - entry.since < (codeOf(entry.error) === 'EADDRNOTAVAIL' ? ADDRESS_GRACE : GRACE)) continue
      entry.told = true
      entry.toldAt = now
      this.#onFault({ interface: entry.interface, path: entry.path, error: entry.error })
    }
  }

  /** The path is gone, and its faults with it. */
  forget(name: string, path: Path): void {
    for (const [key, entry] of this.#entries) {
      if (entry.interface === name && entry.path === path) this.#entries.delete(key)
    }
  }

  /** What has been told and still fails. */
  list(): { interface: string; path: Path; message: string }[] {
    return [...this.#entries.values()]
      .filter(({ told }) => told)
      .map((entry) => ({ interface: entry.interface, path: entry.path, message: entry.error.message }))
  }
}
