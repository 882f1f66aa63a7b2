import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import type { PeerView, PresenceReader } from '../../core/presence/peers/types.ts'
import { BadRequest, TooBusy } from '../../shared/errors.ts'
import { writeJson } from './api-json.ts'
import type { BlockingQueries, ChangeTest, QueryOutcome } from './blocking-queries.ts'
import type { ControlDependencies } from './context.ts'
import { matchesWeakly } from './etags.ts'
import { DEFAULT_WAIT_MS, WAIT_RANGE } from './operations/request-values.ts'
import { isOn, readDuration, readSince } from './request-input.ts'

/** The parameters of all lists, and `hidden` of the list of peers. */
interface ListParameters {
  self?: string | undefined
  since?: string | undefined
  wait?: string | undefined
  hidden?: string | undefined
}

interface ListRequest {
  /** Identifies the query: requests with the same text get the same answer. */
  query: string
  parameters: ListParameters
  /** Whether a change of a peer changes the list. */
  affects: ChangeTest
  /** Builds the list from these peers. */
  list(peers: readonly PeerView[]): object
}

interface ListResponsesOptions {
  deps: ControlDependencies
  queries: BlockingQueries
  isOnSocket(connection: Socket): boolean
}

/** Answers requests for lists: at once, with 304 if nothing has changed, or as a blocking query. */
export class ListResponses {
  readonly #deps: ControlDependencies
  readonly #queries: BlockingQueries
  readonly #isOnSocket: ListResponsesOptions['isOnSocket']
  readonly #cache: ResponseCache
  // Two limits: all users of this machine can use loopback, and must not block those who may use the socket.
  readonly #pendingOnSocket = new PendingBytes()
  readonly #pendingOnLoopback = new PendingBytes()

  constructor({ deps, queries, isOnSocket }: ListResponsesOptions) {
    this.#deps = deps
    this.#queries = queries
    this.#isOnSocket = isOnSocket
    this.#cache = new ResponseCache(deps.presence)
  }

  /** @throws BadRequest, TooBusy, TooManyQueries */
  async send(request: ListRequest, raw: IncomingMessage, reply: FastifyReply): Promise<void> {
    const onSocket = this.#isOnSocket(raw.socket)
    const outcome = await this.#wait(request, reply.raw, !onSocket)
    if (outcome === 'disconnected') return reply.hijack()

    const { presence, epoch } = this.#deps
    const withHidden = isOn(request.parameters.hidden)
    // The index does not count the changes of hidden hosts.
    const etag = withHidden ? undefined : `W/"${epoch}-${presence.index}"`
    let body: Buffer | undefined
    const known = raw.headers['if-none-match']
    if (etag === undefined || known === undefined || !matchesWeakly(known, etag)) {
      const pending = onSocket ? this.#pendingOnSocket : this.#pendingOnLoopback
      pending.throwIfFull()
      body = this.#body(request, outcome.index === presence.index ? outcome.ids : undefined, withHidden)
      pending.add(reply.raw, body)
    }
    reply.header('cache-control', 'no-cache')
    if (etag !== undefined) reply.header('etag', etag)
    if (!body) return reply.code(304).send()
    return reply.header('content-type', 'application/json; charset=utf-8').send(body)
  }

  /** Builds the JSON of a list. If `ids` is set, all peers in the list are among these. */
  #body(request: ListRequest, ids: ReadonlySet<string> | undefined, withHidden: boolean): Buffer {
    const { presence, epoch } = this.#deps
    const withOwn = isOn(request.parameters.self)
    const peers = () => [
      ...(withOwn ? [presence.ownPeer(this.#deps.now())] : []),
      ...(ids ? [...ids].flatMap((id) => presence.get(id) ?? []) : this.#cache.peers()),
    ]
    const build = (views: readonly PeerView[]) => ({ epoch, index: presence.index, ...request.list(views) })
    if (withHidden) return Buffer.from(writeJson(build([...peers(), ...presence.hidden()])))
    return this.#cache.body(queryKey(request), () => build(peers()))
  }

  async #wait(request: ListRequest, out: ServerResponse, onLoopback: boolean): Promise<QueryOutcome> {
    const { parameters, affects } = request
    const timeout = readWait(parameters)
    const since = parameters.since === undefined ? 'elsewhere' : readSince(parameters.since, this.#deps)
    if (since === 'elsewhere') return { index: this.#deps.presence.index, ids: undefined }
    return await this.#queries.untilChanged({
      query: queryKey(request),
      withOwn: isOn(parameters.self),
      affects,
      after: since.after,
      timeout,
      out,
      onLoopback,
    })
  }
}

function queryKey({ query, parameters }: ListRequest): string {
  return isOn(parameters.self) ? `${query} self` : query
}

/** @throws BadRequest */
function readWait({ since, wait }: ListParameters): number {
  if (wait === undefined) return DEFAULT_WAIT_MS
  const ms = readDuration(wait, 'querystring/wait', WAIT_RANGE)
  if (since === undefined) {
    throw new BadRequest('querystring/wait needs querystring/since: the index of the answer to wait for a change of')
  }
  return ms
}

/**
 * Keeps answers for one turn of the event loop: one change may complete a thousand blocking queries, which share one
 * body. The cache is empty in the next turn and after a change, so that it is never out of date.
 */
class ResponseCache {
  readonly #presence: PresenceReader
  readonly #bodies = new Map<string, Buffer>()
  #peers: PeerView[] | undefined
  #index = 0
  #isInUse = false

  constructor(presence: PresenceReader) {
    this.#presence = presence
  }

  /** All peers but the daemon's own. */
  peers(): readonly PeerView[] {
    this.#begin()
    this.#peers ??= this.#presence.peers()
    return this.#peers
  }

  /** The JSON of the answer to a query. `build` is called if it is not in the cache. */
  body(query: string, build: () => object): Buffer {
    this.#begin()
    let body = this.#bodies.get(query)
    if (!body) {
      body = Buffer.from(writeJson(build()))
      this.#bodies.set(query, body)
    }
    return body
  }

  #begin(): void {
    if (this.#index !== this.#presence.index) this.#clear()
    if (this.#isInUse) return
    this.#isInUse = true
    this.#index = this.#presence.index
    setImmediate(() => this.#clear())
  }

  #clear(): void {
    this.#isInUse = false
    this.#peers = undefined
    this.#bodies.clear()
  }
}

/** A list of all peers may have 10 MB, and stays in memory until its client has taken it. This is the limit per transport. */
const MAX_PENDING_BYTES = 128 * 1024 * 1024

/** Limits the memory for answers that slow clients have not taken yet. A body that goes to many clients counts once. */
class PendingBytes {
  readonly #clients = new Map<Buffer, number>()
  #bytes = 0

  /** @throws TooBusy if the limit is reached */
  throwIfFull(): void {
    if (this.#bytes < MAX_PENDING_BYTES) return
    throw new TooBusy(`answers of ${Math.round(this.#bytes / 1_000_000)} MB that clients have not read`)
  }

  /** Counts a body until it is taken or its connection is closed. */
  add(out: ServerResponse, body: Buffer): void {
    if (out.destroyed) return
    const clients = this.#clients.get(body) ?? 0
    if (clients === 0) this.#bytes += body.length
    this.#clients.set(body, clients + 1)
    out.once('close', () => this.#release(body))
  }

  #release(body: Buffer): void {
    const clients = (this.#clients.get(body) ?? 1) - 1
    if (clients > 0) {
      this.#clients.set(body, clients)
    } else {
      this.#clients.delete(body)
      this.#bytes -= body.length
    }
  }
}
