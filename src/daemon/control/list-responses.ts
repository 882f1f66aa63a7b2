import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import { BadRequest } from '../../shared/errors.ts'
import type { BlockingQueries, ChangeTest, QueryOutcome } from './blocking-queries.ts'
import type { ControlDependencies } from './context.ts'
import { matchesWeakly } from './etags.ts'
import { type Candidates, ListBodies, type ListContent } from './list-bodies.ts'
import { LoopTurns } from './loop-turns.ts'
import { DEFAULT_WAIT_MS, WAIT_RANGE } from './operations/request-values.ts'
import { isOn, readDuration, readSince } from './request-input.ts'

/** The parameters of all lists, and `hidden` of the list of peers. */
interface ListParameters {
  self?: string | undefined
  since?: string | undefined
  wait?: string | undefined
  hidden?: string | undefined
}

/** A request for a list. */
interface ListRequest<Item> extends Pick<ListContent<Item>, 'member' | 'itemsOf' | 'write'> {
  /** Identifies the query: requests with the same text get the same answer. */
  query: string
  parameters: ListParameters
  /** Whether a change of a peer changes the list. */
  affects: ChangeTest
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
  // All users of this machine can use loopback, and must not block those who may use the socket.
  readonly #bodiesOnSocket: ListBodies
  readonly #bodiesOnLoopback: ListBodies

  constructor({ deps, queries, isOnSocket }: ListResponsesOptions) {
    this.#deps = deps
    this.#queries = queries
    this.#isOnSocket = isOnSocket
    const options = { presence: deps.presence, epoch: deps.epoch, turns: new LoopTurns(() => deps.now()) }
    this.#bodiesOnSocket = new ListBodies(options)
    this.#bodiesOnLoopback = new ListBodies(options)
  }

  /** @throws BadRequest, TooBusy, TooManyQueries */
  async send<Item>(request: ListRequest<Item>, raw: IncomingMessage, reply: FastifyReply): Promise<void> {
    const onSocket = this.#isOnSocket(raw.socket)
    const outcome = await this.#wait(request, reply.raw, !onSocket)
    if (outcome === 'disconnected') return reply.hijack()

    // The index does not count the changes of hidden hosts.
    const hasEtag = !isOn(request.parameters.hidden)
    const known = raw.headers['if-none-match']
    const etag = this.#etag(this.#deps.presence.index)
    if (hasEtag && known !== undefined && matchesWeakly(known, etag)) {
      return reply.code(304).headers({ 'cache-control': 'no-cache', etag }).send()
    }
    const bodies = onSocket ? this.#bodiesOnSocket : this.#bodiesOnLoopback
    const body = await bodies.write(this.#content(request), candidatesOf(outcome), reply.raw)
    reply.hijack()
    if (!body) return
    reply.raw.writeHead(200, {
      'cache-control': 'no-cache',
      ...(hasEtag && { etag: this.#etag(body.index) }),
      'content-type': 'application/json; charset=utf-8',
      'content-length': body.bytes,
    })
    for (const piece of body.pieces) reply.raw.write(piece)
    reply.raw.end()
  }

  #content<Item>(request: ListRequest<Item>): ListContent<Item> {
    const { presence } = this.#deps
    const { self, hidden } = request.parameters
    const { member, itemsOf, write } = request
    return {
      ...{ member, itemsOf, write },
      key: isOn(hidden) ? `${queryKey(request)} hidden` : queryKey(request),
      others: () => ({
        first: isOn(self) ? [presence.ownPeer(this.#deps.now())] : [],
        last: isOn(hidden) ? presence.hidden() : [],
      }),
    }
  }

  #etag(index: number): string {
    return `W/"${this.#deps.epoch}-${index}"`
  }

  async #wait<Item>(request: ListRequest<Item>, out: ServerResponse, onLoopback: boolean): Promise<QueryOutcome> {
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

function queryKey({ query, parameters }: { query: string; parameters: ListParameters }): string {
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

function candidatesOf({ index, ids }: Exclude<QueryOutcome, 'disconnected'>): Candidates | undefined {
  return ids && { index, ids }
}
