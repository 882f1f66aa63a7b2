import { isPresent } from '../../../shared/peer-state.ts'
import type { Peer } from './peer.ts'
import { Sources } from './sources.ts'

/**
 * One that is there may have to go when it was silent for longer than this, ms, and does not count: so a place, and what it
 * weighs, costs a beat a minute.
 */
export const MOST_SILENCE = 60_000

/** Who has to go when there is no room for a newcomer, and who counts as there. */
export class Room {
  readonly #sources = new Sources()
  readonly #peers = new Set<Peer>()
  /** Those that never beat, and those that failed or left, each in the order in which it came to that. */
  readonly #unproven = new Set<Peer>()
  readonly #gone = new Set<Peer>()
  /** Those that are there, have beaten, and have been silent for so long that they do not count. */
  readonly #silent = new Set<Peer>()

  /** How many are alive or suspect: only those that have beaten lately count, and at most eight of one source address. */
  get counted(): number {
    return this.#sources.counted
  }

  add(peer: Peer): void {
    this.#peers.add(peer)
    this.#sources.add(peer)
    this.#unproven.add(peer)
  }

  /** To be called of one that is not there. */
  remove(peer: Peer): void {
    this.#peers.delete(peer)
    this.#sources.remove(peer)
    this.#unproven.delete(peer)
    this.#gone.delete(peer)
  }

  /** It has beaten for the first time. */
  proved(peer: Peer): void {
    this.#unproven.delete(peer)
    if (isPresent(peer)) this.#sources.count(peer.source, 1)
  }

  /** It has changed its state. */
  moved(peer: Peer, wasPresent: boolean): void {
    const isThere = isPresent(peer)
    const counts = peer.hasBeaten && !this.#silent.has(peer)
    if (counts) this.#sources.count(peer.source, Number(isThere) - Number(wasPresent))
    this.#gone.delete(peer)
    if (isThere) return
    this.#gone.add(peer)
    this.#silent.delete(peer)
  }

  /** It has beaten. */
  heard(peer: Peer): void {
    if (this.#silent.delete(peer)) this.#sources.count(peer.source, 1)
  }

  /** Those that have not beaten since then, monotonic ms, do not count until they do. */
  discount(since: number): void {
    for (const peer of this.#peers) {
      if (peer.lastSeen >= since || !peer.hasBeaten || !isPresent(peer) || this.#silent.has(peer)) continue
      this.#silent.add(peer)
      this.#sources.count(peer.source, -1)
    }
  }

  isFull(source: string): boolean {
    return this.#sources.isFull(source)
  }

  /** Who is to make room, other than `known`; nobody when all are living peers. Monotonic ms. */
  victim(known: Peer | undefined, now: number): Peer | undefined {
    return first(this.#unproven, known) ?? first(this.#gone, known) ?? longestSilent(this.#peers, known, now)
  }

  /** Who is to make room for another one of a source address; nobody when all are living peers. Monotonic ms. */
  victimOf(source: string, now: number): Peer | undefined {
    const peers = [...this.#sources.peersOf(source)]
    const idle = peers.find(({ hasBeaten }) => !hasBeaten) ?? peers.find((peer) => !isPresent(peer))
    return idle ?? longestSilent(peers, undefined, now)
  }
}

function longestSilent(peers: Iterable<Peer>, known: Peer | undefined, now: number): Peer | undefined {
  let victim: Peer | undefined
  for (const peer of peers) {
    if (peer === known || now - peer.lastSeen <= MOST_SILENCE) continue
    if (!victim || peer.lastSeen < victim.lastSeen) victim = peer
  }
  return victim
}

function first(peers: Set<Peer>, except: Peer | undefined): Peer | undefined {
  for (const peer of peers) if (peer !== except) return peer
  return undefined
}
