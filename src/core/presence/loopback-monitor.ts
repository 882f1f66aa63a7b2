import type { Interface, SharedPath } from '../link.ts'
import type { Notice, SharedPathOnInterface } from './peers/types.ts'

/**
 * A path is deaf when none of the last beats came back: after this many intervals, after this time at least, in ms, and when
 * this many beats were sent meanwhile. After a pause of the process, its last beat may still wait to be received.
 */
const DEAF_INTERVALS = 3
const DEAF_AFTER = 2000
const DEAF_BEATS = 2
/** A deaf path is joined again and again, with a growing delay up to this, in ms. */
const MAX_REJOIN_DELAY = 60_000

/** The state of one shared path. All times are monotonic ms. */
interface PathState {
  /** When the path came into use, or was last heard again after it was deaf. */
  since: number
  lastEcho: number | undefined
  /** The number of beats sent since then. */
  unheard: number
  isDeaf: boolean
  rejoinAt: number
  rejoinDelay: number
}

/**
 * Notices when this peer no longer receives its own multicast or broadcast. Every shared path delivers the beats of a
 * sender also to the sender itself. If the beats stop coming back, the path has lost its group membership, and the socket
 * must join the group again.
 */
export class LoopbackMonitor {
  readonly #interfaces = new Map<string, Map<SharedPath, PathState>>()
  readonly #notice: (notice: Notice) => void

  constructor(notice: (notice: Notice) => void) {
    this.#notice = notice
  }

  setInterfaces(interfaces: readonly Interface[], now: number): void {
    const names = new Set(interfaces.map(({ name }) => name))
    for (const name of this.#interfaces.keys()) if (!names.has(name)) this.#interfaces.delete(name)
    for (const { name, paths } of interfaces) {
      const before = this.#interfaces.get(name)
      const states = new Map<SharedPath, PathState>()
      for (const path of paths) states.set(path, before?.get(path) ?? newState(now))
      this.#interfaces.set(name, states)
    }
  }

  /** Notes that a beat of this peer came back. */
  echo(name: string, path: SharedPath, now: number): void {
    const state = this.#interfaces.get(name)?.get(path)
    if (!state) return
    state.lastEcho = now
    state.unheard = 0
    if (!state.isDeaf) return
    Object.assign(state, { ...newState(now), lastEcho: now })
    this.#notice({ type: 'loopback-restored', interface: name, path })
  }

  /** The paths to join again now. Must be called before each beat. `interval` is this peer's own beat interval, in ms. */
  takeDeafPaths(interval: number, now: number): SharedPathOnInterface[] {
    const deaf: SharedPathOnInterface[] = []
    const timeout = Math.max(DEAF_AFTER, DEAF_INTERVALS * interval)
    for (const [name, states] of this.#interfaces) {
      for (const [path, state] of states) {
        const isSilent = state.unheard >= DEAF_BEATS && now - Math.max(state.since, state.lastEcho ?? 0) >= timeout
        state.unheard++
        if (!isSilent || now < state.rejoinAt) continue
        if (!state.isDeaf) this.#notice({ type: 'loopback-lost', interface: name, path })
        state.isDeaf = true
        state.rejoinDelay = Math.min(Math.max(timeout, state.rejoinDelay * 2), MAX_REJOIN_DELAY)
        state.rejoinAt = now + state.rejoinDelay
        deaf.push({ interface: name, path })
      }
    }
    return deaf
  }

  view(name: string): { path: SharedPath; lastHeard: number | undefined; deaf: boolean }[] {
    const states = this.#interfaces.get(name) ?? []
    return [...states].map(([path, { lastEcho, isDeaf }]) => ({ path, lastHeard: lastEcho, deaf: isDeaf }))
  }
}

function newState(now: number): PathState {
  return { since: now, lastEcho: undefined, unheard: 0, isDeaf: false, rejoinAt: 0, rejoinDelay: 0 }
}
