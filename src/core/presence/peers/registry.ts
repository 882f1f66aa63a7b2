import { isPresent, type PeerState } from '../../../shared/peer-state.ts'
import { type Agenda, NamedTasks } from '../../agenda.ts'
import type { DatagramSource } from '../../link.ts'
import type { PeerId } from '../../wire/id.ts'
import { type Beat, KEY_AND_SIGNATURE_BYTES } from '../../wire/messages.ts'
import type { SignedRecord } from '../../wire/record.ts'
import type { PeerRecord } from '../../wire/record-schema.ts'
import { EvictionPolicy } from './eviction.ts'
import { CHANGE_OF_STATE } from './journal.ts'
import { Peer } from './peer.ts'
import type { Notice, PeerChangeType, SilentChangeType } from './types.ts'

export const MAX_PEERS = 16_384
/** The limit for the total size of all records, in bytes. */
export const MAX_RECORDS_BYTES = 64 * 1024 * 1024
/** How long failed and left peers are kept, in ms. */
export const RETENTION = 24 * 3_600_000
/** How long failed and left peers are kept that have never beaten, in ms. */
const UNPROVEN_RETENTION = 60_000

/**
 * A changed record arrives in one copy per network. If no copy arrives from a network within this time, in ms, the addresses
 * that the old copy named are dropped.
 */
const COPIES_TIMEOUT = 500

/** A change that the registry reports. `peer-relocated`: the beats of the peer come from another address. */
export type PeerFact = PeerChangeType | SilentChangeType | 'peer-relocated'

/** Holds the peers that send beacons. Only the registry adds and removes them and changes their states. */
export class Registry {
  readonly #peers = new Map<PeerId, Peer>()
  readonly #names = new Map<string, Set<PeerId>>()
  readonly #agenda: Agenda
  readonly #notice: (notice: Notice) => void
  readonly #report: (peer: Peer, fact: PeerFact, now: number) => void
  readonly #eviction = new EvictionPolicy()
  #recordBytes = 0
  /** The notice that the registry is full was given, and no peer was removed since. */
  #fullNoticed = false

  /** Calls `report` for each change of a peer as soon as it is made. `report` must not change the registry. */
  constructor(
    agenda: Agenda,
    notice: (notice: Notice) => void,
    report: (peer: Peer, fact: PeerFact, now: number) => void,
  ) {
    this.#agenda = agenda
    this.#notice = notice
    this.#report = report
  }

  get size(): number {
    return this.#peers.size
  }

  get recordBytes(): number {
    return this.#recordBytes
  }

  /** The number of present peers that have beaten lately. Of one source address at most 8 count. */
  get presentCount(): number {
    return this.#eviction.presentCount
  }

  get(id: PeerId): Peer | undefined {
    return this.#peers.get(id)
  }

  values(): IterableIterator<Peer> {
    return this.#peers.values()
  }

