import { isPresent } from '../../../shared/peer-state.ts'
import type { PeerId } from '../../wire/index.ts'
import type { Peer } from '../peers/peer.ts'
import type { Registry } from '../peers/registry.ts'
import type { OfferedService } from '../peers/types.ts'
import { addressKey } from './address-key.ts'
import { SELF } from './covers.ts'
import type { Neighbour } from './neighbour.ts'
import type { News, Telling } from './telling.ts'

/** What one peer may have beside its record, bytes and number. */
const MOST_BYTES = 32 * 1024
const MOST_SERVICES = 256
/** Addresses of one service. */
const MOST_ADDRESSES = 8

/** Gathers what mDNS tells of a beaconing peer's machine under that peer: a printer that it shares, its file server. */
export class Gathering {
  readonly #registry: Registry
  readonly #telling: Telling
  /** The hosts that are a peer, by the peer. */
  readonly #hosts = new Map<PeerId, Map<string, Neighbour>>()
  /** The peer that a host is. */
  readonly #peerOf = new Map<string, PeerId>()

  constructor(registry: Registry, telling: Telling) {
    this.#registry = registry
    this.#telling = telling
  }

  /** A host, or who it is, has changed. */
  note(host: Neighbour, now: number): void {
    const { cover, sighting } = host
    // Of one that runs an earshotd, the record tells of the services.
    const isPart = cover !== undefined && cover !== SELF && sighting.claim === undefined && isPresent(sighting)
    const peer = isPart ? cover : undefined
    const before = this.#peerOf.get(host.id)
    if (before !== undefined && before !== peer) this.#leave(host, before, now)
    if (peer === undefined) return
    this.#peerOf.set(host.id, peer)
    this.#hosts.set(peer, (this.#hosts.get(peer) ?? new Map()).set(host.id, host))
    this.#telling.offer(peer, (later) => this.#news(peer, later), now)
  }

  #leave(host: Neighbour, peer: PeerId, now: number): void {
    this.#peerOf.delete(host.id)
    const hosts = this.#hosts.get(peer)
    hosts?.delete(host.id)
    if (hosts?.size === 0) this.#hosts.delete(peer)
    this.#telling.offer(peer, (later) => this.#news(peer, later), now)
  }

  #news(id: PeerId, now: number): News | undefined {
    const peer = this.#registry.get(id)
    if (!peer) return undefined
    const { services, bytes } = this.#servicesOf(peer)
    if (JSON.stringify(services) === JSON.stringify(peer.gathered.services)) return undefined
    if (!isPresent(peer)) {
      // Nobody is told of it: what has gone offers nothing.
      peer.gathered = { services, bytes }
      return undefined
    }
    const weight = 1 + peer.gathered.services.length + services.length + (bytes + peer.recordBytes) / 1024
    return { weight, tell: () => this.#registry.gather(peer, { services, bytes }, now) }
  }

  #servicesOf(peer: Peer): { services: OfferedService[]; bytes: number } {
    const hosts = [...(this.#hosts.get(peer.id)?.values() ?? [])].sort((one, other) => (one.id < other.id ? -1 : 1))
    const said = new Set(peer.addresses.map(addressKey))
    const services = new Map<string, OfferedService>()
    let bytes = 0
    for (const host of hosts) {
      // A service of mDNS leads to its own host, and to no other address that the peer names.
      const addresses = host.sighting.addresses.filter((on) => said.has(addressKey(on))).slice(0, MOST_ADDRESSES)
      for (const service of host.services) {
        const gathered = { ...service, addresses }
        const size = JSON.stringify(gathered).length
        if (services.has(service.id) || services.size >= MOST_SERVICES || bytes + size > MOST_BYTES) continue
        services.set(service.id, gathered)
        bytes += size
      }
    }
    return { services: [...services.values()], bytes }
  }
}
