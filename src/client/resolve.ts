import { isPeerId, shortId } from '../core/wire/id.ts'
import type { Host, Offer, OfferedService, Peer, Services } from '../shared/api.ts'
import { isLinkLocal } from '../shared/link-local.ts'
import { isPresent } from '../shared/peer-state.ts'
import { EarshotError } from './error.ts'
import { type ServiceFilter, serviceMatcher } from './filter.ts'

export type Address = Peer['addresses'][number]
type Family = Address['family']

export interface ResolveOptions {
  /** The port of a service of this type: `http`, `http/tcp` or `_http._tcp`. */
  service?: string | undefined
  family?: Family | undefined
  /** Whether to ignore what mDNS has found, because it is not signed. */
  signed?: boolean | undefined
  signal?: AbortSignal | undefined
}

/** Where to reach a peer or one of its services. */
export interface Resolved {
  /** Absent for a host that is known by mDNS only. */
  peer?: Peer
  /** Present when a service was asked for. */
  service?: OfferedService
  /** `beacon`: signed by the peer; `mdns`: found by mDNS, where any program on the network can claim anything. */
  source: Peer['source']
  /** Link-local IPv6 with its zone: `fe80::1%eth0`. */
  address: string
  family: Family
  /** The address for a URL: `[fd00::1]`; a link-local one with its zone as in RFC 6874, `[fe80::1%25eth0]`. */
  hostname: string
  port?: number
  /** For a URL: `hostname`, and the port if there is one. */
  host: string
}

/** What `resolve` asks the daemon; `Earshot` is one. */
interface Directory {
  peer(reference: string, options: { source?: Peer['source'] | undefined; signal?: AbortSignal }): Promise<Peer>
  services(filter: ServiceFilter, options?: { signal: AbortSignal }): Promise<Services>
  host(hostname: string, options?: { signal: AbortSignal }): Promise<Host>
}

/** What to search for, and where. */
interface Search {
  directory: Directory
  name: string
  type: string | undefined
  source: 'beacon' | undefined
  options: { signal: AbortSignal } | undefined
}

interface Found {
  peer: Peer
  service?: OfferedService | undefined
}

/**
 * Finds an address: of the peer with this name or id, else of the service with this name, else of the mDNS host with this
 * name. Prefers addresses that are not link-local, and IPv4 to IPv6. Rejects when the name is ambiguous.
 * @throws EarshotError EARSHOT_UNRESOLVED, EARSHOT_AMBIGUOUS_PEER, and errors of the daemon
 */
export async function resolve(directory: Directory, name: string, options: ResolveOptions): Promise<Resolved> {
  const { service: type, family, signed = false, signal } = options
  const search: Search = { directory, name, type, source: signed ? 'beacon' : undefined, options: signal && { signal } }
  const { peer, service } = (await findPeer(search)) ?? (await findService(search)) ?? {}
  // A peer that sends beacons goes before a host with the same name in mDNS, where any program on the network can claim any name.
  const mayBeHost = !signed && type === undefined && isHostName(name) && peer?.source !== 'beacon'
  if (peer && !isPresent(peer) && !mayBeHost) {
    throw unresolved(`'${name}' is not present: it has ${peer.state}, last seen ${peer.lastSeen}`)
  }
  const present = peer && isPresent(peer) ? peer : undefined
  if (!present && !mayBeHost) throw unresolved(notFoundMessage(search))
  const addresses = present ? (service?.addresses ?? present.addresses) : await hostAddresses(search)
  const best = bestAddress({ addresses }, family)
  if (!best) throw unresolved(`'${name}' has no ${family ?? 'known'} address`)
  const hostname = best.family === 'ipv6' ? `[${best.address.replace('%', '%25')}]` : best.address
  return {
    ...(present && { peer: present }),
    address: best.address,
    family: best.family,
    hostname,
    host: service ? `${hostname}:${service.port}` : hostname,
    source: service?.source ?? present?.source ?? 'mdns',
    ...(service && { service, port: service.port }),
  }
}

