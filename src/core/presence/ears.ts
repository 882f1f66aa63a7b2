import type { Interface, SharedPath } from '../link.ts'
import type { Notice } from './peers/types.ts'

/** Own beats unheard for this many intervals, and this long at least, ms: the path is deaf. */
const DEAF_INTERVALS = 3
const DEAF_AFTER = 2000
/** A deaf path is renewed again after this, ms, and ever more rarely. */
const MOST_PATIENCE = 60_000

interface Ear {
  /** Since when it should hear. */
  since: number
  lastEcho: number | undefined
  deaf: boolean
  renewAt: number
  patience: number
}

/**
 * Listens for our own beats, which every shared path brings back to the sender: a path that no longer does has lost
 * its membership there, and is to be joined again.
 */
export class Ears {
  readonly #ears = new Map<string, Map<SharedPath, Ear>>()
  readonly #notice: (notice: Notice) => void

  constructor(notice: (notice: Notice) => void) {
    this.#notice = notice
  }

  setInterfaces(interfaces: readonly Interface[], now: number): void {
    const names = new Set(interfaces.map(({ name }) => name))
    for (const name of this.#ears.keys()) if (!names.has(name)) this.#ears.delete(name)
    for (const { name, paths } of interfaces) {
      const before = this.#ears.get(name)
      const ears = new Map<SharedPath, Ear>()
      for (const path of paths) ears.set(path, before?.get(path) ?? fresh(now))
      this.#ears.set(name, ears)
    }
  }

  /** Our own beat came back. */
  echo(name: string, path: SharedPath, now: number): void {
    const ear = this.#ears.get(name)?.get(path)
    if (!ear) return
    ear.lastEcho = now
    if (!ear.deaf) return
    Object.assign(ear, { ...fresh(now), lastEcho: now })
    this.#notice({ type: 'hearing-again', interface: name, path })
  }

  /** The paths to join again now, at our own beat `interval`, ms. */
  check(interval: number, now: number): { interface: string; path: SharedPath }[] {
    const deaf: { interface: string; path: SharedPath }[] = []
    const patience = Math.max(DEAF_AFTER, DEAF_INTERVALS * interval)
    for (const [name, ears] of this.#ears) {
      for (const [path, ear] of ears) {
        if (now - Math.max(ear.since, ear.lastEcho ?? 0) < patience || now < ear.renewAt) continue
        if (!ear.deaf) this.#notice({ type: 'deaf', interface: name, path })
        ear.deaf = true
        ear.patience = Math.min(Math.max(patience, ear.patience * 2), MOST_PATIENCE)
        ear.renewAt = now + ear.patience
        deaf.push({ interface: name, path })
      }
    }
    return deaf
  }

  view(name: string): { path: SharedPath; lastHeard: number | undefined; deaf: boolean }[] {
    return [...(this.#ears.get(name) ?? [])].map(([path, { lastEcho, deaf }]) => ({ path, lastHeard: lastEcho, deaf }))
  }
}

function fresh(now: number): Ear {
  return { since: now, lastEcho: undefined, deaf: false, renewAt: 0, patience: 0 }
}
