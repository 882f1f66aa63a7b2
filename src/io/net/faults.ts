import type { InterfacePath, Path } from '../../core/link.ts'
import { codeOf } from '../../shared/caught-error.ts'

interface Entry extends InterfacePath {
  error: Error
  failing: boolean
  /** When the present series of failures began, monotonic ms. */
  since: number
  reported: boolean
  reportedAt: number
}

/** A failure is reported when it has lasted this long, ms. If a cable is pulled, the interface is gone by then. */
const GRACE = 1000
/** The same for a new IPv6 address, which cannot be bound until duplicate address detection ends (1 to 2 s). */
const ADDRESS_GRACE = 3000
/** Time between two reports for one path, ms, so that a flapping path does not fill the log. */
const REPORT_INTERVAL = 10_000

/**
 * Tracks failures and reports each fault once, until the operation succeeds again. `operation` names what was tried on a
 * path, such as `open 10.0.0.1`: several sockets can serve one path, and the success of one says nothing about another.
 * Times are monotonic milliseconds.
 */
export class Faults {
  #entries = new Map<string, Entry>()
  #onFault: (fault: InterfacePath & { error: Error }) => void
  #onRecovered: (path: InterfacePath) => void

  constructor(onFault: (fault: InterfacePath & { error: Error }) => void, onRecovered: (path: InterfacePath) => void) {
    this.#onFault = onFault
    this.#onRecovered = onRecovered
  }

  failed(name: string, path: Path, operation: string, error: Error, now: number): void {
    const key = `${name} ${path} ${operation}`
    const entry = this.#entries.get(key)
    if (entry === undefined) {
      const fresh = { interface: name, path, error, failing: true, since: now, reported: false, reportedAt: -Infinity }
      this.#entries.set(key, fresh)
      return
    }
    entry.error = error
    if (entry.failing) return
    entry.failing = true
    entry.since = now
  }

  succeeded(name: string, path: Path, operation: string): void {
    // This runs for every datagram sent, and nearly always nothing has failed.
    if (this.#entries.size === 0) return
    const entry = this.#entries.get(`${name} ${path} ${operation}`)
    if (entry === undefined || !entry.failing) return
    entry.failing = false
    if (!entry.reported) return
    entry.reported = false
    this.#onRecovered({ interface: name, path })
  }

  /** Reports the failures that have lasted long enough. */
  report(now: number): void {
    for (const entry of this.#entries.values()) {
      if (!entry.failing || entry.reported || now - entry.reportedAt < REPORT_INTERVAL) continue
      if (now - entry.since < (codeOf(entry.error) === 'EADDRNOTAVAIL' ? ADDRESS_GRACE : GRACE)) continue
      entry.reported = true
      entry.reportedAt = now
      this.#onFault({ interface: entry.interface, path: entry.path, error: entry.error })
    }
  }

  /** Drops the faults of a path that is closed. */
  forget(name: string, path: Path): void {
    for (const [key, entry] of this.#entries) {
      if (entry.interface === name && entry.path === path) this.#entries.delete(key)
    }
  }

  /** The faults that were reported and still last. */
  list(): (InterfacePath & { message: string })[] {
    return [...this.#entries.values()]
      .filter(({ reported }) => reported)
      .map((entry) => ({ interface: entry.interface, path: entry.path, message: entry.error.message }))
  }
}
