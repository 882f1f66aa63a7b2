import ipaddr from 'ipaddr.js'
import type { DatagramSource, Path } from '../../core/link.ts'
import { isLinkLocal } from '../../shared/link-local.ts'
import type { SystemInterface } from './system-interfaces.ts'

/** The facts about a source address that are the same for every receiving socket. */
interface SourceFacts {
  /** The address belongs to this machine. */
  own: boolean
  /** The used interfaces that have this address. */
  owners: readonly string[]
  /** The used interfaces that have a subnet with this address. */
  neighbors: readonly string[]
  /** The address lies in a subnet of an unused interface. */
  isOnUnused: boolean
  /** The last results, one for each path of each interface. They are handed out again: most sources send many datagrams. */
  results: Result[]
}

/** The result of a check, for the socket that is bound to an address. */
interface Result {
  bound: string
  source: DatagramSource
  isReported: boolean
}

type Address = ipaddr.IPv4 | ipaddr.IPv6

interface Endpoint {
  address: string
  port: number
}

interface KnownInterface {
  name: string
  isUsed: boolean
  addresses: Set<string>
  subnets: { network: Address; prefix: number }[]
}

/**
 * The maximum number of sources for which the results of the checks are cached. A full cache is emptied. So forged sources
 * cost computing time, but no memory.
 */
const MAX_CACHED = 2048

/**
 * Decides whether an interface reports a datagram, by its source address.
 *
 * Linux delivers IPv4 multicast to every socket bound to the group's address, whichever interface received it
 * (IP_MULTICAST_ALL, which Node cannot turn off). It does the same with broadcast if two interfaces share a subnet. So
 * each interface reports only datagrams from its own subnets. IPv6 sockets need no such rule: their scoped address binds
 * them to one interface.
 */
export class SourceFilter {
  #interfaces: KnownInterface[]
  #foreignReporters: ReadonlyMap<string, string> | undefined
  #cache = new Map<string, SourceFacts>()

  /**
   * @param interfaces all interfaces of the machine
   * @param used the names of those in use
   * @param foreignReporters for each shared IPv4 address, the one interface that reports sources in no subnet of this
   * machine; undefined: every interface reports them, since it is unknown which one they came through
   */
  constructor(
    interfaces: Iterable<SystemInterface>,
    used: { has(name: string): boolean },
    foreignReporters: ReadonlyMap<string, string> | undefined,
  ) {
    this.#interfaces = Array.from(interfaces, (each) => knownInterface(each, used.has(each.name)))
    this.#foreignReporters = foreignReporters
  }

  /**
   * @param name the interface whose socket received the datagram
   * @param bound the address that the socket is bound to
   * @param from the source. Its address may have a zone
   * @returns undefined if this interface must not report the datagram
   */
  check(name: string, path: Path, bound: string, { address, port }: Endpoint): DatagramSource | undefined {
    const facts = this.#facts(address)
    const { results } = facts
    // A loop makes no garbage: this is done for every datagram.
    let at = 0
    for (; at < results.length; at++) {
      const known = results[at]
      if (known?.bound !== bound || known.source.path !== path || known.source.interface !== name) continue
      if (known.source.port === port) return known.isReported ? known.source : undefined
      break
    }
    const decision = this.#decide(name, path, bound, facts)
    const { onLink = false, own = false } = decision ?? {}
    const source = { interface: name, path, address: withoutZone(address), port, onLink, own }
    results[at] = { bound, source, isReported: decision !== undefined }
    return decision && source
  }

  #decide(
    name: string,
    path: Path,
    bound: string,
    { own, owners, neighbors, isOnUnused }: SourceFacts,
  ): Pick<DatagramSource, 'onLink' | 'own'> | undefined {
    const isNeighbor = neighbors.includes(name)
    if (path === 'unicast' || path === 'multicast6') return { onLink: isNeighbor || own, own }
    if (own) return owners.includes(name) ? { onLink: true, own } : undefined
    if (isNeighbor) return { onLink: true, own }
    const isForeign = neighbors.length === 0 && !isOnUnused
    const reports = this.#foreignReporters === undefined || this.#foreignReporters.get(bound) === name
    return isForeign && reports ? { onLink: false, own } : undefined
  }

  #facts(address: string): SourceFacts {
    const cached = this.#cache.get(address)
    if (cached !== undefined) return cached
    const facts = this.#findFacts(withoutZone(address))
    if (this.#cache.size >= MAX_CACHED) this.#cache.clear()
    this.#cache.set(address, facts)
    return facts
  }

  #findFacts(address: string): SourceFacts {
    const parsed = parse(address)
    const isLinkLocalIpv6 = parsed.kind() === 'ipv6' && isLinkLocal(address)
    const owners: string[] = []
    const neighbors: string[] = []
    let own = false
    let isOnUnused = false
    for (const { name, isUsed, addresses, subnets } of this.#interfaces) {
      const isOwn = addresses.has(address)
      own ||= isOwn
      if (isOwn && isUsed) owners.push(name)
      const isNeighbor = isLinkLocalIpv6 || subnets.some(({ network, prefix }) => isInSubnet(parsed, network, prefix))
      if (isNeighbor && isUsed) neighbors.push(name)
      else if (isNeighbor) isOnUnused = true
    }
    return { own, owners, neighbors, isOnUnused, results: [] }
  }
}

function withoutZone(address: string): string {
  const zone = address.indexOf('%')
  return zone < 0 ? address : address.slice(0, zone)
}

/** Faster than `ipaddr.parse`, which first tries both versions. */
function parse(address: string): Address {
  return address.includes(':') ? ipaddr.IPv6.parse(address) : ipaddr.IPv4.parse(address)
}

function isInSubnet(address: Address, network: Address, prefix: number): boolean {
  return address.kind() === network.kind() && address.match(network, prefix)
}

function knownInterface({ name, ipv4, ipv6 }: SystemInterface, isUsed: boolean): KnownInterface {
  const all = [...ipv4, ...ipv6]
  return {
    name,
    isUsed,
    addresses: new Set(all.map(({ address }) => address)),
    subnets: all.map(({ address, prefix }) => ({ network: parse(address), prefix })),
  }
}
