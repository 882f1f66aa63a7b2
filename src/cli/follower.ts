import type { Change, Peer, Synced } from '../client/index.ts'
import { isPresent } from '../shared/peer-state.ts'
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

/** Turns what is told of peers into the lines of `watch`: one who adds and removes by the signs always holds the present. */
export class Follower {
  readonly #known = new Map<string, Peer>()

  /** The line that this gives; undefined when it says nothing that people care about. */
  line(told: Change | Synced): WatchLine | undefined {
    const { type, at } = told
    if (type === 'sync') return { sign: ':', at, change: '' }
    // What a change means for single services is in the line of the peer already.
    if ('service' in told) return undefined
    const { peer, present } = told
    const before = this.#known.get(peer.id)
    if (present) this.#known.set(peer.id, peer)
    else this.#known.delete(peer.id)
    if (!present) return { sign: '-', at, peer, change: !isPresent(peer) || !before ? '' : differences(before, peer) }
    if (!before) return { sign: '+', at, peer, change: '' }
    if (type === 'peer-suspect') {
      // The sign tells the state; what else has changed is told as always.
      return { sign: '?', at, peer, change: differences({ ...before, state: peer.state }, peer) }
    }
    const change = differences(before, peer)
    return change === '' ? undefined : { sign: '~', at, peer, change }
  }
}