  /**
   * Takes a verified record that is newer than the one held. Returns the peer. Returns undefined if the registry is full:
   * then a new peer is not added, and a known peer keeps its older record.
   */
  learn(signed: SignedRecord, record: PeerRecord, source: DatagramSource, now: number): Peer | undefined {
    const known = this.#peers.get(signed.id)
    const bytes = signed.joined.length - KEY_AND_SIGNATURE_BYTES
    if (!this.#makeRoom(known, bytes, source.address, now)) return undefined

    const peer = known ?? new Peer(signed.id, record, new NamedTasks(this.#agenda), source.address, now)
    const before = known && visibleContent(known)
    this.#setName(peer, known?.record.name, record.name)
    this.#recordBytes += bytes - peer.recordBytes
    const restarted = known !== undefined && signed.incarnation > known.incarnation
    if (!known || restarted) peer.startIncarnation(signed.incarnation)
    peer.setRecord(record, signed.recordVersion, bytes)
    peer.signed = signed.joined
    peer.addresses.addCopy(source, record.addresses, signatureOf(signed), peer.recordVersion)
    if (known) peer.tasks.set('drop-old-copies', now + COPIES_TIMEOUT, (later) => this.#dropOldCopies(peer, later))

    if (!known) {
      this.#peers.set(peer.id, peer)
      this.#eviction.add(peer)
      this.#report(peer, 'peer-up', now)
    } else if (restarted) {
      const type = isPresent(known) ? 'peer-update' : 'peer-up'
      peer.lastSeen = now
      this.#setState(peer, 'alive', now)
      this.#report(peer, type, now)
    } else if (before !== visibleContent(peer)) {
      this.#report(peer, 'peer-update', now)
    }
    return peer
  }

  /** Takes a fresh beat, whose chain value must have been verified. */
  beat(peer: Peer, beat: Beat, now: number): void {
    const isFirst = !peer.hasBeaten
    peer.beat(beat, now)
    if (isFirst) this.#eviction.firstBeat(peer)
    else this.#eviction.beat(peer)
  }

  /** Stops counting the peers that have not beaten since `since` (monotonic ms), until they beat again. */
  discountSilent(since: number): void {
    this.#eviction.discountSilent(since)
  }

  /** Takes a verified copy of the record that is held, from another network of the peer. */
  learnCopy(peer: Peer, source: DatagramSource, addresses: string[], signature: string, now: number): void {
    const before = peer.addresses.text
    peer.addresses.addCopy(source, addresses, signature, peer.recordVersion)
    if (peer.addresses.text !== before) this.#report(peer, 'peer-update', now)
  }

  /**
   * Changes a peer's state and reports it. The return of a peer that flaps is reported as `peer-damped`, its failure as
   * `peer-failed`.
   */
  enter(peer: Peer, state: PeerState, now: number): void {
    this.#setState(peer, state, now)
    if (state !== 'left') {
      const wasFlapping = peer.flapping.flapping
      if (peer.flapping.stateChanged(now)) this.#scheduleSettle(peer)
      if (wasFlapping && isPresent(peer)) {
        this.#report(peer, 'peer-damped', now)
        return
      }
    }
    this.#report(peer, CHANGE_OF_STATE[state], now)
  }

  /** To be called when the beats of a peer come from an address that they did not come from before. */
  relocated(peer: Peer, now: number): void {
    this.#report(peer, 'peer-relocated', now)
  }

  /** Drops the addresses that were received on an interface that is no longer in use. */
  forgetInterface(name: string, now: number): void {
    for (const peer of this.#peers.values())
      if (peer.addresses.forgetInterface(name)) this.#report(peer, 'peer-update', now)
  }

  #setState(peer: Peer, state: PeerState, now: number): void {
    if (peer.state === state) return
    const wasPresent = isPresent(peer)
    peer.enter(state, now)
    this.#eviction.stateChanged(peer, wasPresent)
    if (isPresent(peer)) {
      peer.tasks.cancel('forget')
      return
    }
    const retention = peer.hasBeaten ? RETENTION : UNPROVEN_RETENTION
    peer.tasks.set('forget', now + retention, (later) => this.#remove(peer, later))
  }

  #scheduleSettle(peer: Peer): void {
    peer.tasks.set('settle', peer.flapping.settlesAt, (now) => {
      if (peer.flapping.settle(now)) this.#report(peer, 'peer-update', now)
      else if (peer.flapping.flapping) this.#scheduleSettle(peer)
    })
  }

  #dropOldCopies(peer: Peer, now: number): void {
    const before = peer.addresses.text
    peer.addresses.keepCopiesOf(peer.recordVersion)
    if (peer.addresses.text !== before) this.#report(peer, 'peer-update', now)
  }

  #setName(peer: Peer, before: string | undefined, name: string): void {
    if (before === name) return
    if (before !== undefined) this.#removeName(peer.id, before)
    const ids = this.#names.get(name) ?? new Set<PeerId>()
    ids.add(peer.id)
    this.#names.set(name, ids)
    if (ids.size === 2) this.#notice({ type: 'name-shared', name, ids: [...ids] })
  }

  #removeName(id: PeerId, name: string): void {
    const ids = this.#names.get(name)
    ids?.delete(id)
    if (ids?.size === 0) this.#names.delete(name)
  }

  /** Makes room for a record, by evicting peers if necessary. Returns false if no peer may be evicted. */
  #makeRoom(known: Peer | undefined, bytes: number, source: string, now: number): boolean {
    const growth = bytes - (known?.recordBytes ?? 0)
    if (!known && this.#eviction.isSourceFull(source)) {
      const victim = this.#eviction.victimOfSource(source, now)
      if (!victim) return false
      this.#evict(victim, now)
    }
    const fits = () =>
      (known !== undefined || this.#peers.size < MAX_PEERS) &&
      (growth <= 0 || this.#recordBytes + growth <= MAX_RECORDS_BYTES)
    while (!fits()) {
      const victim = this.#eviction.victim(known, now)
      if (!victim) return this.#noticeFull(known)
      this.#evict(victim, now)
    }
    return true
  }

  #noticeFull(known: Peer | undefined): false {
    if (!this.#fullNoticed) {
      this.#notice({ type: 'limit', limit: known || this.#peers.size < MAX_PEERS ? 'record-bytes' : 'peers' })
    }
    this.#fullNoticed = true
    return false
  }

  /** Removes a peer to make room. A present peer fails first, so that readers see it go. */
  #evict(peer: Peer, now: number): void {
    if (isPresent(peer)) this.enter(peer, 'failed', now)
    this.#remove(peer, now)
  }

  #remove(peer: Peer, now: number): void {
    peer.tasks.cancelAll()
    this.#peers.delete(peer.id)
    this.#eviction.remove(peer)
    this.#removeName(peer.id, peer.record.name)
    this.#recordBytes -= peer.recordBytes
    this.#fullNoticed = false
    this.#report(peer, 'peer-forgotten', now)
  }
}

/** The key and signature of a signed record, to compare copies. */
export function signatureOf({ joined }: SignedRecord): string {
  return Buffer.from(joined.subarray(0, KEY_AND_SIGNATURE_BYTES)).toString('latin1')
}

/** The part of a peer's record whose change is reported. A new hash chain alone is not. The addresses are those of all copies. */
function visibleContent({ record, addresses: { text } }: Peer): string {
  const { anchor: _anchor, goodbye: _goodbye, addresses: _addresses, ...rest } = record
  return JSON.stringify(rest) + text
}
