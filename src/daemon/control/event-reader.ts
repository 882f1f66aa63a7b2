import type { ServerResponse } from 'node:http'
import { isReported } from '../../core/presence/peers/journal.ts'
import type { Change, PeerView, ReportedChange } from '../../core/presence/peers/types.ts'
import { isPresent } from '../../shared/peer-state.ts'
import { type EventText, KEEP_ALIVE, OPENING } from './event-text.ts'
import type { PeerTest } from './filter.ts'
import type { Station } from './station.ts'

/** Where a reader begins: with what comes, with the present state, after a change it has seen, or after one long gone. */
export type Beginning = 'now' | 'state' | 'gap' | { after: number }

export interface ReaderOptions {
  beginning: Beginning
  /** Which peers it wants to hear of; everyone when undefined. */
  test: PeerTest | undefined
  /** Whether it wants to hear of the daemon's own peer as well. */
  withOwn: boolean
}

/** Small events are joined up to this many bytes, so that a burst is a few writes. */
const WRITE_BYTES = 16 * 1024
/** Ids of peers remembered for a filtered reader before those that the registry has forgotten are looked for. */
const MOST_TOLD = 32_768

/**
 * One reader of events: a cursor into the registry's journal, and no queue.
 *
 * It writes while the connection takes it, stops when that is full, and goes on from the cursor when it has drained. What the
 * reader has not taken is therefore kept only once for all, in the journal. When the journal no longer reaches back to the
 * cursor, the reader is told of the gap and is given the present state.
 *
 * The state is told peer by peer, each as it stands when it is written, and changes that happen meanwhile are told before
 * going on: so a reader that needs long for the state holds no old views, and never sees a peer go back in time.
 */
export class EventReader {
  readonly #out: ServerResponse
  readonly #station: Station
  readonly #text: EventText
  readonly #test: PeerTest | undefined
  readonly #withOwn: boolean
  /** Index of the last change written or passed over; undefined when that is not in the journal. */
  #cursor: number | undefined
  /** The ids still to be told as the present state, the next one last; undefined when it is not under way. */
  #untold: string[] | undefined
  #ownId: string | undefined
  #synced = false
  /** The peers that passed the test when last told: the change that ends it for one of them must be told as well. */
  #told = new Set<string>()
  /** The last change of a peer that was met, and whether it was told: what it means for the peer's services goes the same way. */
  #judged: { peer: PeerView; isWanted: boolean } | undefined
  /** Up to this change nothing is known of what an earlier connection was told. */
  readonly #tellAllUpdatesUpTo: number
  #gathered: Buffer[] = [OPENING]
  #gatheredBytes = OPENING.length
  /** Monotonic ms; undefined while the connection takes more. */
  #blockedSince: number | undefined

  constructor(out: ServerResponse, station: Station, text: EventText, { beginning, test, withOwn }: ReaderOptions) {
    this.#out = out
    this.#station = station
    this.#text = text
    this.#test = test
    this.#withOwn = withOwn
    const { index } = station.reader
    const resumes = typeof beginning === 'object'
    this.#cursor = beginning === 'gap' ? undefined : resumes ? beginning.after : index
    this.#tellAllUpdatesUpTo = resumes ? index : 0
    if (beginning === 'state') this.#beginState()
    else if (test) this.#remember()
    out.on('drain', () => {
      this.#blockedSince = undefined
      this.advance()
    })
  }

