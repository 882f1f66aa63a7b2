import type { ServerResponse } from 'node:http'
import { isReported } from '../../core/presence/peers/journal.ts'
import type { Change, PeerView, ReportedChange } from '../../core/presence/peers/types.ts'
import { TooManyReaders } from '../../shared/errors.ts'
import { isPresent } from '../../shared/peer-state.ts'
import type { ControlDependencies } from './context.ts'
import type { PeerTest } from './peer-filter.ts'
import { KEEP_ALIVE, RETRY, SseFormat } from './sse-format.ts'

export interface EventStreamLimits {
  /** The maximum number of streams on both transports together. */
  max: number
  /** The maximum on loopback, which all users of this machine can use. */
  maxOnLoopback: number
  /** The interval between keep-alive comments, ms. */
  keepAliveMs: number
  /** A client that has not read for this long, and has missed changes, is disconnected, ms. */
  cutOffMs: number
  /** A filtered stream reads its peers again when it remembers more: by then they include peers that the registry forgot. */
  maxRememberedIds: number
}

export const DEFAULT_EVENT_STREAM_LIMITS: EventStreamLimits = {
  max: 1024,
  maxOnLoopback: 768,
  keepAliveMs: 15_000,
  cutOffMs: 30_000,
  maxRememberedIds: 32_768,
}

/**
 * What a stream begins with: changes from now on, the present state, the changes after an index, or a `gap` and the
 * present state.
 */
export type StreamStart = 'now' | 'state' | 'gap' | { after: number }

interface EventStreamOptions {
  start: StreamStart
  /** Which peers the client wants. Undefined: all. */
  test: PeerTest | undefined
  /** Whether the client wants the daemon's own peer as well. */
  withOwn: boolean
}

/** All open event streams. */
export class EventStreams {
  readonly #deps: ControlDependencies
  readonly #limits: EventStreamLimits
  readonly #format: SseFormat
  readonly #streams = new Set<EventStream>()
  readonly #timer: NodeJS.Timeout
  #onLoopback = 0