/**
 * The best address to reach a peer at. Prefers IPv4, which more programs support. Link-local addresses come last, because
 * they need a zone. Among equal addresses the first wins: the daemon lists the addresses that it hears the peer from first.
 * Undefined when there is no address of this family.
 */
export function bestAddress({ addresses }: Pick<Peer, 'addresses'>, family?: Family): Address | undefined {
  let best: Address | undefined
  for (const one of addresses) {
    if (family !== undefined && one.family !== family) continue
    if (!best || rank(one) < rank(best)) best = one
  }
  return best
}

function rank({ address, family }: Address): number {
  return (isLinkLocal(address) ? 2 : 0) + (family === 'ipv6' ? 1 : 0)
}

/** `192.168.1.20:80` or `[fe80::1%eth0]:80`. */
export function hostAndPort({ address, family }: Pick<Address, 'address' | 'family'>, port: number): string {
  return family === 'ipv6' ? `[${address}]:${port}` : `${address}:${port}`
}

async function findPeer({ directory, name, type, source, options }: Search): Promise<Found | undefined> {
  const peer = await directory.peer(name, { ...options, source }).catch(undefinedIfNoSuchPeer)
  if (!peer || type === undefined) return peer && { peer }
  // The peer's signed services are first in its list.
  const service = peer.services.find(serviceMatcher(type))
  if (!service) throw unresolved(`'${name}' offers no service of type ${type}`)
  return { peer, service }
}

async function findService({ directory, name, type, source, options }: Search): Promise<Found | undefined> {
  // A name in the form of an id is always taken as an id.
  if (isPeerId(name)) return undefined
  const filter: ServiceFilter = { name, type, source, state: 'all', self: true }
  const { services } = await directory.services(filter, options)
  const offer = selectOffer(name, services)
  if (!offer) return undefined
  const { peer: offerer, ...service } = offer
  return { peer: await directory.peer(offerer.id, { ...options, source }), service }
}

/**
 * Selects one of the offers of this name. When the peer that signed an offer is gone, another peer that signs the same name
 * takes it over. An offer that is known by mDNS only never takes over a signed one.
 * @throws EarshotError EARSHOT_AMBIGUOUS_PEER
 */
function selectOffer(name: string, offers: readonly Offer[]): Offer | undefined {
  const present = offers.filter(({ peer }) => isPresent(peer))
  const isSigned = ({ source }: Offer) => source === undefined
  const claims = present.some(isSigned)
    ? present
    : [...present, ...offers.filter((one) => isSigned(one) && !isPresent(one.peer))]
  const offerers = new Map(claims.map(({ peer }) => [peer.id, peer]))
  if (present.length > 0 && offerers.size > 1) {
    const peers = [...offerers.values()].map(({ id, name, state }) => `${name} (${shortId(id)}, ${state})`)
    throw new EarshotError(
      'EARSHOT_AMBIGUOUS_PEER',
      `several peers offer a service called '${name}': ${peers.join(', ')} (give the id of one)`,
    )
  }
  return present.find(isSigned) ?? present[0] ?? offers[0]
}

/** The addresses of an mDNS host, which the daemon knows or asks for. */
async function hostAddresses({ directory, name, options }: Search): Promise<Address[]> {
  try {
    return (await directory.host(name, options)).addresses
  } catch (error) {
    throw error instanceof EarshotError && error.code === 'EARSHOT_NO_SUCH_HOST' ? unresolved(error.message) : error
  }
}

function notFoundMessage({ name, type, source }: Search): string {
  const kind = source === 'beacon' ? 'signed ' : ''
  return `no ${kind}peer and no ${kind}service${type === undefined ? '' : ` of type ${type}`} is called '${name}'`
}

function isHostName(name: string): boolean {
  return /^.+\.local\.?$/i.test(name)
}

function undefinedIfNoSuchPeer(error: unknown): undefined {
  if (error instanceof EarshotError && error.code === 'EARSHOT_NO_SUCH_PEER') return undefined
  throw error
}

function unresolved(message: string): EarshotError {
  return new EarshotError('EARSHOT_UNRESOLVED', message)
}
