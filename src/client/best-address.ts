import type { Peer } from '../shared/api.ts'
import { isLinkLocal } from '../shared/link-local.ts'

export type Address = Peer['addresses'][number]
export type Family = Address['family']

/**
 * The address to reach a peer at: IPv4 before IPv6, as more programs take it, and link-local ones, which need a zone,
 * only where there is no other. Of equal ones the first: the daemon names those first that the peer is heard from.
 * Undefined when there is none of this family.
 */
export function bestAddress({ addresses }: Pick<Peer, 'addresses'>, family?: Family): Address | undefined {
  return addresses
    .filter((one) => family === undefined || one.family === family)
    .sort((one, other) => rank(one) - rank(other))[0]
}

function rank({ address, family }: Address): number {
  return (isLinkLocal(address) ? 2 : 0) + (family === 'ipv6' ? 1 : 0)
}

/** `192.168.1.20:80` or `[fe80::1%eth0]:80`. */
export function hostAndPort({ address, family }: Pick<Address, 'address' | 'family'>, port: number): string {
  return family === 'ipv6' ? `[${address}]:${port}` : `${address}:${port}`
}
