import type { Event, OfferedService, Peer, Service } from '../shared/api.ts'
import { isPresent, LEASE_INTERVALS, SUSPECT_TIMEOUT } from '../shared/peer-state.ts'
import { type ServiceChangeType, serviceChanges } from '../shared/service-changes.ts'
import type { DaemonEvent } from './api-client.ts'
import { peerMatcher, serviceMatcher, type WatchFilter } from './filter.ts'

/** The shortest time that a restarted daemon gets to hear all peers, ms. */
const MIN_GRACE_PERIOD = 5000

export type PeerChangeType = Exclude<Event['type'], 'peer'>

interface ChangeBase {
  /** When the daemon noticed the change, ISO 8601. */
  at: string
  /**
   * Whether the peer or the service is present after this change and matches the filter. To hold the current state, keep
   * what is present and remove what is not.
   */
  present: boolean
  /** The peer after this change. */
  peer: Peer
}

/** A change of a peer. A peer that no longer matches the filter is reported as `peer-update` and is not `present`. */
export type PeerChange = ChangeBase & { type: PeerChangeType }

/** A change of a service of this peer. It follows the change of the peer. */
export type ServiceChange = ChangeBase & { type: ServiceChangeType; service: OfferedService }

export type Change = PeerChange | ServiceChange

/** The end of the current state; changes follow. */
export interface Synced {
  type: 'sync'
  at: string
}

interface Unconfirmed {
  /** The peer is given up at this time, monotonic ms. */
  deadline: number
  /** The peer as the restarted daemon knows it so far; undefined while it does not know the peer. */
  latest: Peer | undefined
}

/**
 * The state of one watch: the peers as they were reported to the application. Events of the daemon are compared with it, so
 * that each change is reported once, even when the daemon repeats its state after a gap or a restart.
 *
 * A restarted daemon knows no peers at first. A peer that it does not name stays unconfirmed for as long as a daemon without
 * restart would wait for the peer's next beacon. After that, `expire` reports it.
 */
export class WatchState {
  readonly #matchesPeer: (peer: Peer) => boolean
  readonly #matchesService: (service: Service) => boolean
  readonly #reported = new Map<string, Peer>()
  readonly #unconfirmed = new Map<string, Unconfirmed>()
  #epoch: string | undefined
  #inSnapshot = true
  #hasSynced = false

  constructor(filter: WatchFilter) {
    this.#matchesPeer = peerMatcher(filter)
    this.#matchesService = serviceMatcher(filter.service)
  }

  /** The epoch of the daemon that the state comes from; undefined before the first `sync`. */
  get epoch(): string | undefined {
    return this.#epoch
  }

