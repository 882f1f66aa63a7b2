import type { PeerView } from '../../core/presence/peers/types.ts'
import { BadRequest } from '../../shared/errors.ts'
import { isPresent, PEER_STATES } from '../../shared/peer-state.ts'
import { dnsTypes, SERVICE_TYPE_CHARACTERS } from '../../shared/service-names.ts'
import { expectedButFound } from '../services/user-input.ts'

/** The fields that a registry's view of a peer and the API's JSON of it have in common. */
type Filterable = Pick<PeerView, 'name' | 'state' | 'source' | 'services' | 'attributes'>
export type PeerTest = (peer: Filterable) => boolean

/** How something was found: in the peer's signed record, or by mDNS, which proves nothing. */
export type Source = PeerView['source']

/**
 * The query of `GET /v1/peers`: a peer must match every parameter, and one of the values of each. Parameters whose name
 * begins with `attr.` ask for attributes.
 */
export interface PeerQuery {
  service?: readonly string[] | undefined
  name?: readonly string[] | undefined
  /** A value may contain several states, separated by commas. */
  state?: readonly string[] | undefined
  source?: Source | undefined
}

const ALL_STATES = 'all'
const DEFAULT_STATES: readonly string[] = PEER_STATES.filter((state) => isPresent({ state }))
const ATTRIBUTE_PREFIX = 'attr.'

/**
 * Makes the filter of `GET /v1/peers`. The filter returns undefined for a peer that does not match; for others the peer,
 * without the services that are not from the wanted source.
 * @throws BadRequest
 */
export function peerFilter(query: PeerQuery): <Peer extends Filterable>(peer: Peer) => Peer | undefined {
  const tests = [eventFilter(query) ?? [], ...attributeTests(query), stateFilter(query.state)].flat()
  return (peer) => {
    const known = fromSource(query.source, peer)
    return known && tests.every((passes) => passes(known)) ? known : undefined
  }
}

/**
 * Makes the filter of `GET /v1/events`: by service and name. Undefined if the query has neither.
 * @throws BadRequest
 */
export function eventFilter({ service, name }: Pick<PeerQuery, 'service' | 'name'>): PeerTest | undefined {
  const types = service?.flatMap((text) => serviceTypes(text, 'service'))
  if (!types && !name) return undefined
  return (peer) =>
    (!types || peer.services.some(({ type }) => types.includes(type.toLowerCase()))) &&
    (!name || name.includes(peer.name))
}

/**
 * Makes the filter by state. Alive and suspect peers match by default.
 * @throws BadRequest
 */
export function stateFilter(query: readonly string[] | undefined): (peer: Pick<PeerView, 'state'>) => boolean {
  const wanted = new Set<string>(query?.flatMap((value) => value.split(',')) ?? DEFAULT_STATES)
  for (const state of wanted) {
    if (state === ALL_STATES || PEER_STATES.some((known) => known === state)) continue
    throw new BadRequest(expectedButFound('querystring/state', `one of ${PEER_STATES.join(', ')} or all`, state))
  }
  return wanted.has(ALL_STATES) ? () => true : ({ state }) => wanted.has(state)
}

/**
 * The DNS-SD types that a text means, in lower case: `http` means `_http._tcp` and `_http._udp`; `http/udp` and
 * `_http._udp` mean the same. `parameter` is the query parameter, for the error.
 * @throws BadRequest
 */
export function serviceTypes(text: string, parameter: string): string[] {
  const types = dnsTypes(text)
  if (types.length > 0) return types
  const expected = `a service type such as http, http/tcp or _http._tcp (${SERVICE_TYPE_CHARACTERS})`
  throw new BadRequest(expectedButFound(`querystring/${parameter}`, expected, text))
}

/**
 * The peer as one source knows it: undefined if the peer is not known by that source, and without the services that are
 * only known by mDNS if the source is `beacon`. Works on the registry's views and on the API's JSON.
 */
export function fromSource<Peer extends { source: Source; services: { source?: 'mdns' }[] }>(
  source: Source | undefined,
  peer: Peer,
): Peer | undefined {
  if (source !== undefined && peer.source !== source) return undefined
  if (source !== 'beacon' || peer.services.every((service) => service.source === undefined)) return peer
  return { ...peer, services: peer.services.filter((service) => service.source === undefined) }
}

function attributeTests(query: object): PeerTest[] {
  const parameters = Object.entries(query).filter(([parameter]) => parameter.startsWith(ATTRIBUTE_PREFIX))
  return parameters.map(([parameter, texts]: [string, readonly string[]]) => {
    const key = parameter.slice(ATTRIBUTE_PREFIX.length)
    return ({ attributes }) => {
      const value = Object.hasOwn(attributes, key) ? attributes[key] : undefined
      return value !== undefined && texts.some((text) => isWrittenAs(value, text))
    }
  })
}

/** Whether a text in a query stands for this value. Several texts stand for one number: `21.5`, `21.50`. */
function isWrittenAs(value: string | number | boolean, text: string): boolean {
  return typeof value === 'number' ? text.trim() !== '' && Number(text) === value : String(value) === text
}
