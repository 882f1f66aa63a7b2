import { BlockList } from 'node:net'
import type { DatagramSource } from '../../core/link.ts'
import { isLinkLocal } from '../../shared/link-local.ts'
import type { SystemInterface } from './interfaces.ts'
import { contains, parseIpv4, type Subnet, subnetOf } from './subnet.ts'

/** What there is to know of a source address, whichever socket heard it. */
interface Origin {
  own: boolean
  /** The used interfaces that have this very address. */
  owners: readonly string[]
  /** The used interfaces in one of whose subnets it lies. */
  near: readonly string[]
  /** It lies in a subnet of an interface that is left out. */
  leftOut: boolean
}

export interface Judgement {
  onLink: boolean
  own: boolean
}

interface Home {
  name: string
  used: boolean
  addresses: Set<string>
  subnets: Subnet[]
  prefixes: BlockList
}

/** So many source addresses are remembered; a flood of forged ones costs a new look each, not memory. */
const REMEMBERED = 4096

/**
 * Says of a datagram's source whose it is. Linux hands a multicast group's IPv4 datagrams to every socket that is
 * bound to the group, from whichever interface they came (IP_MULTICAST_ALL, which Node cannot turn off), and broadcast
 * alike where two interfaces share a subnet: so an interface keeps only what comes from its own subnets. IPv6 sockets
 * are bound to their device by the scope of the address they are bound to, and hear the truth.
 */
export class Origins {
  #homes: Home[]
  #listeners: ReadonlyMap<string, string> | undefined
  #known = new Map<string, Origin>()

  /**
   * @param interfaces every interface of the machine
   * @param used the names of those in use
   * @param listeners for each shared IPv4 address that is listened on, the one interface that reports strangers there;
   * undefined: all do, as nobody can tell on which one a stranger is
   */
  constructor(
    interfaces: Iterable<SystemInterface>,
    used: { has(name: string): boolean },
    listeners: ReadonlyMap<string, string> | undefined,
  ) {
    this.#homes = Array.from(interfaces, (one) => homeOf(one, used.has(one.name)))
    this.#listeners = listeners
  }

  /**
   * @param name the interface whose socket heard it
   * @param path on which path
   * @param bound the address that the socket is bound to
   * @param address the source, without zone
   * @returns undefined when the datagram is not this interface's to report
   */
  judge(name: string, path: DatagramSource['path'], bound: string, address: string): Judgement | undefined {
    const { own, owners, near, leftOut } = this.#origin(address)
    const here = near.includes(name)
    if (path === 'unicast' || path === 'multicast6') return { onLink: here || own, own }
    if (own) return owners.includes(name) ? { onLink: true, own } : undefined
    if (here) return { onLink: true, own }
    const isStranger = near.length === 0 && !leftOut
    const reports = this.#listeners === undefined || this.#listeners.get(bound) === name
    return isStranger && reports ? { onLink: false, own } : undefined
  }

  #origin(address: string): Origin {
    const known = this.#known.get(address)
    if (known !== undefined) return known
    const origin = this.#lookUp(address)
    if (this.#known.size >= REMEMBERED) this.#known.clear()
    this.#known.set(address, origin)
    return origin
  }

  #lookUp(address: string): Origin {
    const ipv4 = parseIpv4(address)
    const linkLocal = ipv4 === undefined && isLinkLocal(address)
    const owners: string[] = []
    const near: string[] = []
    let own = false
    let leftOut = false
    for (const home of this.#homes) {
      const isOwn = home.addresses.has(address)
      own ||= isOwn
      if (isOwn && home.used) owners.push(home.name)
      const isNear =
        ipv4 !== undefined
          ? home.subnets.some((subnet) => contains(subnet, ipv4))
          : linkLocal || home.prefixes.check(address, 'ipv6')
      if (isNear && home.used) near.push(home.name)
      else if (isNear) leftOut = true
    }
    return { own, owners, near, leftOut }
  }
}

function homeOf(one: SystemInterface, used: boolean): Home {
  const prefixes = new BlockList()
  for (const { address, prefix } of one.ipv6) prefixes.addSubnet(address, prefix, 'ipv6')
  return {
    name: one.name,
    used,
    addresses: new Set([...one.ipv4, ...one.ipv6].map(({ address }) => address)),
    subnets: one.ipv4.map(({ address, netmask }) => subnetOf(address, netmask)).filter((subnet) => !!subnet),
    prefixes,
  }
}
