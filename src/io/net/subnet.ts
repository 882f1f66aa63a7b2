/** An IPv4 subnet as two unsigned 32-bit numbers. */
export interface Subnet {
  network: number
  mask: number
}

/** A dotted IPv4 address as an unsigned 32-bit number; undefined when it is not one. */
export function parseIpv4(text: string): number | undefined {
  let value = 0
  let octet = -1
  let octets = 0
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : 46
    if (code === 46) {
      if (octet < 0 || octets === 4) return undefined
      value = value * 256 + octet
      octets++
      octet = -1
    } else if (code >= 48 && code <= 57) {
      octet = (octet < 0 ? 0 : octet * 10) + code - 48
      if (octet > 255) return undefined
    } else return undefined
  }
  return octets === 4 ? value : undefined
}

/** The dotted form of an unsigned 32-bit number. */
export function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`
}

/** The subnet that an interface's address and netmask span; undefined when either is malformed. */
export function subnetOf(address: string, netmask: string): Subnet | undefined {
  const own = parseIpv4(address)
  const mask = parseIpv4(netmask)
  return own === undefined || mask === undefined ? undefined : { network: (own & mask) >>> 0, mask }
}

/** Whether the address (an unsigned 32-bit number) lies in the subnet. */
export function contains(subnet: Subnet, address: number): boolean {
  return (address & subnet.mask) >>> 0 === subnet.network
}

/**
 * The directed broadcast address of an interface; undefined for /31 and /32, which have none (RFC 3021), for /0, where
 * it would mean every network, and for malformed input.
 */
export function broadcastAddress(address: string, netmask: string): string | undefined {
  const subnet = subnetOf(address, netmask)
  if (subnet === undefined) return undefined
  const hosts = ~subnet.mask >>> 0
  // A netmask is ones and then zeros, so the part for hosts plus one is a power of two.
  const contiguous = (hosts & (hosts + 1)) === 0
  return contiguous && hosts >= 3 && subnet.mask !== 0 ? formatIpv4((subnet.network | hosts) >>> 0) : undefined
}
