import { isPresent } from '../../../shared/peer-state.ts'
import type { Interface } from '../../link.ts'
import type { PeerId } from '../../wire/index.ts'
import type { Peer } from '../peers/peer.ts'
import type { Registry } from '../peers/registry.ts'
import type { Self } from '../peers/self.ts'
import type { PeerView, Sighting } from '../peers/types.ts'
import { addressKey, ownAddressKey } from './address-key.ts'
import { KeyIndex } from './key-index.ts'
import type { Neighbour } from './neighbour.ts'

/** Addresses of a peer by which a host is known to be it. */
const MOST_KEYS = 16

/** The cover of a host that is this machine itself. */
export const SELF = 'self'
export type Cover = PeerId | typeof SELF

/**
 * Finds out who a host really is: the beaconing peer that it says it is, the one whose beats come from an address of it on
 * the same interface, or this machine.
 */
export class Covers {
  readonly #self: Self
  readonly #registry: Registry
  #own = new Set<string>()
  /** Hosts by the peer that they say they are. */
  readonly #claims = new KeyIndex<string>()
  readonly #hostAddresses = new KeyIndex<string>()
  /** Where the beats of the peers that are there come from. What else a record names is only said, and covers nobody. */
  readonly #places = new KeyIndex<PeerId>()
  /** What the records of the peers that are there name. */
  readonly #said = new KeyIndex<PeerId>()

  constructor(self: Self, registry: Registry) {
    this.#self = self
    this.#registry = registry
  }

  setOwn(interfaces: readonly Interface[]): void {
    const own = interfaces.flatMap(({ name, addresses }) =>
      addresses.map(({ address }) => ownAddressKey({ address, interface: name })),
    )
    this.#own = new Set(own)
  }

  setHost({ id, sighting: { claim, addresses } }: Neighbour): void {
    this.#claims.set(id, claim === undefined ? [] : [claim])
    this.#hostAddresses.set(id, addresses.map(addressKey))
  }

  removeHost(id: string): void {
    this.#claims.set(id, [])
    this.#hostAddresses.set(id, [])
  }

  /** A peer has changed, or is no longer held. Returns the hosts that it may be, or no longer is. */
  setPeer(peer: Peer): Set<string> {
    const before = this.#places.keysOf(peer.id)
    const mayCover = this.#mayCover(peer)
    const keys = mayCover ? keysOf(peer.provenAddresses) : []
    if (before.join() !== keys.join()) this.#places.set(peer.id, keys)
    this.#said.set(peer.id, mayCover ? keysOf(peer.addresses) : [])
    const there = [...before, ...keys].flatMap((key) => this.#hostAddresses.ownersOf(key))
    return new Set([...there, ...this.#claims.ownersOf(peer.id)])
  }

  /** Id of the peer that a host is, or `SELF`; undefined when it is nobody else. */
  coverOf({ cover, sighting: { claim, addresses } }: Neighbour): Cover | undefined {
    if (claim === this.#self.id || addresses.some((on) => this.#own.has(ownAddressKey(on)))) return SELF
    if (claim !== undefined) {
      const peer = this.#registry.get(claim)
      return peer && this.#mayCover(peer) ? claim : undefined
    }
    const peers = addresses.flatMap((on) => this.#places.ownersOf(addressKey(on)))
    // Whoever comes later to an address takes nothing from the one that was there.
    return peers.find((peer) => peer === cover) ?? this.#oldest(peers)
  }

  /** Who that is, and why the host is taken for it. */
  describe({ sighting: { claim } }: Neighbour, cover: Cover): NonNullable<PeerView['hidden']> {
    const id = cover === SELF ? this.#self.id : cover
    const name = cover === SELF ? this.#self.profile.name : (this.#registry.get(cover)?.record.name ?? '')
    return { id, name, because: claim === id ? 'claim' : 'address' }
  }

  /** Whether the host may turn out to be a beaconing peer, by what it or that peer says. */
  mayBeCovered({ claim, addresses }: Sighting): boolean {
    return claim !== undefined || addresses.some((on) => this.#said.ownersOf(addressKey(on)).length > 0)
  }

  #oldest(ids: readonly PeerId[]): PeerId | undefined {
    const peers = ids.flatMap((id) => this.#registry.get(id) ?? [])
    return peers.sort((a, b) => a.firstSeen - b.firstSeen)[0]?.id
  }

  /**
   * One that keeps falling silent and coming back stays the host that it is, until it has settled: so the host does not
   * come and go as well. One that the registry has forgotten is nobody.
   */
  #mayCover(peer: Peer): boolean {
    if (this.#registry.get(peer.id) !== peer) return false
    return isPresent(peer) || (peer.flapping.flapping && peer.state !== 'left')
  }
}

function keysOf(addresses: readonly { address: string; interface: string }[]): string[] {
  return [...new Set(addresses.slice(0, MOST_KEYS).map(addressKey))]
}
