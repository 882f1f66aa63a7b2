import type { ServerResponse } from 'node:http'
import type { ChangeType, PeerView, PresenceReader } from '../../core/presence/peers/types.ts'
import { TooManyQueries } from '../../shared/errors.ts'
import { gathered } from './gathered.ts'
import type { Station } from './station.ts'

export interface QueriesOptions {
  /** Queries that wait at the same time, on both transports together. */
  most: number
  /** As many of them may be on loopback, which is open to every user of this machine. */
  mostOnLoopback: number
}

export const QUERIES: QueriesOptions = { most: 2048, mostOnLoopback: 1024 }

/** Whether a peer's change, from one view to the next, changes what a query is answered. */
export type Concerns = (before: PeerView | undefined, after: PeerView) => boolean

export interface Blocked {
  /** Queries of one name ask the same: what concerns one of them is found out once for all. */
  query: string
  /** Whether the daemon's own peer is in the answer. */
  withOwn: boolean
  concerns: Concerns
  /** Index of the answer that its reader holds. */
  after: number
  /** How long it waits, ms. */
  wait: number
  out: ServerResponse
  onLoopback: boolean
}

interface Group {
  withOwn: boolean
  concerns: Concerns
  /** Nothing that concerns it has changed since this index. */
  since: number
  /** The peers that are in the answer, or may be; undefined when they are many. */
  ids: Set<string> | undefined
  enders: Set<(outcome: Outcome) => void>
}

/** How a wait has ended: nobody is there any more, or an answer is to be made; of these peers alone, if `index` is still so. */
export type Outcome = { isThere: false } | { isThere: true; index: number; ids: ReadonlySet<string> | undefined }

/** The peers of so short an answer are remembered, and need not be looked for among all when it has changed. */
const FEW = 64
/** How far back in the journal a peer's former view is looked for. */
const LOOK_BACK = 1024
/** Peers held before those that the registry has forgotten are let go. */
const MOST_TOLD = 32_768

/**
 * Queries that wait for a change that concerns them. Each holds its connection and its filter; what the peers were like
 * before the next change is held once for all, and only while somebody waits.
 */
export class BlockedQueries {
  readonly #station: Station
  readonly #reader: PresenceReader
  readonly #options: QueriesOptions
  readonly #groups = new Map<string, Group>()
  readonly #stopListening: () => void
  /** Every peer by id, as it was at `#index`. */
  #told = new Map<string, PeerView>()
  #ownId = ''
  #index = 0
  #waiting = 0
  #onLoopback = 0

  constructor(station: Station, options: QueriesOptions) {
    this.#station = station
    this.#reader = station.reader
    this.#options = options
    this.#stopListening = station.onChange(gathered(() => this.#advance()))
  }

