import { isPresent } from '../../../shared/peer-state.ts'
import type { PeerId } from '../../wire/id.ts'
import type { MdnsServices, Peer } from '../peers/peer.ts'
import type { Registry } from '../peers/registry.ts'
import type { OfferedService } from '../peers/types.ts'
import type { MdnsEventBudget, PendingEntries } from './event-budget.ts'
import { addressKey } from './host-identity.ts'
import { type MdnsHost, SELF } from './mdns-host.ts'

/** Limits of what mDNS may add to one peer. */
const MAX_SERVICES = 256
const MAX_SERVICE_BYTES = 32 * 1024
const MAX_ADDRESSES_PER_SERVICE = 8

/**
 * Merges the services of mDNS hosts into the peer that is the same machine, e.g. a printer that it shares, or its file
 * server. Services of a host that runs earshotd are not merged: the signed record of the peer lists them.
 */
export class MdnsServiceMerge {
  readonly #registry: Registry
  readonly #budget: MdnsEventBudget
  readonly #report: (peer: Peer, services: MdnsServices, now: number) => void
  readonly #hostsByPeer = new Map<PeerId, Map<string, MdnsHost>>()
  readonly #peerByHost = new Map<string, PeerId>()

  /** Calls `report` when the merged services of a present peer have changed. */
  constructor(
    registry: Registry,
    budget: MdnsEventBudget,
    report: (peer: Peer, services: MdnsServices, now: number) => void,
  ) {
    this.#registry = registry
    this.#budget = budget
    this.#report = report
  }

  /** To be called when a host, or the peer that it is identified as, has changed. */
  hostChanged(host: MdnsHost, now: number): void {
    const { identifiedAs, sighting } = host
    const isMerged =
      identifiedAs !== undefined && identifiedAs !== SELF && sighting.claim === undefined && isPresent(sighting)
    const peer = isMerged ? identifiedAs : undefined
    const before = this.#peerByHost.get(host.id)
    if (before !== undefined && before !== peer) this.#remove(host, before, now)
    if (peer === undefined) return
    this.#peerByHost.set(host.id, peer)
    this.#hostsByPeer.set(peer, (this.#hostsByPeer.get(peer) ?? new Map()).set(host.id, host))
    this.#submit(peer, now)
  }

  #remove(host: MdnsHost, peer: PeerId, now: number): void {
    this.#peerByHost.delete(host.id)
    const hosts = this.#hostsByPeer.get(peer)
    hosts?.delete(host.id)
    if (hosts?.size === 0) this.#hostsByPeer.delete(peer)
    this.#submit(peer, now)
  }

  #submit(peer: PeerId, now: number): void {
    this.#budget.submit(peer, (later) => this.#prepare(peer, later), now)
  }

  #prepare(id: PeerId, now: number): PendingEntries | undefined {
    const peer = this.#registry.get(id)
    if (!peer) return undefined
    const merged = this.#servicesOf(peer)
    const before = peer.mdnsServices
    if (JSON.stringify(merged.services) === JSON.stringify(before.services)) return undefined
    if (!isPresent(peer)) {
      // A peer that is not present offers no services, so there is nothing to write.
      peer.mdnsServices = merged
      return undefined
    }
    const cost = 1 + before.services.length + merged.services.length + (merged.bytes + peer.recordBytes) / 1024
    return { cost, write: () => this.#report(peer, merged, now) }
  }

  #servicesOf(peer: Peer): MdnsServices {
    const hosts = [...(this.#hostsByPeer.get(peer.id)?.values() ?? [])].sort((a, b) => (a.id < b.id ? -1 : 1))
    const recordAddresses = new Set(peer.addresses.all.map(addressKey))
    const services = new Map<string, OfferedService>()
    let bytes = 0
    for (const host of hosts) {
      // A merged service has the addresses of its own host, as far as the record of the peer contains them.
      const addresses = host.sighting.addresses
        .filter((each) => recordAddresses.has(addressKey(each)))
        .slice(0, MAX_ADDRESSES_PER_SERVICE)
      for (const service of host.services) {
        const merged = { ...service, addresses }
        const size = JSON.stringify(merged).length
        if (services.has(service.id) || services.size >= MAX_SERVICES || bytes + size > MAX_SERVICE_BYTES) continue
        services.set(service.id, merged)
        bytes += size
      }
    }
    return { services: [...services.values()], bytes }
  }
}
