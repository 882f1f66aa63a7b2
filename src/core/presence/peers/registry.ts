import { isPresent, type PeerState } from '../../../shared/peer-state.ts'
import { type Agenda, Plans } from '../../agenda.ts'
import type { DatagramSource } from '../../link.ts'
import { type Beat, type PeerId, type PeerRecord, SEAL_BYTES, type SignedRecord } from '../../wire/index.ts'
import { EvictionPolicy } from './eviction.ts'
import { CHANGE_OF_STATE, Journal } from './journal.ts'
import { type Gathered, Peer } from './peer.ts'
import type { Notice, PeerChangeType } from './types.ts'

export const MAX_PEERS = 16_384
export const MAX_RECORDS_BYTES = 64 * 1024 * 1024
/** How long failed and left peers are kept, ms. */
export const RETENTION = 24 * 3_600_000
/** The same for those that never beat, ms. */
const UNPROVEN_RETENTION = 60_000

/** A new record comes in a copy for each network; the addresses of a network it has not come from in this time, ms, have gone. */
const ALL_COPIES = 500

/** Whom we know, and what changed: the only place where a peer is added, removed or changes state. */
export class Registry {
  readonly journal = new Journal()
  readonly #peers = new Map<PeerId, Peer>()
  readonly #names = new Map<string, Set<PeerId>>()
  readonly #agenda: Agenda
  readonly #notice: (notice: Notice) => void
  readonly #changed: (peer: Peer, now: number) => void
  readonly #eviction = new EvictionPolicy()
  #recordBytes = 0
  #fullNoticed = false
  #aboutToTell: Peer | undefined

  /** `changed` is called at every change of a peer's state or addresses, and of where its beats come from, and when it is no longer held. */
  constructor(agenda: Agenda, notice: (notice: Notice) => void, changed: (peer: Peer, now: number) => void) {
    this.#agenda = agenda
    this.#notice = notice
    this.#changed = changed
  }

  get size(): number {
    return this.#peers.size
  }

  get recordBytes(): number {
    return this.#recordBytes
  }

  /** How many are alive or suspect: only those that have beaten lately count, and at most eight of one source address. */
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
   * Takes in a record that was checked and is newer than the one held. Returns the peer, or nothing when the
   * registry is full: then a newcomer is dropped, or a known peer keeps its older record.
   */
  learn(signed: SignedRecord, record: PeerRecord, where: DatagramSource, now: number): Peer | undefined {
    const known = this.#peers.get(signed.id)
    const bytes = signed.joined.length - SEAL_BYTES
    if (!this.#makeRoom(known, bytes, where.address, now)) return undefined

    const peer = known ?? new Peer(signed.id, record, new Plans(this.#agenda), where.address, now)
    const before = known && visible(known)
    this.#rename(peer, known?.record.name, record.name)
    this.#recordBytes += bytes - peer.recordBytes
    const restarted = known !== undefined && signed.incarnation > known.incarnation
    if (!known || restarted) peer.begin(signed.incarnation)
    peer.hold(record, signed.recordVersion, bytes)
    peer.signed = signed.joined
    peer.addCopy(where, record.addresses, signatureOf(signed))
    if (known) peer.plans.set('drop-old-copies', now + ALL_COPIES, (later) => this.#dropOldCopies(peer, later))

    if (!known) {
      this.#peers.set(peer.id, peer)
      this.#eviction.add(peer)
      this.#report(peer, 'peer-up', now)
    } else if (restarted) {
      const type = isPresent(known) ? 'peer-update' : 'peer-up'
      peer.lastSeen = now
      this.#move(peer, 'alive', now)
      this.#report(peer, type, now)
    } else if (before !== visible(peer)) {
      this.#report(peer, 'peer-update', now)
    }
    return peer
  }

  /** A beat that was proven fresh. */
  beat(peer: Peer, beat: Beat, now: number): void {
    const isFirst = !peer.hasBeaten
    peer.beat(beat, now)
    if (isFirst) this.#eviction.firstBeat(peer)
    else this.#eviction.beat(peer)
  }

  /** Those that have not beaten since then, monotonic ms, do not count as present until they do. */
  discountSilent(since: number): void {
    this.#eviction.discountSilent(since)
  }

  /** The same record by another way, with the addresses of another network. */
  learnCopy(peer: Peer, where: DatagramSource, addresses: string[], signature: string, now: number): void {
    const before = peer.addressText
    peer.addCopy(where, addresses, signature)
    if (peer.addressText !== before) this.#report(peer, 'peer-update', now)
  }

  /**
   * Changes a peer's state and reports it. Of one that keeps falling silent and coming back, returns are damped: it is
   * listed as it is, but told as present only when it has settled. That it has failed is told each time.
   */
  enter(peer: Peer, state: PeerState, now: number): void {
    this.#move(peer, state, now)
    if (state !== 'left') {
      const wasFlapping = peer.flapping.flapping
      if (peer.flapping.changed(now)) this.#planToSettle(peer)
      if (wasFlapping && isPresent(peer)) {
        this.#attend(peer, now)
        this.#damp(peer, now)
        return
      }
    }
    this.#report(peer, CHANGE_OF_STATE[state], now)
  }

  /** Its beats come from an address that they were not known to come from. */
  located(peer: Peer, now: number): void {
    this.#changed(peer, now)
  }

  /** What mDNS tells of a peer's services beside its record has changed. */
  gather(peer: Peer, gathered: Gathered, now: number): void {
    const before = JSON.stringify(peer.services)
    peer.gathered = gathered
    // Of one that is about to be told of, this is told with the rest.
    if (peer !== this.#aboutToTell && JSON.stringify(peer.services) !== before) this.#tell(peer, 'peer-update', now)
  }

  /** What was learnt through an interface that has gone is no longer so. */
  forgetInterface(name: string, now: number): void {
    for (const peer of this.#peers.values()) if (peer.forgetInterface(name)) this.#report(peer, 'peer-update', now)
  }

  #move(peer: Peer, state: PeerState, now: number): void {
    if (peer.state === state) return
    const wasPresent = isPresent(peer)
    peer.enter(state, now)
    this.#eviction.stateChanged(peer, wasPresent)
    if (isPresent(peer)) {
      peer.plans.cancel('forget')
      return
    }
    const retention = peer.hasBeaten ? RETENTION : UNPROVEN_RETENTION
    peer.plans.set('forget', now + retention, (later) => this.#remove(peer, later))
  }

  /** The host that mDNS knows it as leaves the list before it comes up itself, and takes its place after it has gone. */
  #report(peer: Peer, type: PeerChangeType, at: number): void {
    if (isPresent(peer)) this.#attend(peer, at)
    this.#tell(peer, type, at)
    if (!isPresent(peer)) this.#changed(peer, at)
  }

  /** Lets the others know of a change of a peer that is told right after. */
  #attend(peer: Peer, now: number): void {
    this.#aboutToTell = peer
    this.#changed(peer, now)
    this.#aboutToTell = undefined
  }

  #tell(peer: Peer, type: PeerChangeType, at: number): void {
    const { told, damped } = peer
    const isThere = isPresent(peer)
    const returns = isThere && !told.isPresent
    if (returns && peer.flapping.flapping) {
      this.#damp(peer, at)
      return
    }
    const view = peer.view()
    const offered = isThere ? peer.services : []
    // Readers that connected after a damped return hold the services that the peer offered then.
    const before = isThere ? told.services : (damped ?? told.services)
    this.journal.addWithServices({ type: returns ? 'peer-up' : type, at, peer: view }, weightOf(peer), before, offered)
    peer.told = { isPresent: isThere, services: offered }
    peer.damped = undefined
  }

  /** The list has changed, and nobody is told. */
  #damp(peer: Peer, at: number): void {
    this.journal.add({ type: 'peer-damped', at, peer: peer.view() }, weightOf(peer))
    peer.damped = peer.services
  }

  #planToSettle(peer: Peer): void {
    peer.plans.set('settle', peer.flapping.settlesAt, (now) => {
      if (peer.flapping.settle(now)) this.#report(peer, 'peer-update', now)
      else if (peer.flapping.flapping) this.#planToSettle(peer)
    })
  }

  #dropOldCopies(peer: Peer, now: number): void {
    const before = peer.addressText
    peer.dropOldCopies()
    if (peer.addressText !== before) this.#report(peer, 'peer-update', now)
  }

