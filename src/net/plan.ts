import type { Plan } from './family-sockets.ts'
import type { Interface } from './interfaces.ts'
import { broadcastAddress } from './subnet.ts'
import type { NetOptions } from './types.ts'

type Place = Pick<NetOptions, 'port' | 'group4' | 'group6' | 'sharedPort'>

/** Mark of a datagram that no router has passed on (RFC 6762, section 11). */
const UNROUTED = 255

/**
 * The IPv4 sockets of an interface, none when it has no IPv4 address. The first address speaks; further ones only widen
 * what counts as on the link.
 */
export function planIpv4({ name, ipv4 }: Interface, { port, group4, sharedPort }: Place): Plan | undefined {
  const first = ipv4[0]
  if (first === undefined) return undefined
  const { address, netmask } = first
  const family = 'ipv4'
  const key = `${name} ${address}/${netmask}`
  const join = { group: group4, interface: address }
  if (sharedPort) {
    // One at the interface's own address would take the unicast of all others on the port.
    const socket = { family, address: group4, port, join, sendsThrough: address, hopLimit: UNROUTED } as const
    return { key, port, ears: [{ path: 'multicast4', to: group4, socket }] }
  }
  const ears: Plan['ears'] = [
    {
      path: 'multicast4',
      to: group4,
      socket: { family, address: group4, port, join },
    },
  ]
  const everyone = broadcastAddress(address, netmask)
  // A socket bound to the interface's own address does not hear broadcast: that takes one bound to just that.
  if (everyone !== undefined) {
    ears.unshift({ path: 'broadcast', to: everyone, socket: { family, address: everyone, port } })
  }
  return { key, port, mouth: { family, address, port, sendsThrough: address }, ears }
}

/**
 * The IPv6 sockets of an interface, none when it has no link-local address (`lo` has none, and Linux routes no
 * multicast to it). The zone in the addresses binds the sockets to the device.
 */
export function planIpv6({ name, linkLocal, index }: Interface, { port, group6, sharedPort }: Place): Plan | undefined {
  if (linkLocal === undefined) return undefined
  const family = 'ipv6'
  const group = `${group6}%${name}`
  const any = `::%${name}`
  const key = `${name} ${linkLocal} ${index}`
  const join = { group: group6, interface: any }
  if (sharedPort) {
    const socket = { family, address: group, port, join, sendsThrough: any, hopLimit: UNROUTED } as const
    return { key, port, ears: [{ path: 'multicast6', to: group, socket }] }
  }
  return {
    key,
    port,
    mouth: { family, address: `${linkLocal}%${name}`, port, sendsThrough: any },
    ears: [
      {
        path: 'multicast6',
        to: group,
        socket: { family, address: group, port, join },
      },
    ],
  }
}
