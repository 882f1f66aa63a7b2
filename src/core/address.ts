import ipaddr from 'ipaddr.js'

/** IPv6 ranges in which no other host can have an address (RFC 4291, section 2). */
const NON_HOST_IPV6: readonly string[] = ['unspecified', 'loopback', 'ipv4Mapped', 'multicast']

/** Whether a text is an IPv4 address in dotted decimal form or an IPv6 address without a zone. */
export function isIpAddress(text: string): boolean {
  return text.includes(':') ? isIpv6Address(text) : ipaddr.IPv4.isValidFourPartDecimal(text)
}

/**
 * Whether another host can have this address. Unspecified, loopback, multicast, broadcast, reserved (240.0.0.0/4) and
 * IPv4-mapped addresses are refused. So are the obsolete IPv4-compatible ones in the form `::10.0.0.1`, which ipaddr.js
 * reads as IPv4-mapped, and texts that are no address of the family.
 */
export function isHostAddress(address: string, family: 'ipv4' | 'ipv6'): boolean {
  if (family === 'ipv6') return isIpv6Address(address) && !NON_HOST_IPV6.includes(ipaddr.IPv6.parse(address).range())
  const firstOctet = Number.parseInt(address, 10)
  return ipaddr.IPv4.isValidFourPartDecimal(address) && firstOctet !== 0 && firstOctet !== 127 && firstOctet < 224
}

/** One form for all the ways to write an address, to compare addresses as text. What is no IPv6 address stays as it is. */
export function canonicalAddress(address: string): string {
  return isIpv6Address(address) ? ipaddr.IPv6.parse(address).toNormalizedString() : address
}

function isIpv6Address(text: string): boolean {
  return ipaddr.IPv6.isValid(text) && !text.includes('%')
}
