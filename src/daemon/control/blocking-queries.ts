import type { ServerResponse } from 'node:http'
import type { ChangeType, PeerView, PresenceReader } from '../../core/presence/peers/types.ts'
import { TooManyQueries } from '../../shared/errors.ts'
import type { ControlDependencies } from './context.ts'

export interface BlockingQueryLimits {
  /** The maximum number of waiting queries on both transports together. */
  max: number
  /** The maximum on loopback, which all users of this machine can use. */
  maxOnLoopback: number
  /** The peers as of the last change are read again when there are more: by then they include peers that the registry forgot. */
  maxKnownPeers: number
}

export const DEFAULT_BLOCKING_QUERY_LIMITS: BlockingQueryLimits = {
  max: 2048,
  maxOnLoopback: 1024,
  maxKnownPeers: 32_768,
}

/** Whether the change of a peer from one view to the next changes the answer to a query. */
export type ChangeTest = (before: PeerView | undefined, after: PeerView) => boolean

interface BlockingQuery {
  /** Identifies the query: queries with the same text are tested once for all. */
  query: string
  /** Whether the answer includes the daemon's own peer. */
  withOwn: boolean
  affects: ChangeTest
  /** The index of the answer that the client has. */
  after: number
  /** In ms. */
  timeout: number
  out: ServerResponse
  onLoopback: boolean
}

/**
 * How a wait ended. Either the client has disconnected, or the answer is due. If `ids` is set and the registry is still at
 * `index`, all peers in the answer are among these.
 */
export type QueryOutcome = 'disconnected' | { index: number; ids: ReadonlySet<string> | undefined }

/** The waiting queries with the same text. */
interface QueryGroup {
  withOwn: boolean
  affects: ChangeTest
  /** No change after this index affects the group. */
  since: number
  /** The ids of all peers that the answer may contain. Undefined if they are too many. */
  ids: Set<string> | undefined
  enders: Set<(outcome: QueryOutcome) => void>
}

/** Up to this many peers, a group knows which peers its answer may contain, and need not filter all peers. */
const MAX_GROUP_IDS = 64
/** To find the view of a peer before a change, this many older changes are read from the journal. */
const LOOK_BACK = 1024

/**
 * The queries that wait for a change of their answer. A waiting query holds little more than its connection: queries with
 * the same text share one filter. All share one copy of the views of all peers, which is kept while at least one query waits.
 */
export class BlockingQueries {
  readonly #deps: ControlDependencies
  readonly #presence: PresenceReader
  readonly #limits: BlockingQueryLimits
  readonly #groups = new Map<string, QueryGroup>()
  /** All peers by id, as of `#index`. */
  #known = new Map<string, PeerView>()
  #ownId = ''
  #index = 0
  #waiting = 0
  #waitingOnLoopback = 0

  constructor(deps: ControlDependencies, limits: BlockingQueryLimits) {
    this.#deps = deps
    this.#presence = deps.presence
    this.#limits = limits
  }

