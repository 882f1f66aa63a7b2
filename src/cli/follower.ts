import type { DaemonEvent, Peer } from '../client/index.ts'
import { differences } from './peer-change.ts'

/** Avahi's signs: new, changed, suspect, gone; and the end of the present state. */
export type Sign = '+' | '~' | '?' | '-' | ':'

/** One line of `watch`. */
export interface WatchLine {
  sign: Sign
  /** ISO 8601. */
  at: string
  /** Undefined for `:`. */
  peer?: Peer
  /** What changed, in a few words; empty when the sign says it all. */
  change: string
}

/**
 * Turns the daemon's events into the lines of `watch`, whole across gaps and restarts of the daemon: what is told again is
 * compared with what was told before, so a reader who adds and removes by the signs always holds the present.
 */
export class Follower {
  /** Whether a peer is one that was asked for; its services may come to differ. */
  readonly #wanted: (peer: Peer) => boolean
  readonly #known = new Map<string, Peer>()
  /** The ids told since the state began to be told; undefined when only changes are told. */
  #told: Set<string> | undefined
  #opened = false

  constructor(wanted: (peer: Peer) => boolean = () => true) {
    this.#wanted = wanted
  }

  /** The lines that this event gives: none when it tells what was known. */
  lines(event: DaemonEvent): WatchLine[] {
    switch (event.type) {
      case 'gap':
        this.#told = new Set()
        return []
      case 'sync':
        return this.#sync(event.at)
      case 'peer':
        this.#told ??= new Set()
        this.#told.add(event.peer.id)
        return this.#present(event.peer, event.at)
      case 'peer-suspect':
        return this.#suspect(event.peer, event.at)
      case 'peer-failed':
      case 'peer-left':
        return this.#gone(event.peer, event.at, '')
      default:
        this.#told?.add(event.peer.id)
        return this.#present(event.peer, event.at)
    }
  }

  #present(peer: Peer, at: string): WatchLine[] {
    const before = this.#known.get(peer.id)
    if (!this.#wanted(peer)) return before ? this.#gone(peer, at, differences(before, peer)) : []
    this.#known.set(peer.id, peer)
    if (!before) return [{ sign: '+', at, peer, change: '' }]
    const change = differences(before, peer)
    return change === '' ? [] : [{ sign: '~', at, peer, change }]
  }

  #suspect(peer: Peer, at: string): WatchLine[] {
    this.#known.set(peer.id, peer)
    this.#told?.add(peer.id)
    return [{ sign: '?', at, peer, change: '' }]
  }

  #gone(peer: Peer, at: string, change: string): WatchLine[] {
    return this.#known.delete(peer.id) ? [{ sign: '-', at, peer, change }] : []
  }

  #sync(at: string): WatchLine[] {
    const missing = this.#told ? [...this.#known.values()].filter(({ id }) => !this.#told?.has(id)) : []
    this.#told = undefined
    const lines = missing.flatMap((peer) => this.#gone(peer, at, 'no longer there'))
    if (this.#opened) return lines
    this.#opened = true
    return [...lines, { sign: ':', at, change: '' }]
  }
}
