import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { bestMatches } from '../../core/presence/peers/peer-reference.ts'
import type { PeerView } from '../../core/presence/peers/types.ts'
import { SHOWN_ID_CHARACTERS } from '../../core/wire/id.ts'
import { isNestedDeeper, MAX_NESTING } from '../../core/wire/record.ts'
import { messageOf } from '../../shared/caught-error.ts'
import { parseDuration } from '../../shared/duration.ts'
import { AmbiguousPeer, BadRequest, NoSuchPeer, WrongContentType } from '../../shared/errors.ts'
import { isPresent } from '../../shared/peer-state.ts'
import { expectedButFound } from '../services/user-input.ts'
import type { App, ControlDependencies } from './context.ts'
import { type DurationRange, JSON_TYPES } from './operations/request-values.ts'
import { fromSource, type Source } from './peer-filter.ts'

/** Reads the input of requests: the parameters that several routes share, references to peers, and JSON bodies. */

/** Whether a parameter is on. */
export function isOn(parameter: string | undefined): boolean {
  return parameter === '1' || parameter === 'true'
}

/**
 * Refuses a URL whose query string has percent-encodings that are not UTF-8. The router checks the path itself.
 * @throws BadRequest
 */
export function checkQueryEncoding(url: string): void {
  const start = url.indexOf('?')
  if (start < 0) return
  try {
    decodeURIComponent(url.slice(start))
  } catch {
    throw new BadRequest("the query string is not percent-encoded UTF-8 such as %C3%BC (write '%' itself as %25)")
  }
}

/**
 * Reads a duration such as `500ms`. Returns ms. `place` is the parameter or field, for the error.
 * @throws BadRequest if it is no duration or out of range
 */
export function readDuration(text: string, place: string, { min, max, expected }: DurationRange): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms < min || ms > max) throw new BadRequest(expectedButFound(place, expected, text))
  return ms
}

/** A position in the journal of changes: after the change `after` of this epoch, or in another epoch (`elsewhere`). */
export type Position = { after: number } | 'elsewhere'

/** Reads `INDEX` or `EPOCH-INDEX`. Undefined if the text is neither. */
export function readPosition(text: string, { epoch, presence }: ControlDependencies): Position | undefined {
  const [, writtenEpoch = epoch, digits] = /^(?:(.+)-)?(\d{1,15})$/.exec(text) ?? []
  if (digits === undefined) return undefined
  const index = Number(digits)
  // An index above the newest one is from another epoch.
  return writtenEpoch === epoch && index <= presence.index ? { after: index } : 'elsewhere'
}

/** Reads the parameter `since`. @throws BadRequest */
export function readSince(text: string, deps: ControlDependencies): Position {
  const position = readPosition(text, deps)
  if (!position) throw new BadRequest(expectedButFound('querystring/since', 'an index or EPOCH-INDEX', text))
  return position
}

/** An error lists no more peers than this. */
const MAX_LISTED_PEERS = 8

/**
 * Finds the one peer that a reference means; the daemon's own peer is included. See `bestMatches` for the order of matches.
 * A name that two peers have is ambiguous, even if one of them is suspect or failed or has left, until the registry
 * forgets it. A peer that is not present does not count if no beat of it was ever received: it was found by mDNS, or sent
 * nothing but a record.
 * @param source takes only what this source knows into account
 * @throws NoSuchPeer, AmbiguousPeer
 */
export function resolvePeer(reference: string, deps: ControlDependencies, source?: Source): PeerView {
  const matches = matchingPeers(reference, deps, source)
  const counting = matches.filter((peer) => isPresent(peer) || hasSentBeats(peer))
  const candidates = counting.length > 0 ? counting : matches
  const [first, ...others] = candidates
  if (!first) throw new NoSuchPeer(reference)
  if (others.length > 0) throw new AmbiguousPeer(reference, listPeers(candidates))
  return first
}

/**
 * Finds all peers that a reference may mean, the daemon's own included. If there are none, looks among the hidden mDNS
 * hosts.
 */
export function matchingPeers(reference: string, deps: ControlDependencies, source?: Source): PeerView[] {
  const { presence } = deps
  const known = (peers: readonly PeerView[]) => peers.flatMap((peer) => fromSource(source, peer) ?? [])
  const listed = bestMatches(reference, known([...presence.find(reference, source), presence.ownPeer(deps.now())]))
  return listed.length > 0 ? listed : bestMatches(reference, known(presence.hidden()))
}

/** A record alone proves little: it is one datagram, and anyone can send one under any name. */
function hasSentBeats({ source, beacons }: PeerView): boolean {
  return source === 'beacon' && beacons.heard > 0
}

/** For example `kitchen (k3vq7m2x, failed), kitchen (kitchen.local., by mDNS)`. */
function listPeers(peers: readonly PeerView[]): string {
  const texts = peers.map(({ id, name, state, source }) => {
    const how = source === 'mdns' ? 'by mDNS' : state
    return `${name} (${source === 'mdns' ? `${id}.` : distinctId(id, peers)}, ${how})`
  })
  const more = texts.length - MAX_LISTED_PEERS
  return more > 0 ? `${texts.slice(0, MAX_LISTED_PEERS).join(', ')} and ${more} more` : texts.join(', ')
}

/** The shortest beginning of an id that no other of the peers has; at least as long as ids are shown elsewhere. */
function distinctId(id: string, peers: readonly PeerView[]): string {
  for (let length = SHOWN_ID_CHARACTERS; length < id.length; length++) {
    const text = id.slice(0, length)
    if (peers.filter((peer) => peer.id.startsWith(text)).length === 1) return text
  }
  return id
}

/** A record has at most 16 KiB, so a longer body can never become part of one. */
export const MAX_BODY_BYTES = 64 * 1024

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Makes the application accept only bodies that are JSON in UTF-8, and only on routes that take a body. */
export function parseBodies(app: App): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>(JSON_TYPES, { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) =>
    takesBody(request) ? parseJson(body) : refuseUnlessEmpty(request, body),
  )
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    if (takesBody(request)) throw new WrongContentType(request.headers['content-type'] ?? '')
    return refuseUnlessEmpty(request, body)
  })
}

/** Whether the body may be empty although the headers announce one: a chunked body has no length in the headers. */
export function mayBeEmpty({ method, headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined && (method === 'POST' || method === 'DELETE')
}

function takesBody({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.schema?.body !== undefined
}

/** @throws BadRequest */
function refuseUnlessEmpty({ method, routeOptions }: FastifyRequest, body: Buffer): undefined {
  if (body.length > 0) throw new BadRequest(`${method} ${routeOptions.url} takes no body`)
}

/** Whether the headers announce a body (RFC 9112, section 6.3). */
export function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** @throws BadRequest */
function parseJson(body: Buffer): unknown {
  let text: string
  try {
    text = utf8.decode(body)
  } catch {
    throw new BadRequest('the body is not UTF-8')
  }
  // `JSON.stringify` is recursive: a deeper value could not even be shown in an error.
  if (isNestedDeeper(body, MAX_NESTING)) {
    throw new BadRequest(`the body nests objects and arrays more than ${MAX_NESTING} levels deep`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new BadRequest(`the body is not JSON: ${messageOf(error)}`)
  }
}
