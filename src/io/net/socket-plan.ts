import ipaddr from 'ipaddr.js'
import type { SharedPath } from '../../core/link.ts'
import { isLinkLocal } from '../../shared/link-local.ts'
import type { PrefixedAddress, SystemInterface } from './system-interfaces.ts'
import type { NetOptions } from './types.ts'
import type { UdpSocketOptions } from './udp-socket.ts'

/** The sockets that one interface needs for one IP version. */
export interface SocketPlan {
  /** Identifies everything the sockets depend on: a plan with another key needs other sockets. */
  key: string
  port: number
  /** One for each subnet of the interface. The first one also sends to addresses in none of the subnets. */
  senders: SenderPlan[]
  /** The sockets that receive broadcast and multicast. */
  receivers: { path: SharedPath; socket: UdpSocketOptions }[]
}

/**
 * How one address of the interface sends. The shared paths and unicast have separate sockets: unicast to an address that
 * does not answer waits for seconds in the kernel, and everything sent on the same socket waits behind it.
 */
export interface SenderPlan {
  /** The destination of each shared path. */
  to: { path: SharedPath; address: string }[]
  /** Sends on the shared paths. Absent if the receivers of the paths do. */
  shared?: UdpSocketOptions
  unicast: UdpSocketOptions
  /** The subnet it sends to. Absent for IPv6, where one link-local address sends everything. */
  subnet?: PrefixedAddress
}

type Endpoint = Pick<NetOptions, 'port' | 'group4' | 'group6' | 'sharedPort'>

/** The hop limit that shows the receiver that no router forwarded the datagram (RFC 6762, section 11). */
const MAX_HOP_LIMIT = 255
/** Each subnet takes three sockets. Of an interface with more subnets, only the first ones are used. */
const MAX_SUBNETS = 16
/**
 * Groups that no host joins. A socket bound to one of them can send from a shared port and receives nothing. So it takes
 * no unicast away from the other programs on that port.
 */
const UNUSED_GROUP4 = '239.255.153.254'
const UNUSED_GROUP6 = 'ff12::153:fffe'
/** Bytes that may wait in the kernel for one unicast socket, and as many again in this process. */
const UNICAST_QUEUE = 1 << 16
/** Bytes that may wait in this process for one socket of the shared paths: more than an hour of beats. */
const SHARED_QUEUE = 1 << 18

const UNICAST_SEND = { queue: UNICAST_QUEUE, kernelBuffer: UNICAST_QUEUE } as const
const SHARED_SEND = { queue: SHARED_QUEUE } as const

/** The IPv4 sockets of an interface; undefined if it has no IPv4 address. */
export function planIpv4({ name, ipv4 }: SystemInterface, endpoint: Endpoint): SocketPlan | undefined {
  const [first, ...others] = onePerSubnet(ipv4)
  if (first === undefined) return undefined
  return endpoint.sharedPort ? planSharedIpv4(name, first, endpoint) : planOwnIpv4(name, [first, ...others], endpoint)
}

function planOwnIpv4(name: string, addresses: [PrefixedAddress, ...PrefixedAddress[]], endpoint: Endpoint): SocketPlan {
  const { port, group4 } = endpoint
  const family = 'ipv4'
  const join = { group: group4, interface: addresses[0].address }
  const plan: SocketPlan = {
    key: [name, ...addresses.map(({ address, prefix }) => `${address}/${prefix}`)].join(' '),
    port,
    senders: [],
    receivers: [{ path: 'multicast4', socket: { family, address: group4, port, join } }],
  }
  for (const { address, prefix } of addresses) {
    const to: SenderPlan['to'] = [{ path: 'multicast4', address: group4 }]
    const broadcast = broadcastAddress(address, prefix)
    // A socket bound to the interface's address receives no broadcast. One bound to the broadcast address does.
    if (broadcast !== undefined) {
      to.unshift({ path: 'broadcast', address: broadcast })
      plan.receivers.unshift({ path: 'broadcast', socket: { family, address: broadcast, port } })
    }
    const shared = { family, address, port, send: { ...SHARED_SEND, multicastInterface: address } } as const
    const unicast = { family, address, port, send: UNICAST_SEND } as const
    plan.senders.push({ to, shared, unicast, subnet: { address, prefix } })
  }
  return plan
}

