/** Whether an IP address is link-local: in 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291, section 2.5.6). */
export function isLinkLocal(address: string): boolean {
  return /^(?:169\.254\.|fe[89ab][0-9a-f]:)/i.test(address)
}

/** Appends the zone to a link-local IPv6 address (`fe80::1%eth0`, RFC 4007). Other addresses have none. */
export function withZone(address: string, interfaceName: string): string {
  return address.includes(':') && isLinkLocal(address) ? `${address}%${interfaceName}` : address
}
