import type { PeerView, PresenceReader } from '../../core/presence/peers/types.ts'
import type { LoopTurns } from './loop-turns.ts'

/**
 * All peers but the daemon's own, as they are at one moment. They are read in several turns of the event loop, because there
 * may be thousands. Those that the journal says have changed in the meantime are then read again.
 */
export class PeerSnapshot {
  readonly #presence: PresenceReader
  readonly #begin: number
  readonly #unread: Iterator<PeerView>
  readonly #peers = new Map<string, PeerView>()

  constructor(presence: PresenceReader) {
    this.#presence = presence
    this.#begin = presence.index
    this.#unread = presence.eachPeer()[Symbol.iterator]()
  }

  /** Reads on until the turn is over. Returns all peers when they are read: as they are now. Otherwise undefined. */
  read(turns: LoopTurns): PeerView[] | undefined {
    for (let each = this.#unread.next(); !each.done; each = this.#unread.next()) {
      this.#peers.set(each.value.id, each.value)
      if (turns.isOver()) return undefined
    }
    const changes = this.#presence.changesSince(this.#begin)
    if (!changes) return this.#presence.peers()
    // A host found by mDNS may have left the list after any of its changes, so the changes only tell which peers to read again.
    for (const id of new Set(changes.flatMap(({ peer, own }) => (own ? [] : peer.id)))) {
      const view = this.#presence.get(id)
      if (view) this.#peers.set(id, view)
      else this.#peers.delete(id)
    }
    return [...this.#peers.values()]
  }
}
