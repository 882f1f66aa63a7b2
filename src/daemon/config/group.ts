import { BlockList, isIPv4, isIPv6 } from 'node:net'

const groups = new BlockList()
groups.addSubnet('224.0.0.0', 4, 'ipv4')

/** Whether a text is an IPv4 multicast address. */
export function isGroup4(text: string): boolean {
  return isIPv4(text) && groups.check(text, 'ipv4')
}

/** Whether a text is an IPv6 multicast address of link-local scope (`ff02::…`, `ff12::…`), without a zone. */
export function isGroup6(text: string): boolean {
  return isIPv6(text) && /^ff[0-9a-f]2:/i.test(text) && !text.includes('%')
}