  #rename(peer: Peer, before: string | undefined, name: string): void {
    if (before === name) return
    if (before !== undefined) this.#unname(peer.id, before)
    const ids = this.#names.get(name) ?? new Set<PeerId>()
    ids.add(peer.id)
    this.#names.set(name, ids)
    if (ids.size === 2) this.#notice({ type: 'name-shared', name, ids: [...ids] })
  }

  #unname(id: PeerId, name: string): void {
    const ids = this.#names.get(name)
    ids?.delete(id)
    if (ids?.size === 0) this.#names.delete(name)
  }

  /** Room for a record: at need others make it. */
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
      if (!victim) return this.#full(known)
      this.#evict(victim, now)
    }
    return true
  }

  #full(known: Peer | undefined): false {
    if (!this.#fullNoticed) {
      this.#notice({ type: 'limit', limit: known || this.#peers.size < MAX_PEERS ? 'record-bytes' : 'peers' })
    }
    this.#fullNoticed = true
    return false
  }

  /** Of one that was told of as there, it is told first that it is no longer. */
  #evict(peer: Peer, now: number): void {
    if (isPresent(peer)) this.enter(peer, 'failed', now)
    this.#remove(peer, now)
  }

  #remove(peer: Peer, now: number): void {
    peer.plans.cancelAll()
    this.#peers.delete(peer.id)
    this.#eviction.remove(peer)
    this.journal.add({ type: 'peer-forgotten', at: now, peer: peer.view() }, weightOf(peer))
    this.#unname(peer.id, peer.record.name)
    this.#recordBytes -= peer.recordBytes
    this.#fullNoticed = false
    this.#changed(peer, now)
  }
}

/** What a change of it weighs in the journal, bytes. */
function weightOf({ recordBytes, gathered }: Peer): number {
  return recordBytes + gathered.bytes
}

/** The part of a joined record that tells its copies apart. */
export function signatureOf({ joined }: SignedRecord): string {
  return Buffer.from(joined.subarray(0, SEAL_BYTES)).toString('latin1')
}

/** What of a peer's record concerns its readers: a new hash chain alone is no news. Its copies differ in the addresses. */
function visible({ record, addressText }: Peer): string {
  const { anchor: _anchor, goodbye: _goodbye, addresses: _addresses, ...rest } = record
  return JSON.stringify(rest) + addressText
}
