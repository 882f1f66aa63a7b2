import type { Peer, Service } from '../shared/api.ts'
import type { PeerState } from '../shared/peer-state.ts'
import { dnsTypes } from '../shared/service-names.ts'

/**
 * Selects the peers to follow. A peer must match every given field; a field with several values matches any of them. An
 * empty list counts as not given.
 */
export interface WatchFilter {
  /** `http` (over TCP or UDP), `http/tcp` or `_http._tcp`. */
  service?: string | readonly string[] | undefined
  name?: string | readonly string[] | undefined
  attributes?: Readonly<Record<string, string | number | boolean>> | undefined
  /** Whether the daemon's own peer is included. */
  self?: boolean | undefined
}

export interface PeerFilter extends WatchFilter {
  /** Alive and suspect unless given. */
  state?: PeerState | 'all' | readonly PeerState[] | undefined
  /** `beacon`: only peers that send beacons, with their signed services only; `mdns`: only what mDNS has found. */
  source?: Peer['source'] | undefined
  /** Whether mDNS hosts that are the same machine as a peer, and therefore not listed, are included (`hidden`). */
  hidden?: boolean | undefined
}

export interface ServiceFilter {
  /** `http` (over TCP or UDP), `http/tcp` or `_http._tcp`. */
  type?: string | readonly string[] | undefined
  /** Instance name. */
  name?: string | readonly string[] | undefined
  /** Only services of these peers: id, name, or beginning of the id. */
  peer?: string | readonly string[] | undefined
  /** Only services of peers in this state; alive and suspect unless given. */
  state?: PeerState | 'all' | readonly PeerState[] | undefined
  /** `beacon`: only services that their peers have signed; `mdns`: only what mDNS has found. */
  source?: Peer['source'] | undefined
  /** Whether the daemon's own services are included. */
  self?: boolean | undefined
}

/** The filter as a query of the API. */
export function peersQuery({ attributes = {}, self, hidden, ...filter }: PeerFilter): URLSearchParams {
  const { service, name, state, source } = filter
  const flags = { self: self ? '1' : undefined, hidden: hidden ? '1' : undefined }
  const query = toQuery({ service, name, state, source, ...flags })
  for (const [key, value] of Object.entries(attributes)) query.append(`attr.${key}`, String(value))
  return query
}

/** Writes a query. A list becomes one parameter per value; undefined values are left out. */
export function toQuery(values: Record<string, string | readonly string[] | undefined>): URLSearchParams {
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(values)) for (const one of toList(value)) query.append(key, one)
  return query
}

/** A test for services of one of these types; every service matches when none is given. The daemon applies the same rule. */
export function serviceMatcher(types: WatchFilter['service']): (service: Pick<Service, 'type'>) => boolean {
  const given = toList(types)
  if (given.length === 0) return () => true
  const wanted = new Set(given.flatMap(dnsTypes))
  return ({ type }) => wanted.has(type.toLowerCase())
}

/** A test for peers that match the filter. It ignores the peer's state. */
export function peerMatcher({ service, name, attributes = {} }: WatchFilter): (peer: Peer) => boolean {
  const matchesService = serviceMatcher(service)
  const names = toList(name)
  return (peer) =>
    (toList(service).length === 0 || peer.services.some(matchesService)) &&
    (names.length === 0 || names.includes(peer.name)) &&
    Object.entries(attributes).every(([key, value]) => hasAttribute(peer.attributes, key, String(value)))
}

function toList(given: string | readonly string[] | undefined): readonly string[] {
  return typeof given === 'string' ? [given] : (given ?? [])
}

/** Whether the attribute has the value that the text stands for: `21.50` is the number 21.5. */
function hasAttribute(attributes: Peer['attributes'], key: string, text: string): boolean {
  const value = Object.hasOwn(attributes, key) ? attributes[key] : undefined
  if (typeof value === 'number') return text.trim() !== '' && Number(text) === value
  return value !== undefined && String(value) === text
}
