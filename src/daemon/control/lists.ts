import type { IncomingMessage, ServerResponse } from 'node:http'
import type { PeerView } from '../../core/presence/peers/types.ts'
import { formatDuration, parseDuration } from '../../shared/duration.ts'
import { BadRequest } from '../../shared/errors.ts'
import type { AppContext } from './app.ts'
import type { BlockedQueries, Concerns, Outcome } from './blocked-queries.ts'
import { isOn } from './flag.ts'
import { writeJson } from './json.ts'
import type { ListParameters } from './list-routes.ts'
import { readSince } from './position.ts'
import type { Station } from './station.ts'
import { Turn } from './turn.ts'
import { Untaken } from './untaken.ts'

const DEFAULT_WAIT_MS = 30_000
const LONGEST_WAIT_MS = 600_000

export interface ListRequest {
  /** Names what is asked for: two of one name are given the same answer. */
  query: string
  parameters: ListParameters
  /** Which changes of a peer change the answer. */
  concerns: Concerns
  /** What is in the list, out of these peers. */
  list(peers: readonly PeerView[]): object
}

/** An answer to be sent; `text` is undefined when the reader holds the same already (304). Undefined: nobody is there any more. */
export type ListAnswer = { tag: string | undefined; text: Buffer | undefined } | undefined

/** Answers with lists: whole, only if changed, or when they change. */
export class Lists {
  readonly #station: Station
  readonly #queries: BlockedQueries
  readonly #cameThroughSocket: AppContext['cameThroughSocket']
  readonly #turn: Turn
  // Counted apart: what any user of this machine does on loopback does not keep those off who may open the socket.
  readonly #untakenOnSocket = new Untaken()
  readonly #untakenOnLoopback = new Untaken()

  constructor({ station, queries, cameThroughSocket }: AppContext) {
    this.#station = station
    this.#queries = queries
    this.#cameThroughSocket = cameThroughSocket
    this.#turn = new Turn(station.reader)
  }

  /** @throws BadRequest, TooBusy, TooManyQueries */
  async answer(request: ListRequest, raw: IncomingMessage, out: ServerResponse): Promise<ListAnswer> {
    const onSocket = this.#cameThroughSocket(raw.socket)
    const withOwn = isOn(request.parameters.self)
    const outcome = await this.#wait(request, withOwn, out, !onSocket)
    if (!outcome.isThere) return undefined

    const { reader, epoch } = this.#station
    const withHidden = isOn(request.parameters.hidden)
    // What is not listed is not counted by the index.
    const tag = withHidden ? undefined : `W/"${epoch}-${reader.index}"`
    if (tag !== undefined && holds(raw.headers['if-none-match'], tag)) return { tag, text: undefined }

    const untaken = onSocket ? this.#untakenOnSocket : this.#untakenOnLoopback
    untaken.refuseOverLimit()
    const make = (peers: readonly PeerView[]) => ({ epoch, index: reader.index, ...request.list(peers) })
    const ids = outcome.index === reader.index ? outcome.ids : undefined
    const peers = () => (ids ? [...ids].flatMap((id) => reader.get(id) ?? []) : this.#turn.views())
    const own = () => (withOwn ? [reader.ownPeer(this.#station.now())] : [])
    const text = withHidden
      ? Buffer.from(writeJson(make([...own(), ...peers(), ...reader.hidden()])))
      : this.#turn.text(queryOf(request, withOwn), () => make([...own(), ...peers()]))
    untaken.add(out, text)
    return { tag, text }
  }

  async #wait(request: ListRequest, withOwn: boolean, out: ServerResponse, onLoopback: boolean): Promise<Outcome> {
    const { parameters, concerns } = request
    const wait = readWait(parameters)
    const since = parameters.since === undefined ? 'elsewhere' : readSince(parameters.since, this.#station)
    if (since === 'elsewhere') return { isThere: true, index: this.#station.reader.index, ids: undefined }
    return await this.#queries.untilChanged({
      query: queryOf(request, withOwn),
      withOwn,
      concerns,
      after: since.after,
      wait,
      out,
      onLoopback,
    })
  }
}

function queryOf({ query }: ListRequest, withOwn: boolean): string {
  return withOwn ? `${query} self` : query
}

/** @throws BadRequest */
function readWait({ since, wait }: ListParameters): number {
  if (wait === undefined) return DEFAULT_WAIT_MS
  const ms = parseDuration(wait)
  if (ms === undefined || ms > LONGEST_WAIT_MS) {
    const most = formatDuration(LONGEST_WAIT_MS)
    throw new BadRequest(`querystring/wait must be a duration of ${most} or less such as 30s or 5m, not '${wait}'`)
  }
  if (since === undefined) {
    throw new BadRequest('querystring/wait needs querystring/since: the index of the answer that is to change')
  }
  return ms
}

/** Whether `If-None-Match` names the tag (RFC 9110, section 13.1.2: compared weakly). */
function holds(header: string | undefined, tag: string): boolean {
  const tags = header?.split(',').map((one) => one.trim().replace(/^W\//, ''))
  return tags !== undefined && (tags.includes('*') || tags.includes(tag.replace(/^W\//, '')))
}