  /** Writes what has come since the cursor, as far as the connection takes it. */
  advance(): void {
    if (this.#blockedSince !== undefined || this.#out.writableEnded) return
    if (this.#tellChanges() && this.#tellState() && this.#tellSync()) this.#flush()
  }

  /** To be called now and then: shows life on a quiet connection, and cuts off a reader that has stopped reading for good. */
  keepAlive(cutOffMs: number): void {
    if (this.#blockedSince === undefined) {
      if (this.#told.size > MOST_TOLD) this.#remember()
      this.#put(KEEP_ALIVE)
      this.#flush()
    } else if (this.#station.now() - this.#blockedSince >= cutOffMs && this.#newChanges() === undefined) {
      this.#out.destroy()
    }
  }

  /** Writes the last changes and ends; a reader that is not reading is cut off. */
  end(): void {
    this.advance()
    if (this.#blockedSince === undefined) this.#out.end()
    else this.#out.destroy()
  }

  #newChanges(): readonly Change[] | undefined {
    return this.#cursor === undefined ? undefined : this.#station.reader.changesSince(this.#cursor)
  }

  // Each of these returns false when the connection is full: what remains is told when it has drained.

  #tellChanges(): boolean {
    const changes = this.#newChanges()
    if (!changes) {
      this.#beginState()
      return this.#put(this.#text.gap())
    }
    for (const change of changes) {
      this.#cursor = change.index
      if ((change.own && !this.#withOwn) || !isReported(change) || !this.#wants(change)) continue
      const text = this.#untold ? this.#text.changeWithoutId(change) : this.#text.change(change)
      if (!this.#put(text)) return false
    }
    return true
  }

  #tellState(): boolean {
    for (let id = this.#untold?.pop(); id !== undefined; id = this.#untold?.pop()) {
      const view = id === this.#ownId ? this.#own() : this.#station.reader.get(id)
      if (view && isPresent(view) && (this.#test?.(view) ?? true) && !this.#put(this.#text.peer(view))) return false
    }
    this.#untold = undefined
    return true
  }

  #tellSync(): boolean {
    if (this.#synced) return true
    this.#synced = true
    return this.#put(this.#text.sync())
  }

  #beginState(): void {
    this.#cursor = this.#station.reader.index
    this.#synced = false
    this.#untold = this.#remember()
      .filter(isPresent)
      .map(({ id }) => id)
      .reverse()
  }

  /** Notes which peers pass the test now, and returns them. */
  #remember(): PeerView[] {
    const own = this.#own()
    this.#ownId = own?.id
    const peers = [...(own ? [own] : []), ...this.#station.reader.peers()]
    if (!this.#test) return peers
    const wanted = peers.filter(this.#test)
    this.#told = new Set(wanted.map(({ id }) => id))
    return wanted
  }

  #own(): PeerView | undefined {
    return this.#withOwn ? this.#station.reader.ownPeer(this.#station.now()) : undefined
  }

  /** Whether a change is told: its peer passes the test, or this is the change by which it no longer does. */
  #wants(change: ReportedChange): boolean {
    if (!this.#test) return true
    if (!('service' in change)) {
      this.#judged = { peer: change.peer, isWanted: this.#wantsPeer(change, this.#test) }
    } else if (this.#judged?.peer !== change.peer) {
      // The reader begins between a change and what it means for the services: with this one, the peer may have passed.
      const { peer, service } = change
      return this.#test(peer) || this.#test({ ...peer, services: [...peer.services, service] })
    }
    return this.#judged.isWanted
  }

  #wantsPeer({ index, type, peer }: ReportedChange, test: PeerTest): boolean {
    if (test(peer)) {
      this.#told.add(peer.id)
      return true
    }
    return this.#told.delete(peer.id) || (type === 'peer-update' && index <= this.#tellAllUpdatesUpTo)
  }

  #put(text: Buffer): boolean {
    this.#gathered.push(text)
    this.#gatheredBytes += text.length
    return this.#gatheredBytes < WRITE_BYTES || this.#flush()
  }

  #flush(): boolean {
    if (this.#gathered.length === 0) return true
    const [first, ...more] = this.#gathered
    const taken = this.#out.write(first && more.length === 0 ? first : Buffer.concat(this.#gathered))
    this.#gathered = []
    this.#gatheredBytes = 0
    if (!taken) this.#blockedSince = this.#station.now()
    return taken
  }
}
