import { BlockList, isIP } from 'node:net'

// Two lists: one would take an IPv4 address for a mapped one.
const IPV4 = new BlockList()
IPV4.addSubnet('0.0.0.0', 8, 'ipv4')
IPV4.addSubnet('127.0.0.0', 8, 'ipv4')
// Multicast, and what is reserved above it, broadcast included.
IPV4.addSubnet('224.0.0.0', 3, 'ipv4')

const IPV6 = new BlockList()
IPV6.addAddress('::', 'ipv6')
IPV6.addAddress('::1', 'ipv6')
IPV6.addSubnet('::ffff:0:0', 96, 'ipv6')
IPV6.addSubnet('ff00::', 8, 'ipv6')

/** Whether another host can have this address: loopback, unspecified, multicast and IPv4-mapped ones it cannot. */
export function isHostAddress(address: string, family: 'ipv4' | 'ipv6'): boolean {
  if (family === 'ipv4') return isIP(address) === 4 && !IPV4.check(address, family)
  return isIP(address) === 6 && !address.includes('%') && !IPV6.check(address, family)
}