  /**
   * Waits for a change that concerns the query, for time to be up or for the end of the daemon.
   * @throws TooManyQueries
   */
  async untilChanged(blocked: Blocked): Promise<Outcome> {
    this.#advance()
    if (blocked.out.destroyed) return { isThere: false }
    if (this.#hasChanged(blocked)) return { isThere: true, index: this.#reader.index, ids: undefined }
    const { most, mostOnLoopback } = this.#options
    if (this.#waiting >= most) throw new TooManyQueries(most)
    if (blocked.onLoopback && this.#onLoopback >= mostOnLoopback) throw new TooManyQueries(mostOnLoopback)
    return await new Promise((resolve) => this.#add(blocked, resolve))
  }

  /** Lets all of them be answered. */
  close(): void {
    this.#stopListening()
    for (const [query, group] of this.#groups) this.#end(query, group, group.ids)
  }

  #add({ query, withOwn, concerns, wait, out, onLoopback }: Blocked, resolve: (outcome: Outcome) => void): void {
    if (this.#waiting === 0) this.#hold()
    const group = this.#groups.get(query) ?? this.#begin(query, withOwn, concerns)
    this.#waiting++
    this.#onLoopback += Number(onLoopback)
    const end = (outcome: Outcome) => {
      clearTimeout(impatience)
      out.off('close', leave)
      group.enders.delete(end)
      if (group.enders.size === 0 && this.#groups.get(query) === group) this.#groups.delete(query)
      this.#waiting--
      this.#onLoopback -= Number(onLoopback)
      if (this.#waiting === 0) this.#told = new Map()
      resolve(outcome)
    }
    const leave = () => end({ isThere: false })
    const impatience = setTimeout(() => end({ isThere: true, index: this.#index, ids: group.ids }), wait)
    out.once('close', leave)
    group.enders.add(end)
  }

  #begin(query: string, withOwn: boolean, concerns: Concerns): Group {
    const group: Group = { withOwn, concerns, since: this.#index, ids: new Set(), enders: new Set() }
    for (const view of this.#told.values()) {
      if (!group.ids) break
      // The own peer is added to every answer that it belongs to.
      if (view.id !== this.#ownId && concerns(undefined, view)) note(group, view)
    }
    this.#groups.set(query, group)
    return group
  }

  #advance(): void {
    if (this.#waiting === 0 || this.#index === this.#reader.index) return
    const changes = this.#reader.changesSince(this.#index)
    this.#index = this.#reader.index
    if (!changes) {
      for (const [query, group] of this.#groups) this.#end(query, group, undefined)
      return
    }
    const concerned = new Map<string, Group>()
    for (const { type, peer, own = false } of changes) {
      const before = this.#told.get(peer.id)
      if (type === 'peer-forgotten') this.#told.delete(peer.id)
      else this.#told.set(peer.id, peer)
      // What a change means for a peer's services comes with the same view as the change.
      if (before === peer) continue
      for (const [query, group] of this.#groups) {
        if ((own && !group.withOwn) || !isConcerned(group.concerns, type, before, peer)) continue
        concerned.set(query, group)
        if (!own) note(group, peer)
      }
    }
    for (const [query, group] of concerned) this.#end(query, group, group.ids)
    if (this.#told.size > MOST_TOLD) this.#hold()
  }

  #hold(): void {
    this.#index = this.#reader.index
    const own = this.#reader.ownPeer(this.#station.now())
    this.#ownId = own.id
    this.#told = new Map([own, ...this.#reader.peers()].map((view) => [view.id, view]))
  }

  #end(query: string, { enders }: Group, ids: Group['ids']): void {
    this.#groups.delete(query)
    for (const end of enders) end({ isThere: true, index: this.#index, ids })
  }

  /** Whether what concerns the query has changed after its index; when the journal cannot tell, it may have. */
  #hasChanged({ query, withOwn, concerns, after }: Blocked): boolean {
    if (after === this.#reader.index) return false
    const group = this.#groups.get(query)
    if (group && group.since <= after) return false
    const changes = this.#reader.changesSince(Math.max(0, after - LOOK_BACK)) ?? this.#reader.changesSince(after)
    if (!changes) return true
    const held = new Map<string, PeerView>()
    return changes.some(({ index, type, peer, own = false }) => {
      if (own && !withOwn) return false
      const before = held.get(peer.id)
      if (type === 'peer-forgotten') held.delete(peer.id)
      else held.set(peer.id, peer)
      if (index <= after || before === peer) return false
      return before || after === 0 ? isConcerned(concerns, type, before, peer) : true
    })
  }
}

/** Whether this changes the answer; of one that is no longer held: whether it was in it. */
function isConcerned(concerns: Concerns, type: ChangeType, before: PeerView | undefined, after: PeerView): boolean {
  return concerns(type === 'peer-forgotten' ? undefined : before, after)
}

function note(group: Group, { id }: PeerView): void {
  group.ids?.add(id)
  if (group.ids && group.ids.size > FEW) group.ids = undefined
}