  constructor(deps: ControlDependencies, limits: EventStreamLimits) {
    this.#deps = deps
    this.#limits = limits
    this.#format = new SseFormat(deps)
    this.#timer = setInterval(() => {
      for (const stream of this.#streams) stream.keepAlive(limits)
    }, limits.keepAliveMs).unref()
  }

  /** @throws TooManyReaders if the limit is reached */
  throwIfFull(onLoopback: boolean): void {
    const { max, maxOnLoopback } = this.#limits
    if (this.#streams.size >= max) throw new TooManyReaders(max)
    if (onLoopback && this.#onLoopback >= maxOnLoopback) throw new TooManyReaders(maxOnLoopback)
  }

  /** Starts a stream on a response whose head was written. It lasts until either side ends it. */
  add(out: ServerResponse, onLoopback: boolean, options: EventStreamOptions): void {
    const stream = new EventStream(out, this.#deps, this.#format, options)
    this.#streams.add(stream)
    this.#onLoopback += Number(onLoopback)
    out.once('close', () => {
      this.#streams.delete(stream)
      this.#onLoopback -= Number(onLoopback)
    })
    // The client may disconnect during a write. The event 'close' follows.
    out.on('error', () => {})
    stream.advance()
  }

  /** Writes the new changes to all streams. */
  advance(): void {
    for (const stream of this.#streams) stream.advance()
  }

  /** Writes the last changes to all streams, and ends them. */
  close(): void {
    clearInterval(this.#timer)
    for (const stream of this.#streams) stream.end()
  }
}

/** Small events are combined up to this many bytes, so that a burst needs few writes. */
const WRITE_BYTES = 16 * 1024

/**
 * One event stream: a cursor into the registry's journal, without a queue of its own.
 *
 * The stream writes until the connection is full, and continues at its cursor when the connection has drained. What the
 * client has not read yet is therefore in memory once for all clients, in the journal. If the journal no longer reaches
 * back to the cursor, the client gets a `gap` and the present state.
 *
 * The present state is written peer by peer, with each peer as it is at that time. Changes in between are written before
 * the next peer. Thus a slow client needs no copy of old views, and never gets an older view after a newer one.
 */
class EventStream {
  readonly #out: ServerResponse
  readonly #deps: ControlDependencies
  readonly #format: SseFormat
  readonly #test: PeerTest | undefined
  readonly #withOwn: boolean
  /** The index of the last change that was written or skipped. Undefined if the journal does not have it. */
  #cursor: number | undefined
  /** The ids of the peers of the present state that are not written yet, in reverse order. Undefined if it is complete. */
  #unsentIds: string[] | undefined
  #ownId: string | undefined
  #isSynced = false
  /** The peers that matched the filter when last written. The change after which a peer no longer matches is written too. */
  #matching = new Set<string>()
  /** The last change of a peer, and whether it was wanted. The changes of its services that follow are treated the same. */
  #lastPeerChange: { peer: PeerView; isWanted: boolean } | undefined
  /** Up to this index it is unknown which peers matched on the earlier connection, so all updates are written. */
  readonly #writeAllUpdatesUpTo: number
  #buffered: Buffer[] = [RETRY]
  #bufferedBytes = RETRY.length
  /** Monotonic ms. Undefined while the connection takes more. */
  #blockedSince: number | undefined

  constructor(
    out: ServerResponse,
    deps: ControlDependencies,
    format: SseFormat,
    { start, test, withOwn }: EventStreamOptions,
  ) {
    this.#out = out
    this.#deps = deps
    this.#format = format
    this.#test = test
    this.#withOwn = withOwn
    const { index } = deps.presence
    const resumes = typeof start === 'object'
    this.#cursor = start === 'gap' ? undefined : resumes ? start.after : index
    this.#writeAllUpdatesUpTo = resumes ? index : 0
    if (start === 'state') this.#startState()
    else if (test) this.#readMatchingPeers()
    out.on('drain', () => {
      this.#blockedSince = undefined
      this.advance()
    })
  }

  /** Writes everything after the cursor that the connection takes. */
  advance(): void {
    if (this.#blockedSince !== undefined || this.#out.writableEnded) return
    if (this.#writeChanges() && this.#writeState() && this.#writeSync()) this.#flush()
  }

  /** Writes a keep-alive comment. Disconnects a client that has not read for `cutOffMs` and has missed changes. */
  keepAlive({ cutOffMs, maxRememberedIds }: EventStreamLimits): void {
    if (this.#blockedSince === undefined) {
      if (this.#matching.size > maxRememberedIds) this.#readMatchingPeers()
      this.#write(KEEP_ALIVE)
      this.#flush()
    } else if (this.#deps.now() - this.#blockedSince >= cutOffMs && this.#newChanges() === undefined) {
      this.#out.destroy()
    }
  }

  /** Writes the last changes, and ends the stream. Disconnects a client that does not read. */
  end(): void {
    this.advance()
    if (this.#blockedSince === undefined) this.#out.end()
    else this.#out.destroy()
  }

  #newChanges(): readonly Change[] | undefined {
    return this.#cursor === undefined ? undefined : this.#deps.presence.changesSince(this.#cursor)
  }

  // Each of the following methods returns false if the connection is full. The rest is written when it has drained.

  #writeChanges(): boolean {
    const changes = this.#newChanges()
    if (!changes) {
      this.#startState()
      return this.#write(this.#format.gap())
    }
    for (const change of changes) {
      this.#cursor = change.index
      if ((change.own && !this.#withOwn) || !isReported(change) || !this.#isWanted(change)) continue
      if (!this.#write(this.#unsentIds ? this.#format.changeWithoutId(change) : this.#format.change(change)))
        return false
    }
    return true
  }

  #writeState(): boolean {
    for (let id = this.#unsentIds?.pop(); id !== undefined; id = this.#unsentIds?.pop()) {
      const view = id === this.#ownId ? this.#ownPeer() : this.#deps.presence.get(id)
      if (view && isPresent(view) && (this.#test?.(view) ?? true) && !this.#write(this.#format.peer(view))) return false
    }
    this.#unsentIds = undefined
    return true
  }

  #writeSync(): boolean {
    if (this.#isSynced) return true
    this.#isSynced = true
    return this.#write(this.#format.sync())
  }

  #startState(): void {
    this.#cursor = this.#deps.presence.index
    this.#isSynced = false
    this.#unsentIds = this.#readMatchingPeers()
      .filter(isPresent)
      .map(({ id }) => id)
      .reverse()
  }

  /** Returns the peers that match the filter now, and remembers their ids. */
  #readMatchingPeers(): PeerView[] {
    const own = this.#ownPeer()
    this.#ownId = own?.id
    const peers = [...(own ? [own] : []), ...this.#deps.presence.peers()]
    if (!this.#test) return peers
    const matching = peers.filter(this.#test)
    this.#matching = new Set(matching.map(({ id }) => id))
    return matching
  }

  #ownPeer(): PeerView | undefined {
    return this.#withOwn ? this.#deps.presence.ownPeer(this.#deps.now()) : undefined
  }

  /** Whether the peer of a change matches the filter, or did so before the change. */
  #isWanted(change: ReportedChange): boolean {
    if (!this.#test) return true
    if (!('service' in change)) {
      this.#lastPeerChange = { peer: change.peer, isWanted: this.#isPeerWanted(change, this.#test) }
    } else if (this.#lastPeerChange?.peer !== change.peer) {
      // The stream started between the change of the peer and this one. The peer may have matched because of the service.
      const { peer, service } = change
      return this.#test(peer) || this.#test({ ...peer, services: [...peer.services, service] })
    }
    return this.#lastPeerChange.isWanted
  }

  #isPeerWanted({ index, type, peer }: ReportedChange, test: PeerTest): boolean {
    if (test(peer)) {
      this.#matching.add(peer.id)
      return true
    }
    return this.#matching.delete(peer.id) || (type === 'peer-update' && index <= this.#writeAllUpdatesUpTo)
  }

  #write(bytes: Buffer): boolean {
    this.#buffered.push(bytes)
    this.#bufferedBytes += bytes.length
    return this.#bufferedBytes < WRITE_BYTES || this.#flush()
  }

  #flush(): boolean {
    if (this.#buffered.length === 0) return true
    const [first, ...more] = this.#buffered
    const isTaken = this.#out.write(first && more.length === 0 ? first : Buffer.concat(this.#buffered))
    this.#buffered = []
    this.#bufferedBytes = 0
    if (!isTaken) this.#blockedSince = this.#deps.now()
    return isTaken
  }
}
