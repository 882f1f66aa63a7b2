import type { Peer, Service } from '../shared/api.ts'
import { dnsTypes } from '../shared/service-type.ts'

export type PeerState = Peer['state']

/**
 * Which peers a program wants to follow. Everything given must hold; of several values in one place, any. An empty list
 * asks for nothing, as if it had not been given.
 */
export interface WatchFilter {
  /** `http` (over TCP or UDP), `http/tcp` or `_http._tcp`. */
  service?: string | readonly string[] | undefined
  name?: string | readonly string[] | undefined
  attributes?: Readonly<Record<string, string | number | boolean>> | undefined
  /** Whether this daemon's own peer is among them. */
  self?: boolean | undefined
}

export interface PeerFilter extends WatchFilter {
  /** Alive and suspect unless given. */
  state?: PeerState | 'all' | readonly PeerState[] | undefined
  /** `beacon`: only peers that beacon, and of their services what they have signed; `mdns`: only what mDNS found. */
  source?: Peer['source'] | undefined
  /** Whether hosts of mDNS are among them that are not listed, since each is taken for a peer (`hidden`). */
  hidden?: boolean | undefined
}

export interface ServiceFilter {
  /** `http` (over TCP or UDP), `http/tcp` or `_http._tcp`. */
  type?: string | readonly string[] | undefined
  /** Instance name. */
  name?: string | readonly string[] | undefined
  /** Of these peers only: id, name, or how the id begins. */
  peer?: string | readonly string[] | undefined
  /** Of peers in this state; alive and suspect unless given. */
  state?: PeerState | 'all' | readonly PeerState[] | undefined
  /** `beacon`: only what their peers have signed; `mdns`: only what mDNS found. */
  source?: Peer['source'] | undefined
  /** Whether this daemon's own are among them. */
  self?: boolean | undefined
}

type Values = Record<string, string | readonly string[] | undefined>

/** The filter as the API reads it. */
export function peersQuery({ attributes = {}, self, hidden, ...filter }: PeerFilter): URLSearchParams {
  const { service, name, state, source } = filter
  const set = { self: self ? '1' : undefined, hidden: hidden ? '1' : undefined }
  const query = writeQuery({ service, name, state, source, ...set })
  for (const [key, value] of Object.entries(attributes)) query.append(`attr.${key}`, String(value))
  return query
}

export function writeQuery(values: Values): URLSearchParams {
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(values)) for (const one of valuesOf(value)) query.append(key, one)
  return query
}

/** Whether a service is of one of these types; any is when there are none. The daemon understands them likewise. */
export function serviceTest(types: WatchFilter['service']): (service: Pick<Service, 'type'>) => boolean {
  const given = valuesOf(types)
  if (given.length === 0) return () => true
  const wanted = new Set(given.flatMap(dnsTypes))
  return ({ type }) => wanted.has(type.toLowerCase())
}

/** Whether a peer passes, in whatever state it is. */
export function peerTest({ service, name, attributes = {} }: WatchFilter): (peer: Peer) => boolean {
  const offers = serviceTest(service)
  const names = valuesOf(name)
  return (peer) =>
    (valuesOf(service).length === 0 || peer.services.some(offers)) &&
    (names.length === 0 || names.includes(peer.name)) &&
    Object.entries(attributes).every(([key, value]) => isWritten(peer.attributes, key, String(value)))
}

function valuesOf(given: string | readonly string[] | undefined): readonly string[] {
  return typeof given === 'string' ? [given] : (given ?? [])
}

/** Whether this text is a way to write the attribute: `21.50` is the number 21.5. */
function isWritten(attributes: Peer['attributes'], key: string, text: string): boolean {
  const held = Object.hasOwn(attributes, key) ? attributes[key] : undefined
  if (typeof held === 'number') return text.trim() !== '' && Number(text) === held
  return held !== undefined && String(held) === text
}
