import { BlockList, isIP } from 'node:net'

const IPV6 = new BlockList()
IPV6.addAddress('::', 'ipv6')
IPV6.addAddress('::1', 'ipv6')
IPV6.addSubnet('::ffff:0:0', 96, 'ipv6')
IPV6.addSubnet('ff00::', 8, 'ipv6')

/** Whether another host can have this address: loopback, unspecified, multicast and IPv4-mapped ones it cannot. */
export function isHostAddress(address: string, family: 'ipv4' | 'ipv6'): boolean {
  if (family === 'ipv4') {
    const first = Number.parseInt(address, 10)
    // From 224 on: multicast, and what is reserved above it, broadcast included.
    return isIP(address) === 4 && first !== 0 && first !== 127 && first < 224
  }
  return isIP(address) === 6 && !address.includes('%') && !IPV6.check(address, family)
}
