import type { SharedPath } from '../../core/link.ts'
import { isLinkLocal } from '../../shared/link-local.ts'
import type { SocketWish } from './bound-socket.ts'
import type { SystemInterface } from './interfaces.ts'
import { broadcastAddress, type Subnet, subnetOf } from './subnet.ts'
import type { NetOptions } from './types.ts'

/** The sockets that one interface needs for one IP version. */
export interface Plan {
  /** Names all that the sockets depend on: another key means other sockets. */
  key: string
  port: number
  /** One for each subnet of the interface; the first also sends to addresses that lie in none of them. */
  senders: SenderPlan[]
  /** They hear what is said to everyone. */
  receivers: { path: SharedPath; socket: SocketWish }[]
}

/** How one address of the interface sends. What is said to everyone and what is said to one never share a socket. */
export interface SenderPlan {
  /** The destination of each shared path. */
  to: { path: SharedPath; address: string }[]
  /** Sends to everyone; absent where the receiver of a path does that too. */
  shared?: SocketWish
  /** Sends to one. */
  unicast: SocketWish
  /** Absent for IPv6, where one link-local address sends everything. */
  subnet?: Subnet
}

type Place = Pick<NetOptions, 'port' | 'group4' | 'group6' | 'sharedPort'>

/** Mark of a datagram that no router has passed on (RFC 6762, section 11). */
const UNROUTED = 255
/** Each subnet takes three sockets: an interface with more subnets than this uses the first ones. */
const MOST_SUBNETS = 16
/**
 * Groups that nobody joins. A socket that is bound to one sends from the shared port and hears nothing, so that it takes
 * no unicast from the other programs on that port.
 */
const UNJOINED = { group4: '239.255.153.254', group6: 'ff12::153:fffe' } as const
/** Bytes that may wait in the kernel for one socket that sends to single addresses, and as many again in this process. */
const UNICAST_QUEUE = 1 << 16
/** Bytes that may wait in this process for one socket that sends to everyone: more than an hour of beats. */
const SHARED_QUEUE = 1 << 18

const TO_ONE = { sends: { queue: UNICAST_QUEUE, kernelBuffer: UNICAST_QUEUE } } as const
const TO_EVERYONE = { queue: SHARED_QUEUE } as const

/** The IPv4 sockets of an interface, none when it has no IPv4 address. */
export function planIpv4({ name, ipv4 }: SystemInterface, { port, group4, sharedPort }: Place): Plan | undefined {
  const speaking = oneOfEachSubnet(ipv4)
  const first = speaking[0]
  if (first === undefined) return undefined
  const family = 'ipv4'
  const join = { group: group4, interface: first.address }
  if (sharedPort) {
    const key = `${name} ${first.address}`
    // One at the interface's own address would take the unicast of all others on the port.
    const sends = { ...TO_EVERYONE, multicastThrough: first.address, hopLimit: UNROUTED }
    const unicast = { family, address: UNJOINED.group4, port, sends: { ...TO_ONE.sends, hopLimit: UNROUTED } } as const
    return {
      key,
      port,
      senders: [{ to: [{ path: 'multicast4', address: group4 }], unicast }],
      receivers: [{ path: 'multicast4', socket: { family, address: group4, port, join, sends } }],
    }
  }
  const plan: Plan = {
    key: [name, ...speaking.map(({ address, netmask }) => `${address}/${netmask}`)].join(' '),
    port,
    senders: [],
    receivers: [{ path: 'multicast4', socket: { family, address: group4, port, join } }],
  }
  for (const { address, netmask, subnet } of speaking) {
    const to: SenderPlan['to'] = [{ path: 'multicast4', address: group4 }]
    const everyone = broadcastAddress(address, netmask)
    // A socket bound to the interface's own address does not hear broadcast: that takes one bound to just that.
    if (everyone !== undefined) {
      to.unshift({ path: 'broadcast', address: everyone })
      plan.receivers.unshift({ path: 'broadcast', socket: { family, address: everyone, port } })
    }
    const shared = { family, address, port, sends: { ...TO_EVERYONE, multicastThrough: address } } as const
    const sender: SenderPlan = { to, shared, unicast: { family, address, port, ...TO_ONE }, ...(subnet && { subnet }) }
    plan.senders.push(sender)
  }
  return plan
}

type Ipv4 = SystemInterface['ipv4'][number] & { subnet: Subnet | undefined }

/**
 * One address of each subnet, those of 169.254.0.0/16 (RFC 3927) last. An address with a subnet of its own (/32), in
 * which there is no neighbour, is left out unless it is the only one.
 */
function oneOfEachSubnet(addresses: SystemInterface['ipv4']): Ipv4[] {
  const all: Ipv4[] = addresses.map((one) => ({ ...one, subnet: subnetOf(one.address, one.netmask) }))
  const ordered = [
    ...all.filter(({ address }) => !isLinkLocal(address)),
    ...all.filter(({ address }) => isLinkLocal(address)),
  ]
  const chosen = new Map<string, Ipv4>()
  for (const one of ordered) {
    const { subnet, netmask } = one
    const key = subnet ? `${subnet.network}/${subnet.mask}` : one.address
    if (netmask !== '255.255.255.255' && !chosen.has(key) && chosen.size < MOST_SUBNETS) chosen.set(key, one)
  }
  return chosen.size > 0 ? [...chosen.values()] : ordered.slice(0, 1)
}

/**
 * The IPv6 sockets of an interface, none when it has no link-local address (`lo` has none, and Linux routes no
 * multicast to it). The zone in the addresses binds the sockets to the device.
 */
export function planIpv6(
  { name, linkLocal, index }: SystemInterface,
  { port, group6, sharedPort }: Place,
): Plan | undefined {
  if (linkLocal === undefined) return undefined
  const family = 'ipv6'
  const group = `${group6}%${name}`
  const any = `::%${name}`
  const key = `${name} ${linkLocal} ${index}`
  const join = { group: group6, interface: any }
  const to: SenderPlan['to'] = [{ path: 'multicast6', address: group }]
  if (sharedPort) {
    const sends = { ...TO_EVERYONE, multicastThrough: any, hopLimit: UNROUTED }
    const address = `${UNJOINED.group6}%${name}`
    const unicast = { family, address, port, sends: { ...TO_ONE.sends, hopLimit: UNROUTED } } as const
    const socket = { family, address: group, port, join, sends } as const
    return { key, port, senders: [{ to, unicast }], receivers: [{ path: 'multicast6', socket }] }
  }
  const address = `${linkLocal}%${name}`
  const shared = { family, address, port, sends: { ...TO_EVERYONE, multicastThrough: any } } as const
  return {
    key,
    port,
    senders: [{ to, shared, unicast: { family, address, port, ...TO_ONE } }],
    receivers: [{ path: 'multicast6', socket: { family, address: group, port, join } }],
  }
}
