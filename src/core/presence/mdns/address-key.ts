import { isLinkLocal } from '../../../shared/link-local.ts'
import { canonicalAddress } from '../../address.ts'
import type { AddressOnInterface } from '../../link.ts'

type AddressOn = Pick<AddressOnInterface, 'address' | 'interface'>

/** An address on an interface as a key: one for all the ways to write it. */
export function addressKey({ address, interface: through }: AddressOn): string {
  return `${canonicalAddress(address)} ${through}`
}

/** An address of this machine as a key. All of its interfaces may lead to one network: only a link-local address is of one. */
export function ownAddressKey({ address, interface: through }: AddressOn): string {
  return isLinkLocal(address) ? addressKey({ address, interface: through }) : canonicalAddress(address)
}
