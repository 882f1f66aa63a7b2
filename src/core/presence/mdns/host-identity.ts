import { isLinkLocal } from '../../../shared/link-local.ts'
import { isPresent } from '../../../shared/peer-state.ts'
import { canonicalAddress } from '../../address.ts'
import type { AddressOnInterface, Interface } from '../../link.ts'
import type { PeerId } from '../../wire/id.ts'
import type { Peer } from '../peers/peer.ts'
import type { Registry } from '../peers/registry.ts'
import type { Self } from '../peers/self.ts'
import type { PeerView, Sighting } from '../peers/types.ts'
import { type MdnsHost, SELF } from './mdns-host.ts'

/** How many addresses of one peer are compared with those of hosts. */
const MAX_PEER_ADDRESSES = 16

type LocatedAddress = Pick<AddressOnInterface, 'address' | 'interface'>

/**
 * Finds out which mDNS host is the same machine as a peer that sends beacons, or as this daemon. A host is identified
 *
 * - by its claim: its `_earshot._udp` service contains the id of a peer, or
 * - by its addresses: the beacons of a peer come from one of them, on the same interface.
 *
 * An address that is only in the record of a peer identifies no host: a peer can write any address into its record.
 */
export class HostIdentity {
  readonly #self: Self
  readonly #registry: Registry
  #ownAddresses = new Set<string>()
  /** Which hosts claim to be a peer. */
  readonly #claims = new TwoWayIndex<string>()
  readonly #hostAddresses = new TwoWayIndex<string>()
  /** The addresses that the beacons of present peers come from. */
  readonly #beaconAddresses = new TwoWayIndex<PeerId>()
  /** The addresses in the records of present peers. */
  readonly #recordAddresses = new TwoWayIndex<PeerId>()

  constructor(self: Self, registry: Registry) {
    this.#self = self
    this.#registry = registry
  }

  setOwnInterfaces(interfaces: readonly Interface[]): void {
    const keys = interfaces.flatMap(({ name, addresses }) =>
      addresses.map(({ address }) => ownAddressKey({ address, interface: name })),
    )
    this.#ownAddresses = new Set(keys)
  }

  setHost({ id, sighting: { claim, addresses } }: MdnsHost): void {
    this.#claims.set(id, claim === undefined ? [] : [claim])
    this.#hostAddresses.set(id, addresses.map(addressKey))
  }

  removeHost(id: string): void {
    this.#claims.set(id, [])
    this.#hostAddresses.set(id, [])
  }

  /** To be called when a peer has changed, or was removed. Returns the ids of the hosts whose identity may have changed. */
  setPeer(peer: Peer): Set<string> {
    const before = this.#beaconAddresses.keysOf(peer.id)
    const canMatch = this.#canMatch(peer)
    const keys = canMatch ? keysOf(peer.addresses.proven) : []
    if (before.join() !== keys.join()) this.#beaconAddresses.set(peer.id, keys)
    this.#recordAddresses.set(peer.id, canMatch ? keysOf(peer.addresses.all) : [])
    const atAddresses = [...before, ...keys].flatMap((key) => this.#hostAddresses.ownersOf(key))
    return new Set([...atAddresses, ...this.#claims.ownersOf(peer.id)])
  }

  /** The id of the peer that is the same machine as the host, or `SELF`. Undefined if there is none. */
  identify({ identifiedAs, sighting: { claim, addresses } }: MdnsHost): PeerId | typeof SELF | undefined {
    if (claim === this.#self.id || addresses.some((each) => this.#ownAddresses.has(ownAddressKey(each)))) return SELF
    if (claim !== undefined) {
      const peer = this.#registry.get(claim)
      return peer && this.#canMatch(peer) ? claim : undefined
    }
    const peers = addresses.flatMap((each) => this.#beaconAddresses.ownersOf(addressKey(each)))
    // A peer that begins to use an address does not take over the host of the peer that used it before.
    return peers.find((peer) => peer === identifiedAs) ?? this.#oldest(peers)
  }

  /** The peer that the host is identified as, and the reason. */
  describe({ sighting: { claim } }: MdnsHost, identifiedAs: PeerId | typeof SELF): NonNullable<PeerView['hidden']> {
    const isSelf = identifiedAs === SELF
    const id = isSelf ? this.#self.id : identifiedAs
    const name = isSelf ? this.#self.profile.name : (this.#registry.get(identifiedAs)?.record.name ?? '')
    return { id, name, because: claim === id ? 'claim' : 'address' }
  }

  /** Whether the host may be a peer whose beacons are yet to come: it claims so, or the record of a peer has its address. */
  mayBePeer({ claim, addresses }: Sighting): boolean {
    return claim !== undefined || addresses.some((each) => this.#recordAddresses.ownersOf(addressKey(each)).length > 0)
  }

  #oldest(ids: readonly PeerId[]): PeerId | undefined {
    const peers = ids.flatMap((id) => this.#registry.get(id) ?? [])
    return peers.sort((a, b) => a.firstSeen - b.firstSeen)[0]?.id
  }

  /** A peer that flaps still matches its host after it has failed, so that the host does not come and go as well. */
  #canMatch(peer: Peer): boolean {
    if (this.#registry.get(peer.id) !== peer) return false
    return isPresent(peer) || (peer.flapping.flapping && peer.state !== 'left')
  }
}

/** Finds the keys of an owner, and the owners of a key. */
class TwoWayIndex<Owner extends string> {
  readonly #owners = new Map<string, Set<Owner>>()
  readonly #keys = new Map<Owner, readonly string[]>()

  /** Replaces the keys of an owner. */
  set(owner: Owner, keys: readonly string[]): void {
    for (const key of this.keysOf(owner)) {
      const owners = this.#owners.get(key)
      owners?.delete(owner)
      if (owners?.size === 0) this.#owners.delete(key)
    }
    if (keys.length === 0) this.#keys.delete(owner)
    else this.#keys.set(owner, keys)
    for (const key of keys) {
      const owners = this.#owners.get(key)
      if (owners) owners.add(owner)
      else this.#owners.set(key, new Set([owner]))
    }
  }

  keysOf(owner: Owner): readonly string[] {
    return this.#keys.get(owner) ?? []
  }

  ownersOf(key: string): Owner[] {
    return [...(this.#owners.get(key) ?? [])]
  }
}

/** A key that is the same for every spelling of an address, and differs between interfaces. */
export function addressKey({ address, interface: name }: LocatedAddress): string {
  return `${canonicalAddress(address)} ${name}`
}

/**
 * A key for an address of this machine. It contains the interface only if the address is link-local: a host may see this
 * machine on another interface, because several interfaces may lead to one network.
 */
function ownAddressKey({ address, interface: name }: LocatedAddress): string {
  return isLinkLocal(address) ? addressKey({ address, interface: name }) : canonicalAddress(address)
}

function keysOf(addresses: readonly LocatedAddress[]): string[] {
  return [...new Set(addresses.slice(0, MAX_PEER_ADDRESSES).map(addressKey))]
}
