import type { PeerView } from '../../core/presence/peers/types.ts'
import { BadRequest } from '../../shared/errors.ts'
import { isPresent, PEER_STATES } from '../../shared/peer-state.ts'
import { dnsTypes, SERVICE_TYPE_CHARACTERS } from '../../shared/service-type.ts'
import { knownBy, type Source } from './source.ts'

/** Looks only at what the registry's view of a peer and the API's have in common. */
type Subject = Pick<PeerView, 'name' | 'state' | 'source' | 'services' | 'attributes'>
export type PeerTest = (peer: Subject) => boolean

/** What a query asks for; parameters are joined by «and», the values of one parameter by «or». */
export interface PeerQuery {
  service?: readonly string[] | undefined
  name?: readonly string[] | undefined
  /** Each may hold several, separated by commas. */
  state?: readonly string[] | undefined
  source?: Source | undefined
}

const EVERY_STATE = 'all'
const DEFAULT_STATES: readonly string[] = PEER_STATES.filter((state) => isPresent({ state }))
const ATTRIBUTE_PREFIX = 'attr.'

/**
 * What `GET /v1/peers` asks for: service, name, attributes, source, and state, which is alive or suspect unless asked
 * otherwise. Gives a peer as far as it is asked for, or undefined.
 * @throws BadRequest
 */
export function peersAsked(query: PeerQuery): <Peer extends Subject>(peer: Peer) => Peer | undefined {
  const tests = [eventsTest(query) ?? [], ...attributeTests(query), stateTest(query.state)].flat()
  return (peer) => {
    const known = knownBy(query.source, peer)
    return known && tests.every((passes) => passes(known)) ? known : undefined
  }
}

/**
 * The test for `GET /v1/events`: service and name. Undefined when it asks for everything.
 * @throws BadRequest
 */
export function eventsTest({ service, name }: Pick<PeerQuery, 'service' | 'name'>): PeerTest | undefined {
  const types = service?.flatMap((text) => serviceTypes(text, 'service'))
  if (!types && !name) return undefined
  return (peer) =>
    (!types || peer.services.some(({ type }) => types.includes(type.toLowerCase()))) &&
    (!name || name.includes(peer.name))
}

/**
 * The test for states: alive or suspect unless asked otherwise.
 * @throws BadRequest
 */
export function stateTest(asked: readonly string[] | undefined): (peer: Pick<PeerView, 'state'>) => boolean {
  const wanted = new Set<string>(asked?.flatMap((value) => value.split(',')) ?? DEFAULT_STATES)
  for (const state of wanted) {
    if (state === EVERY_STATE || PEER_STATES.some((known) => known === state)) continue
    throw new BadRequest(`querystring/state must be one of ${PEER_STATES.join(', ')} or all, not '${state}'`)
  }
  return wanted.has(EVERY_STATE) ? () => true : ({ state }) => wanted.has(state)
}

/**
 * The DNS-SD types that a person means, in lower case: `http` is `_http._tcp` or `_http._udp`; `http/udp` and
 * `_http._udp` are one. `parameter` is where it was said.
 * @throws BadRequest
 */
export function serviceTypes(text: string, parameter: string): string[] {
  const types = dnsTypes(text)
  if (types.length > 0) return types
  throw new BadRequest(
    `querystring/${parameter} must be a service type such as http, http/tcp or _http._tcp (${SERVICE_TYPE_CHARACTERS}), not '${text}'`,
  )
}

function attributeTests(query: object): PeerTest[] {
  const asked = Object.entries(query).filter(([parameter]) => parameter.startsWith(ATTRIBUTE_PREFIX))
  return asked.map(([parameter, values]: [string, readonly string[]]) => {
    const key = parameter.slice(ATTRIBUTE_PREFIX.length)
    return ({ attributes }) => {
      const held = Object.hasOwn(attributes, key) ? attributes[key] : undefined
      return held !== undefined && values.some((value) => isWritten(held, value))
    }
  })
}

/** Whether a text in a query is a way to write this value: `21.50` is the number 21.5. */
function isWritten(held: string | number | boolean, text: string): boolean {
  return typeof held === 'number' ? text.trim() !== '' && Number(text) === held : String(held) === text
}
