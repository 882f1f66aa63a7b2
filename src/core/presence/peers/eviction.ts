import { isPresent } from '../../../shared/peer-state.ts'
import type { Peer } from './peer.ts'

/** How many peers the registry keeps that were first heard from the same source address. */
export const MAX_PEERS_PER_SOURCE = 512
/** How many present peers of one source address count. */
export const MAX_COUNTED_PER_SOURCE = 8
/**
 * A present peer can be evicted when no beat of it was heard for longer than this, in ms. So it costs one beat per minute
 * to keep a place in the registry.
 */
export const EVICTABLE_AFTER = 60_000

/** Decides which peer is evicted when the registry is full, and counts the peers that are present. */
export class EvictionPolicy {
  readonly #quotas = new SourceQuotas()
  readonly #peers = new Set<Peer>()
  /** The peers that have never beaten, in the order in which they were added. */
  readonly #unproven = new Set<Peer>()
  /** The peers that have failed or left, in the order in which they did. */
  readonly #gone = new Set<Peer>()
  /** The present peers that have beaten, but have been silent for too long to count. */
  readonly #silent = new Set<Peer>()

  /** The number of present peers that have beaten lately; of one source address at most `MAX_COUNTED_PER_SOURCE`. */
  get presentCount(): number {
    return this.#quotas.counted
  }

  add(peer: Peer): void {
    this.#peers.add(peer)
    this.#quotas.add(peer)
    this.#unproven.add(peer)
  }

  /** Removes a peer that is not present. */
  remove(peer: Peer): void {
    this.#peers.delete(peer)
    this.#quotas.remove(peer)
    this.#unproven.delete(peer)
    this.#gone.delete(peer)
  }

  /** Notes the first beat of a peer. */
  firstBeat(peer: Peer): void {
    this.#unproven.delete(peer)
    if (isPresent(peer)) this.#quotas.count(peer.source, 1)
  }

  /** Notes any later beat of a peer. */
  beat(peer: Peer): void {
    if (this.#silent.delete(peer)) this.#quotas.count(peer.source, 1)
  }

  /** Notes that the state of a peer has changed. */
  stateChanged(peer: Peer, wasPresent: boolean): void {
    const isNowPresent = isPresent(peer)
    const counts = peer.hasBeaten && !this.#silent.has(peer)
    if (counts) this.#quotas.count(peer.source, Number(isNowPresent) - Number(wasPresent))
    this.#gone.delete(peer)
    if (isNowPresent) return
    this.#gone.add(peer)
    this.#silent.delete(peer)
  }

  /** Stops counting the peers that have not beaten since `since` (monotonic ms), until they beat again. */
  discountSilent(since: number): void {
    for (const peer of this.#peers) {
      if (peer.lastSeen >= since || !peer.hasBeaten || !isPresent(peer) || this.#silent.has(peer)) continue
      this.#silent.add(peer)
      this.#quotas.count(peer.source, -1)
    }
  }

  /** Whether the registry keeps as many peers of a source address as it may. */
  isSourceFull(source: string): boolean {
    return this.#quotas.isFull(source)
  }

  /** The peer to evict, never `exempt`. Undefined when no peer can be evicted. `now` is in monotonic ms. */
  victim(exempt: Peer | undefined, now: number): Peer | undefined {
    return first(this.#unproven, exempt) ?? first(this.#gone, exempt) ?? longestSilent(this.#peers, exempt, now)
  }

  /** The peer of one source address to evict. Undefined when none can be evicted. `now` is in monotonic ms. */
  victimOfSource(source: string, now: number): Peer | undefined {
    const peers = [...this.#quotas.peersOf(source)]
    const idle = peers.find(({ hasBeaten }) => !hasBeaten) ?? peers.find((peer) => !isPresent(peer))
    return idle ?? longestSilent(peers, undefined, now)
  }
}

/**
 * The peers by the source address that each was first heard from. An attacker can invent thousands of peers. The quotas
 * limit how many of them one address can place in the registry, and how many of those count.
 */
class SourceQuotas {
  /** `peers` is in the order in which they were added. */
  readonly #sources = new Map<string, { readonly peers: Set<Peer>; beating: number }>()
  #counted = 0

  get counted(): number {
    return this.#counted
  }

  isFull(source: string): boolean {
    return this.peersOf(source).size >= MAX_PEERS_PER_SOURCE
  }

  peersOf(source: string): ReadonlySet<Peer> {
    return this.#sources.get(source)?.peers ?? new Set()
  }

  add(peer: Peer): void {
    const source = this.#sources.get(peer.source) ?? { peers: new Set(), beating: 0 }
    source.peers.add(peer)
    this.#sources.set(peer.source, source)
  }

  /** Removes a peer from its source. The caller has subtracted it from the number of beating peers. */
  remove(peer: Peer): void {
    const source = this.#sources.get(peer.source)
    source?.peers.delete(peer)
    if (source?.peers.size === 0) this.#sources.delete(peer.source)
  }

  /** Adds `difference` to the number of beating peers of a source address. */
  count(address: string, difference: number): void {
    const source = this.#sources.get(address)
    if (!source) return
    this.#counted -= Math.min(source.beating, MAX_COUNTED_PER_SOURCE)
    source.beating += difference
    this.#counted += Math.min(source.beating, MAX_COUNTED_PER_SOURCE)
  }
}

function longestSilent(peers: Iterable<Peer>, exempt: Peer | undefined, now: number): Peer | undefined {
  let victim: Peer | undefined
  for (const peer of peers) {
    if (peer === exempt || now - peer.lastSeen <= EVICTABLE_AFTER) continue
    if (!victim || peer.lastSeen < victim.lastSeen) victim = peer
  }
  return victim
}

function first(peers: Set<Peer>, exempt: Peer | undefined): Peer | undefined {
  for (const peer of peers) if (peer !== exempt) return peer
  return undefined
}
