import { isLinkLocal } from '../../../shared/link-local.ts'

interface AddressOn {
  address: string
  interface: string
}

/** An address on an interface as a key: one for all the ways to write it. */
export function addressKey({ address, interface: through }: AddressOn): string {
  return `${expanded(address)} ${through}`
}

/** An address of this machine as a key. All of its interfaces may lead to one network: only a link-local address is of one. */
export function ownAddressKey({ address, interface: through }: AddressOn): string {
  return isLinkLocal(address) ? addressKey({ address, interface: through }) : expanded(address)
}

/** An IPv6 address in eight groups, as beacons and mDNS may shorten it differently (RFC 5952); IPv4 as it is. */
function expanded(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.toLowerCase().split('::')
  const before = groups(head)
  const after = groups(tail ?? '')
  const zeros = tail === undefined ? [] : new Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  return [...before, ...zeros, ...after].join(':')
}

function groups(text: string): string[] {
  return text === '' ? [] : text.split(':').map((group) => group.replace(/^0+(?=.)/, ''))
}