/** No socket is bound to the interface's address: it would take the unicast of the other programs on the port. */
function planSharedIpv4(name: string, { address }: PrefixedAddress, { port, group4 }: Endpoint): SocketPlan {
  const family = 'ipv4'
  const join = { group: group4, interface: address }
  const send = { ...SHARED_SEND, multicastInterface: address, hopLimit: MAX_HOP_LIMIT }
  const unicast = { family, address: UNUSED_GROUP4, port, send: { ...UNICAST_SEND, hopLimit: MAX_HOP_LIMIT } } as const
  return {
    key: `${name} ${address}`,
    port,
    senders: [{ to: [{ path: 'multicast4', address: group4 }], unicast }],
    receivers: [{ path: 'multicast4', socket: { family, address: group4, port, join, send } }],
  }
}

/**
 * One address of each subnet, those of 169.254.0.0/16 (RFC 3927) last. A /32 address, in whose subnet there is no other
 * host, is left out unless it is the only one.
 */
function onePerSubnet(addresses: PrefixedAddress[]): PrefixedAddress[] {
  const ordered = [
    ...addresses.filter(({ address }) => !isLinkLocal(address)),
    ...addresses.filter(({ address }) => isLinkLocal(address)),
  ]
  const selected = new Map<string, PrefixedAddress>()
  for (const each of ordered) {
    const subnet = `${ipaddr.IPv4.networkAddressFromCIDR(`${each.address}/${each.prefix}`)}/${each.prefix}`
    if (each.prefix < 32 && !selected.has(subnet) && selected.size < MAX_SUBNETS) selected.set(subnet, each)
  }
  return selected.size > 0 ? [...selected.values()] : ordered.slice(0, 1)
}

/**
 * The directed broadcast address of a subnet. Undefined for /31 and /32, which have none (RFC 3021), and for /0, where it
 * would address every network.
 */
export function broadcastAddress(address: string, prefix: number): string | undefined {
  if (prefix < 1 || prefix > 30) return undefined
  return ipaddr.IPv4.broadcastAddressFromCIDR(`${address}/${prefix}`).toString()
}

/**
 * The IPv6 sockets of an interface; undefined if it has no link-local address. (`lo` has none, and Linux routes no
 * multicast to it.) The zone in the addresses binds the sockets to the interface.
 */
export function planIpv6({ name, linkLocal, index }: SystemInterface, endpoint: Endpoint): SocketPlan | undefined {
  if (linkLocal === undefined) return undefined
  const { port, group6, sharedPort } = endpoint
  const family = 'ipv6'
  const group = `${group6}%${name}`
  const multicastInterface = `::%${name}`
  const key = `${name} ${linkLocal} ${index}`
  const join = { group: group6, interface: multicastInterface }
  const to: SenderPlan['to'] = [{ path: 'multicast6', address: group }]
  if (sharedPort) {
    const send = { ...SHARED_SEND, multicastInterface, hopLimit: MAX_HOP_LIMIT }
    const address = `${UNUSED_GROUP6}%${name}`
    const unicast = { family, address, port, send: { ...UNICAST_SEND, hopLimit: MAX_HOP_LIMIT } } as const
    const socket = { family, address: group, port, join, send } as const
    return { key, port, senders: [{ to, unicast }], receivers: [{ path: 'multicast6', socket }] }
  }
  const address = `${linkLocal}%${name}`
  const shared = { family, address, port, send: { ...SHARED_SEND, multicastInterface } } as const
  const unicast = { family, address, port, send: UNICAST_SEND } as const
  return {
    key,
    port,
    senders: [{ to, shared, unicast }],
    receivers: [{ path: 'multicast6', socket: { family, address: group, port, join } }],
  }
}
