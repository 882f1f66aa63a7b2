import type { Peer, Service } from '../shared/api.ts'
import { isPresent, LEASE_INTERVALS, SUSPECT_TIMEOUT } from '../shared/peer-state.ts'
import type { DaemonEvent } from './calls.ts'
import type { Change, Synced } from './change.ts'
import { appearance, development, differ, differSoFar, disappearance } from './differences.ts'
import { peerTest, serviceTest, type WatchFilter } from './filter.ts'

/** A daemon that has begun anew is given at least this long to hear everybody, ms. */
const LEAST_PATIENCE = 5000

interface Doubt {
  /** Monotonic ms. */
  until: number
  /** As the daemon knows it so far; undefined while it does not know the peer. */
  latest: Peer | undefined
}

/**
 * The peers as they were told to one who watches. What the daemon says is compared with that, so that everything is told
 * once, whatever is said again after a gap or by a daemon that has begun anew.
 *
 * A daemon that has begun anew knows nobody: a peer that it does not name is in doubt for as long as a daemon that was
 * there all the time would have waited for its next beat. Then it is `overdue`.
 */
export class ToldPeers {
  readonly #passes: (peer: Peer) => boolean
  readonly #wants: (service: Service) => boolean
  readonly #told = new Map<string, Peer>()
  readonly #doubts = new Map<string, Doubt>()
  #epoch: string | undefined
  /** The whole state is being told. */
  #stating = true
  #opened = false

  constructor(filter: WatchFilter) {
    this.#passes = peerTest(filter)
    this.#wants = serviceTest(filter.service)
  }

  /** The run of the daemon that all of this is known from; undefined before the first state was told. */
  get epoch(): string | undefined {
    return this.#epoch
  }

  /** When the next doubt has to be settled, monotonic ms. */
  get due(): number | undefined {
    if (this.#stating || this.#doubts.size === 0) return undefined
    return Math.min(...Array.from(this.#doubts.values(), ({ until }) => until))
  }

  /** From here on comes the whole state: all that was told is in doubt until it is named. */
  beginState(): void {
    this.#stating = true
    for (const id of this.#told.keys()) {
      this.#doubts.set(id, { until: this.#doubts.get(id)?.until ?? Number.NEGATIVE_INFINITY, latest: undefined })
    }
  }

  /** What an event changes in what was told. `now` is monotonic ms. */
  take(event: DaemonEvent, now: number): (Change | Synced)[] {
    switch (event.type) {
      case 'gap':
        this.beginState()
        return []
      case 'sync':
        return this.#sync(event.epoch, event.at, now)
      case 'peer':
      case 'peer-up':
      case 'peer-update':
      case 'peer-suspect':
      case 'peer-failed':
      case 'peer-left':
        return this.#see(event.peer, event.at)
      default:
        // What a change of a peer means for its services is found by comparing: across a gap there is no other way.
        return []
    }
  }

  /** Settles the doubts that are due. `fates` are the peers that the daemon knows to be gone, by id. */
  overdue(now: number, at: string, fates: ReadonlyMap<string, Peer>): Change[] {
    const changes: Change[] = []
    for (const [id, { until, latest }] of [...this.#doubts]) {
      if (until > now) continue
      this.#doubts.delete(id)
      const before = this.#told.get(id)
      if (!before) continue
      if (latest) changes.push(...this.#develop(before, latest, at))
      else changes.push(...this.#lose(fates.get(id) ?? { ...before, state: 'failed' }, at))
    }
    return changes
  }

  #see(peer: Peer, at: string): Change[] {
    // The record of one that has failed may still change: that does not bring it back.
    if (!isPresent(peer) || !this.#passes(peer)) return this.#lose(peer, at)
    const before = this.#told.get(peer.id)
    if (!before) {
      this.#told.set(peer.id, peer)
      return appearance(peer, at, this.#wants)
    }
    const doubt = this.#doubts.get(peer.id)
    if (doubt && differ(before, peer) && !differSoFar(before, peer)) {
      doubt.latest = peer
      return []
    }
    this.#doubts.delete(peer.id)
    return this.#develop(before, peer, at)
  }

  #develop(before: Peer, peer: Peer, at: string): Change[] {
    this.#told.set(peer.id, peer)
    return differ(before, peer) ? development(before, peer, at, this.#wants) : []
  }

  #lose(peer: Peer, at: string): Change[] {
    const before = this.#told.get(peer.id)
    if (!before) return []
    this.#told.delete(peer.id)
    this.#doubts.delete(peer.id)
    return disappearance(before, peer, at, this.#wants)
  }

  #sync(epoch: string, at: string, now: number): Synced[] {
    if (this.#stating) {
      const beganAnew = epoch !== this.#epoch
      for (const [id, doubt] of this.#doubts) {
        doubt.until = beganAnew ? now + patience(this.#told.get(id)) : Math.max(now, doubt.until)
      }
    }
    this.#stating = false
    this.#epoch = epoch
    if (this.#opened) return []
    this.#opened = true
    return [{ type: 'sync', at }]
  }
}

function patience(peer: Peer | undefined): number {
  return Math.max(LEAST_PATIENCE, LEASE_INTERVALS * (peer?.intervalMs ?? 0) + SUSPECT_TIMEOUT)
}
