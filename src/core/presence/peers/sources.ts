import type { Peer } from './peer.ts'

/** Peers that may be known from one source address. */
export const MOST_PEERS_OF_SOURCE = 512
/** Peers of one source address that count, however many there are. */
export const MOST_COUNTED_OF_SOURCE = 8

interface Source {
  /** In the order in which they were learnt. */
  readonly peers: Set<Peer>
  beating: number
}

/**
 * Whom each source address made known. Anybody can make up peers by the thousand; from one address they get a bounded
 * share of the room, and count for a few.
 */
export class Sources {
  readonly #sources = new Map<string, Source>()
  #counted = 0

  /** How many of those that beat count. */
  get counted(): number {
    return this.#counted
  }

  isFull(address: string): boolean {
    return this.peersOf(address).size >= MOST_PEERS_OF_SOURCE
  }

  peersOf(address: string): ReadonlySet<Peer> {
    return this.#sources.get(address)?.peers ?? new Set()
  }

  add(peer: Peer): void {
    const source = this.#sources.get(peer.source) ?? { peers: new Set(), beating: 0 }
    source.peers.add(peer)
    this.#sources.set(peer.source, source)
  }

  /** To be called when it no longer counts as beating. */
  remove(peer: Peer): void {
    const source = this.#sources.get(peer.source)
    source?.peers.delete(peer)
    if (source?.peers.size === 0) this.#sources.delete(peer.source)
  }

  /** So many more peers of an address beat, or fewer. */
  count(address: string, more: number): void {
    const source = this.#sources.get(address)
    if (!source) return
    this.#counted -= Math.min(source.beating, MOST_COUNTED_OF_SOURCE)
    source.beating += more
    this.#counted += Math.min(source.beating, MOST_COUNTED_OF_SOURCE)
  }
}
