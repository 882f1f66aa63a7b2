import { isPeerId, shortId } from '../core/wire/id.ts'
import type { Offer, OfferedService, Peer } from '../shared/api.ts'
import { isPresent } from '../shared/peer-state.ts'
import { bestAddress } from './best-address.ts'
import type { Earshot } from './earshot.ts'
import { EarshotError } from './error.ts'
import { serviceTest } from './filter.ts'

type Address = Peer['addresses'][number]

export interface ResolveOptions {
  /** The port of a service of this type: `http`, `http/tcp` or `_http._tcp`. */
  service?: string | undefined
  family?: Address['family'] | undefined
  /** Nothing of what mDNS tells, which nobody has signed. */
  signed?: boolean | undefined
  signal?: AbortSignal | undefined
}

/** Where to reach a peer, or a service of it. */
export interface Resolved {
  /** Absent when it is a host that only mDNS knows of. */
  peer?: Peer
  /** When a service was asked for. */
  service?: OfferedService
  /** By what this is known: signed by the peer, or by mDNS, where anyone may say anything. */
  source: Peer['source']
  /** Link-local IPv6 with its zone: `fe80::1%eth0`. */
  address: string
  family: Address['family']
  /** The address as a URL has it: `[fd00::1]`; the zone of a link-local one is written after RFC 6874, `[fe80::1%25eth0]`. */
  hostname: string
  port?: number
  /** As a URL has it: `hostname`, and the port if there is one. */
  host: string
}

/**
 * A peer's address, by the peer's name or id, else by the name of a service, else that of a host by its name in mDNS. Of
 * several addresses one that is not link-local, and IPv4 before IPv6. Where several have the name, there is no answer.
 * @throws EarshotError EARSHOT_UNRESOLVED, EARSHOT_AMBIGUOUS_PEER, and what the daemon answers
 */
export async function resolve(earshot: Earshot, name: string, options: ResolveOptions): Promise<Resolved> {
  const { service: type, family, signed = false, signal } = options
  const search: Search = { earshot, name, type, source: signed ? 'beacon' : undefined, given: signal && { signal } }
  const found = (await ofPeer(search)) ?? (await ofService(search))
  const { peer, service } = found ?? {}
  // The host of a peer that beaconed is no substitute for it: by mDNS anyone may say that it is that host.
  const mayBeHost = !signed && type === undefined && isHostName(name) && peer?.source !== 'beacon'
  if (peer && !isPresent(peer) && !mayBeHost) {
    throw unresolved(`'${name}' is not there: it has ${peer.state}, last seen ${peer.lastSeen}`)
  }
  const there = peer && isPresent(peer) ? peer : undefined
  if (!there && !mayBeHost) throw unresolved(nobody(search))
  const addresses = there ? (service?.addresses ?? there.addresses) : await ofHost(search)
  const best = bestAddress({ addresses }, family)
  if (!best) throw unresolved(`'${name}' has no ${family ?? 'known'} address`)
  const hostname = best.family === 'ipv6' ? `[${best.address.replace('%', '%25')}]` : best.address
  return {
    ...(there && { peer: there }),
    address: best.address,
    family: best.family,
    hostname,
    host: service ? `${hostname}:${service.port}` : hostname,
    source: service?.source ?? there?.source ?? 'mdns',
    ...(service && { service, port: service.port }),
  }
}

/** What is looked for, and where. */
interface Search {
  earshot: Earshot
  name: string
  type: string | undefined
  source: 'beacon' | undefined
  given: { signal: AbortSignal } | undefined
}

interface Found {
  peer: Peer
  service?: OfferedService | undefined
}

async function ofPeer({ earshot, name, type, source, given }: Search): Promise<Found | undefined> {
  const peer = await earshot.peer(name, { ...given, source }).catch(ifUnknown)
  if (!peer || type === undefined) return peer && { peer }
  // What the peer has signed comes first in its list.
  const service = peer.services.find(serviceTest(type))
  if (!service) throw unresolved(`'${name}' offers no service of type ${type}`)
  return { peer, service }
}

async function ofService({ earshot, name, type, source, given }: Search): Promise<Found | undefined> {
  // What looks like an id is one.
  if (isPeerId(name)) return undefined
  const filter = { name, type, source, state: 'all' as const, self: true }
  const { services } = await earshot.services(filter, given)
  const found = theOffer(name, services)
  if (!found) return undefined
  const { peer: offerer, ...service } = found
  return { peer: await earshot.peer(offerer.id, given), service }
}

/**
 * The one offer of this name. A service that a peer has signed may go over to another peer that signs it, when the first
 * has gone; mDNS alone takes it over from nobody.
 * @throws EarshotError EARSHOT_AMBIGUOUS_PEER
 */
function theOffer(name: string, offers: readonly Offer[]): Offer | undefined {
  const present = offers.filter(({ peer }) => isPresent(peer))
  const isSigned = ({ source }: Offer) => source === undefined
  const claims = present.some(isSigned)
    ? present
    : [...present, ...offers.filter((one) => isSigned(one) && !isPresent(one.peer))]
  const offerers = new Map(claims.map(({ peer }) => [peer.id, peer]))
  if (present.length > 0 && offerers.size > 1) {
    const who = [...offerers.values()].map(({ id, name, state }) => `${name} (${shortId(id)}, ${state})`)
    throw new EarshotError(
      'EARSHOT_AMBIGUOUS_PEER',
      `several peers offer a service called '${name}': ${who.join(', ')} (give the id of one)`,
    )
  }
  return present.find(isSigned) ?? present[0] ?? offers[0]
}

/** What mDNS knows, or hears when it asks. */
async function ofHost({ earshot, name, given }: Search): Promise<Address[]> {
  try {
    return (await earshot.host(name, given)).addresses
  } catch (error) {
    throw error instanceof EarshotError && error.code === 'EARSHOT_NO_SUCH_HOST' ? unresolved(error.message) : error
  }
}

function nobody({ name, type, source }: Search): string {
  const signed = source === 'beacon' ? ' among what is signed' : ''
  return `no peer and no service${type === undefined ? '' : ` of type ${type}`} is called '${name}'${signed}`
}

function isHostName(name: string): boolean {
  return /^.+\.local\.?$/i.test(name)
}

function ifUnknown(error: unknown): undefined {
  if (error instanceof EarshotError && error.code === 'EARSHOT_NO_SUCH_PEER') return undefined
  throw error
}

function unresolved(message: string): EarshotError {
  return new EarshotError('EARSHOT_UNRESOLVED', message)
}