  /**
   * Waits for a change of the answer, for the timeout, for the client to disconnect, or for `close`.
   * @throws TooManyQueries
   */
  async untilChanged(query: BlockingQuery): Promise<QueryOutcome> {
    this.advance()
    if (query.out.destroyed) return 'disconnected'
    if (this.#hasChanged(query)) return { index: this.#presence.index, ids: undefined }
    const { max, maxOnLoopback } = this.#limits
    if (this.#waiting >= max) throw new TooManyQueries(max)
    if (query.onLoopback && this.#waitingOnLoopback >= maxOnLoopback) throw new TooManyQueries(maxOnLoopback)
    return await new Promise((resolve) => this.#add(query, resolve))
  }

  /** Reads the new changes, and answers the queries that they affect. */
  advance(): void {
    if (this.#waiting === 0 || this.#index === this.#presence.index) return
    const changes = this.#presence.changesSince(this.#index)
    this.#index = this.#presence.index
    if (!changes) {
      for (const [query, group] of this.#groups) this.#end(query, group, undefined)
      return
    }
    const affected = new Map<string, QueryGroup>()
    for (const { type, peer, own = false } of changes) {
      const before = this.#known.get(peer.id)
      if (type === 'peer-forgotten') this.#known.delete(peer.id)
      else this.#known.set(peer.id, peer)
      // The changes of services have the same view as the change of their peer, which comes before them.
      if (before === peer) continue
      for (const [query, group] of this.#groups) {
        if ((own && !group.withOwn) || !affectsAnswer(group.affects, type, before, peer)) continue
        affected.set(query, group)
        if (!own) addId(group, peer)
      }
    }
    for (const [query, group] of affected) this.#end(query, group, group.ids)
    if (this.#known.size > this.#limits.maxKnownPeers) this.#readPeers()
  }

  /** Ends the waiting of all queries, so that they are answered. */
  close(): void {
    for (const [query, group] of this.#groups) this.#end(query, group, group.ids)
  }

  #add(
    { query, withOwn, affects, timeout, out, onLoopback }: BlockingQuery,
    resolve: (outcome: QueryOutcome) => void,
  ): void {
    if (this.#waiting === 0) this.#readPeers()
    const group = this.#groups.get(query) ?? this.#addGroup(query, withOwn, affects)
    this.#waiting++
    this.#waitingOnLoopback += Number(onLoopback)
    const end = (outcome: QueryOutcome) => {
      clearTimeout(timer)
      out.off('close', disconnected)
      group.enders.delete(end)
      if (group.enders.size === 0 && this.#groups.get(query) === group) this.#groups.delete(query)
      this.#waiting--
      this.#waitingOnLoopback -= Number(onLoopback)
      if (this.#waiting === 0) this.#known = new Map()
      resolve(outcome)
    }
    const disconnected = () => end('disconnected')
    const timer = setTimeout(() => end({ index: this.#index, ids: group.ids }), timeout)
    out.once('close', disconnected)
    group.enders.add(end)
  }

  #addGroup(query: string, withOwn: boolean, affects: ChangeTest): QueryGroup {
    const group: QueryGroup = { withOwn, affects, since: this.#index, ids: new Set(), enders: new Set() }
    for (const view of this.#known.values()) {
      if (!group.ids) break
      // The own peer is not looked up by its id.
      if (view.id !== this.#ownId && affects(undefined, view)) addId(group, view)
    }
    this.#groups.set(query, group)
    return group
  }

  #readPeers(): void {
    this.#index = this.#presence.index
    const own = this.#presence.ownPeer(this.#deps.now())
    this.#ownId = own.id
    this.#known = new Map([own, ...this.#presence.peers()].map((view) => [view.id, view]))
  }

  #end(query: string, { enders }: QueryGroup, ids: QueryGroup['ids']): void {
    this.#groups.delete(query)
    for (const end of enders) end({ index: this.#index, ids })
  }

  /** Whether the answer may have changed since the index that the client has. True if the journal does not reach back. */
  #hasChanged({ query, withOwn, affects, after }: BlockingQuery): boolean {
    if (after === this.#presence.index) return false
    const group = this.#groups.get(query)
    if (group && group.since <= after) return false
    const changes = this.#presence.changesSince(Math.max(0, after - LOOK_BACK)) ?? this.#presence.changesSince(after)
    if (!changes) return true
    const known = new Map<string, PeerView>()
    return changes.some(({ index, type, peer, own = false }) => {
      if (own && !withOwn) return false
      const before = known.get(peer.id)
      if (type === 'peer-forgotten') known.delete(peer.id)
      else known.set(peer.id, peer)
      if (index <= after || before === peer) return false
      return before || after === 0 ? affectsAnswer(affects, type, before, peer) : true
    })
  }
}

/** Whether a change affects the answer. If the peer is forgotten, whether the answer contained it. */
function affectsAnswer(affects: ChangeTest, type: ChangeType, before: PeerView | undefined, after: PeerView): boolean {
  return affects(type === 'peer-forgotten' ? undefined : before, after)
}

function addId(group: QueryGroup, { id }: PeerView): void {
  group.ids?.add(id)
  if (group.ids && group.ids.size > MAX_GROUP_IDS) group.ids = undefined
}
