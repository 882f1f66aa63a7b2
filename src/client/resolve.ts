import type { Peer, Service } from '../control/api.ts'
import { isGone } from './differences.ts'
import type { Earshot } from './earshot.ts'
import { EarshotError } from './error.ts'
import { serviceTest } from './filter.ts'

type Address = Peer['addresses'][number]

export interface ResolveOptions {
  /** The port of a service of this type: `http`, `http/tcp` or `_http._tcp`. */
  service?: string | undefined
  family?: Address['family'] | undefined
  signal?: AbortSignal | undefined
}

/** Where to reach a peer, or a service of it. */
export interface Resolved {
  /** Absent when it is a host that only mDNS knows of. */
  peer?: Peer
  /** When a service was asked for. */
  service?: Service
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
 * several addresses one that is not link-local, and IPv4 before IPv6.
 * @throws EarshotError EARSHOT_UNRESOLVED, and what the daemon answers
 */
export async function resolve(
  earshot: Earshot,
  name: string,
  { service: type, family, signal }: ResolveOptions,
): Promise<Resolved> {
  const given = signal && { signal }
  const found = (await ofPeer(earshot, name, type, given)) ?? (await ofService(earshot, name, type, given))
  const { peer, service } = found ?? {}
  if (peer && isGone(peer) && !(isHostName(name) && type === undefined)) {
    throw unresolved(`'${name}' is not there: it has ${peer.state}, last seen ${peer.lastSeen}`)
  }
  const addresses = peer && !isGone(peer) ? peer.addresses : await ofHost(earshot, name, type, given)
  const [best] = addresses
    .filter((address) => family === undefined || address.family === family)
    .sort((one, other) => rank(one) - rank(other))
  if (!best) throw unresolved(`'${name}' has no ${family ?? 'known'} address`)
  const hostname = best.family === 'ipv6' ? `[${best.address.replace('%', '%25')}]` : best.address
  return {
    ...(peer && !isGone(peer) && { peer }),
    address: best.address,
    family: best.family,
    hostname,
    host: service ? `${hostname}:${service.port}` : hostname,
    ...(service && { service, port: service.port }),
  }
}

interface Found {
  peer: Peer
  service?: Service | undefined
}

async function ofPeer(
  earshot: Earshot,
  name: string,
  type: string | undefined,
  options: { signal: AbortSignal } | undefined,
): Promise<Found | undefined> {
  const peer = await earshot.peer(name, options).catch(ifUnknown)
  if (!peer || type === undefined) return peer && { peer }
  const service = peer.services.find(serviceTest(type))
  if (!service) throw unresolved(`'${name}' offers no service of type ${type}`)
  return { peer, service }
}

async function ofService(
  earshot: Earshot,
  name: string,
  type: string | undefined,
  options: { signal: AbortSignal } | undefined,
): Promise<Found | undefined> {
  const { services } = await earshot.services({ name, ...(type !== undefined && { type }), self: true }, options)
  const found = services.find(({ peer }) => peer.state === 'alive') ?? services[0]
  if (!found) return undefined
  const { peer: offerer, ...service } = found
  return { peer: await earshot.peer(offerer.id, options), service }
}

/** What mDNS knows, or hears when it asks. */
async function ofHost(
  earshot: Earshot,
  name: string,
  type: string | undefined,
  options: { signal: AbortSignal } | undefined,
): Promise<Address[]> {
  if (!isHostName(name) || type !== undefined) {
    throw unresolved(`no peer and no service${type === undefined ? '' : ` of type ${type}`} is called '${name}'`)
  }
  try {
    return (await earshot.host(name, options)).addresses
  } catch (error) {
    throw error instanceof EarshotError && error.code === 'EARSHOT_NO_SUCH_HOST' ? unresolved(error.message) : error
  }
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

function rank({ address, family }: Address): number {
  const isLinkLocal = /^(fe[89ab]|169\.254\.)/i.test(address)
  return (isLinkLocal ? 2 : 0) + (family === 'ipv6' ? 1 : 0)
}