  /** When `expire` has to be called next, monotonic ms; undefined when every peer is confirmed. */
  get nextDeadline(): number | undefined {
    if (this.#inSnapshot || this.#unconfirmed.size === 0) return undefined
    return Math.min(...Array.from(this.#unconfirmed.values(), ({ deadline }) => deadline))
  }

  /** Starts a snapshot: the daemon's whole state follows. Every reported peer is unconfirmed until the daemon names it. */
  beginSnapshot(): void {
    this.#inSnapshot = true
    for (const id of this.#reported.keys()) {
      const deadline = this.#unconfirmed.get(id)?.deadline ?? Number.NEGATIVE_INFINITY
      this.#unconfirmed.set(id, { deadline, latest: undefined })
    }
  }

  /** Applies an event of the daemon and returns the changes to report. `now` is monotonic ms. */
  apply(event: DaemonEvent, now: number): (Change | Synced)[] {
    switch (event.type) {
      case 'gap':
        this.beginSnapshot()
        return []
      case 'sync':
        return this.#endSnapshot(event.epoch, event.at, now)
      case 'peer':
      case 'peer-up':
      case 'peer-update':
      case 'peer-suspect':
      case 'peer-failed':
      case 'peer-left':
        return this.#applyPeer(event.peer, event.at)
      default:
        // Changes of services are found by comparison with the reported peer, which also works across a gap.
        return []
    }
  }

  /**
   * Gives up the peers whose deadline has passed and returns the changes to report.
   * @param departed the peers that the daemon knows to have failed or left, by id
   */
  expire(now: number, at: string, departed: ReadonlyMap<string, Peer>): Change[] {
    const changes: Change[] = []
    for (const [id, { deadline, latest }] of [...this.#unconfirmed]) {
      if (deadline > now) continue
      this.#unconfirmed.delete(id)
      const before = this.#reported.get(id)
      if (!before) continue
      if (latest) changes.push(...this.#update(before, latest, at))
      else changes.push(...this.#remove(departed.get(id) ?? { ...before, state: 'failed' }, at))
    }
    return changes
  }

  #applyPeer(peer: Peer, at: string): Change[] {
    // The record of a failed peer may still change. That does not make the peer present again.
    if (!isPresent(peer) || !this.#matchesPeer(peer)) return this.#remove(peer, at)
    const before = this.#reported.get(peer.id)
    if (!before) {
      this.#reported.set(peer.id, peer)
      return [
        { type: 'peer-up', at, present: true, peer },
        ...changesOfServices([], peer, peer.services.filter(this.#matchesService), at),
      ]
    }
    const unconfirmed = this.#unconfirmed.get(peer.id)
    if (unconfirmed && hasChanged(before, peer) && !contradicts(before, peer)) {
      unconfirmed.latest = peer
      return []
    }
    this.#unconfirmed.delete(peer.id)
    return this.#update(before, peer, at)
  }

  #update(before: Peer, peer: Peer, at: string): Change[] {
    this.#reported.set(peer.id, peer)
    if (!hasChanged(before, peer)) return []
    const type = before.state === peer.state ? 'peer-update' : TYPE_OF_STATE[peer.state]
    const [old, current] = [before, peer].map(({ services }) => services.filter(this.#matchesService))
    return [{ type, at, present: true, peer }, ...changesOfServices(old ?? [], peer, current ?? [], at)]
  }

  #remove(peer: Peer, at: string): Change[] {
    const before = this.#reported.get(peer.id)
    if (!before) return []
    this.#reported.delete(peer.id)
    this.#unconfirmed.delete(peer.id)
    const type = isPresent(peer) ? 'peer-update' : TYPE_OF_STATE[peer.state]
    const old = before.services.filter(this.#matchesService)
    return [{ type, at, present: false, peer }, ...changesOfServices(old, peer, [], at)]
  }

  #endSnapshot(epoch: string, at: string, now: number): Synced[] {
    if (this.#inSnapshot) {
      const hasRestarted = epoch !== this.#epoch
      for (const [id, unconfirmed] of this.#unconfirmed) {
        unconfirmed.deadline = hasRestarted
          ? now + gracePeriod(this.#reported.get(id))
          : Math.max(now, unconfirmed.deadline)
      }
    }
    this.#inSnapshot = false
    this.#epoch = epoch
    if (this.#hasSynced) return []
    this.#hasSynced = true
    return [{ type: 'sync', at }]
  }
}

const TYPE_OF_STATE: Record<Peer['state'], PeerChangeType> = {
  alive: 'peer-up',
  suspect: 'peer-suspect',
  failed: 'peer-failed',
  left: 'peer-left',
}

/** How long a daemon that had not restarted would wait for the peer's next beacon before it gives the peer up, ms. */
function gracePeriod(peer: Peer | undefined): number {
  return Math.max(MIN_GRACE_PERIOD, LEASE_INTERVALS * (peer?.intervalMs ?? 0) + SUSPECT_TIMEOUT)
}

/** Whether two views of a peer differ in anything that counts as a change. */
function hasChanged(before: Peer, after: Peer): boolean {
  return (
    comparableFields(before) !== comparableFields(after) ||
    before.flapping !== after.flapping ||
    addressList(before) !== addressList(after)
  )
}

/**
 * As `hasChanged`, for the view of a daemon that has just started and does not know everything yet: it has not seen the peer
 * flap, and it learns the peer's addresses in other networks only with the records from there.
 */
function contradicts(before: Peer, after: Peer): boolean {
  const known = new Set(before.addresses.map(addressKey))
  return (
    comparableFields(before) !== comparableFields(after) ||
    after.addresses.some((address) => !known.has(addressKey(address)))
  )
}

function comparableFields(peer: Peer): string {
  const { state, name, hostname, services, attributes, version, incarnation, intervalMs } = peer
  return JSON.stringify([state, name, hostname, services, attributes, version, incarnation, intervalMs])
}

function addressList({ addresses }: Peer): string {
  return addresses.map(addressKey).sort().join()
}

function addressKey({ address, interface: name }: Peer['addresses'][number]): string {
  return `${address} ${name}`
}

/** The changes of the services of a peer. */
function changesOfServices(
  before: readonly OfferedService[],
  peer: Peer,
  after: readonly OfferedService[],
  at: string,
): Change[] {
  return serviceChanges(before, after).map(({ type, service }) => {
    return { type, at, present: type !== 'service-down', peer, service }
  })
}
