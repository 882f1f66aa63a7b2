import { isPresent, type PeerState } from '../../../shared/peer-state.ts'
import type { NamedTasks } from '../../agenda.ts'
import type { DatagramSource } from '../../link.ts'
import { type ChainLink, ChainStep, DIGEST_BYTES, decodeDigest } from '../../wire/hash-chain.ts'
import type { PeerId } from '../../wire/id.ts'
import type { Beat } from '../../wire/messages.ts'
import type { PeerRecord } from '../../wire/record-schema.ts'
import { PeerAddresses } from './peer-addresses.ts'
import type { OfferedService, PeerView } from './types.ts'

/** How many state changes are kept in the history of a peer. */
const MAX_HISTORY = 16
/** How many signatures of records in a peer's name are checked for each of its fresh beats, whatever other budgets say. */
const SIGNATURE_CHECKS_PER_BEAT = 16
/** At most this many missing beats in a row count as lost. After a longer gap the peer was probably away. */
const MAX_LOST = 1000

/** The services of the mDNS hosts that are the same machine as a peer. */
export interface MdnsServices {
  services: OfferedService[]
  /** Their size as JSON. */
  bytes: number
}

/** The tasks that can be scheduled for a peer. `verdict`: decide about a suspect one. */
type PeerTask = 'verdict' | 'probe' | 'forget' | 'drop-old-copies' | 'settle'

/** The state of one peer. The rules are in `Registry`, `Liveness` and `Inbound`. All times are monotonic ms. */
export class Peer {
  readonly id: PeerId
  readonly firstSeen: number
  /** The source address of the record by which the peer became known. */
  readonly source: string
  readonly addresses = new PeerAddresses()
  /**
   * At least one fresh beat was received. A record alone does not show that the peer exists: it may be a replay, or one of
   * thousands that an attacker has invented.
   */
  hasBeaten = false
  /** The scheduled tasks. The registry cancels them when it removes the peer. */
  readonly tasks: NamedTasks<PeerTask>
  readonly flapping = new Flapping()
  state: PeerState = 'alive'
  incarnation = 0
  recordVersion = 0
  record: PeerRecord
  recordBytes = 0
  /** The signed record: public key, signature and JSON. */
  signed: Uint8Array | undefined
  lastSeen: number
  /** Its lease does not end before this: its interval has changed. */
  leaseUntil = 0
  /** The newest position of the hash chain that is proven, by a beat or by the anchor of a signed record. */
  readonly link: ChainLink = { sequence: 0, value: new Uint8Array(DIGEST_BYTES) }
  /** When a beat proved `link`. Undefined if a record did. */
  provenAt: number | undefined
  step: ChainStep
  /** The round-trip time of the last probe, in ms. */
  rtt: number | undefined
  /** Services that mDNS adds to those in the record. */
  mdnsServices: MdnsServices = { services: [], bytes: 0 }
  /** Whether the peer was present in the newest event about it, and the services that it offered then. */
  reported: { isPresent: boolean; services: OfferedService[] } = { isPresent: false, services: [] }
  /** The services in the newest `peer-damped` entry about it, if that is newer than the newest event. */
  dampedServices: OfferedService[] | undefined
  #reception = new Reception()
  #signatureChecks = 0
  #history: PeerView['history']

  constructor(id: PeerId, record: PeerRecord, tasks: NamedTasks<PeerTask>, source: string, now: number) {
    this.id = id
    this.tasks = tasks
    this.source = source
    this.record = record
    this.firstSeen = now
    this.lastSeen = now
    this.step = new ChainStep(id, 0)
    this.#history = [{ at: now, state: 'alive' }]
  }

  /** The number of beats received in this incarnation, without answers to probes. */
  get beats(): number {
    return this.#reception.received
  }

  /** The services in its record. While the peer is present, also those that only mDNS announces for it. */
  get services(): OfferedService[] {
    const { services } = this.record
    if (this.mdnsServices.services.length === 0 || !isPresent(this)) return services
    const ids = new Set(services.map(({ id }) => id))
    const endpoints = new Set(services.map(endpointOf))
    return [
      ...services,
      ...this.mdnsServices.services.filter((one) => !ids.has(one.id) && !endpoints.has(endpointOf(one))),
    ]
  }

  /** Starts a new incarnation. Nothing that was proven or counted in the last one is valid any more. */
  startIncarnation(incarnation: number): void {
    this.incarnation = incarnation
    this.step = new ChainStep(this.id, incarnation)
    this.link.sequence = -1
    this.provenAt = undefined
    this.#reception = new Reception()
    this.addresses.dropCopies()
  }

  /** Takes a newer record, whose signature must have been verified. */
  setRecord(record: PeerRecord, recordVersion: number, bytes: number): void {
    this.record = record
    this.recordBytes = bytes
    this.recordVersion = recordVersion
    this.setAnchor(record.anchor)
  }

  /** Verifies later beats from this anchor on, if it is ahead. The record's signature must have been verified. */
  setAnchor({ sequence, value }: PeerRecord['anchor']): void {
    if (sequence <= this.link.sequence) return
    this.#setLink(sequence, decodeDigest(value))
    this.provenAt = undefined
  }

  /** Copies the value: a view of the datagram would keep it in memory. A loop costs less than `set` for so few bytes. */
  #setLink(sequence: number, value: Uint8Array): void {
    this.link.sequence = sequence
    const held = this.link.value
    for (let i = 0; i < DIGEST_BYTES; i++) held[i] = value[i] ?? 0
  }

  /** Takes a fresh beat, whose chain value must have been verified. */
  beat(beat: Beat, now: number): void {
    this.#setLink(beat.sequence, beat.reveal)
    this.provenAt = now
    this.lastSeen = now
    this.hasBeaten = true
    this.#signatureChecks = SIGNATURE_CHECKS_PER_BEAT
    if (beat.echo === 0) this.#reception.take(beat, now)
  }

  /**
   * Whether its newest beat, received again, can be the copy from another path. Copies come together, and never by unicast.
   */
  isCopy(source: DatagramSource, now: number): boolean {
    return source.path !== 'unicast' && this.provenAt !== undefined && now - this.provenAt <= this.record.interval
  }

  /** Takes one of the signature checks that the newest beat has granted. Only the peer itself can send a fresh beat. */
  takeSignatureCheck(): boolean {
    if (this.#signatureChecks === 0) return false
    this.#signatureChecks--
    return true
  }

  enter(state: PeerState, now: number): void {
    this.state = state
    this.#history = [...this.#history, { at: now, state }].slice(-MAX_HISTORY)
  }

  /** Members that are objects are the same ones as in earlier views while nothing in them has changed. */
  view(): PeerView {
    const { record } = this
    return {
      id: this.id,
      name: record.name,
      state: this.state,
      source: 'beacon',
      hostname: record.hostname,
      addresses: this.addresses.all,
      services: this.services,
      attributes: record.attributes,
      version: record.version,
      incarnation: this.incarnation,
      recordVersion: this.recordVersion,
      interval: record.interval,
      firstSeen: this.firstSeen,
      lastSeen: this.lastSeen,
      paths: this.addresses.paths,
      beacons: this.#reception.beacons,
      jitter: this.#reception.jitter,
      rtt: this.rtt,
      flapping: this.flapping.flapping,
      history: this.#history,
    }
  }
}

/** Reception statistics for the beats of one peer in one incarnation, without answers to probes. */
class Reception {
  received = 0
  lost = 0
  /** Interarrival jitter in ms (RFC 3550, section 6.4.1). */
  jitter = 0
  /** The last beat, and when it was received. Kept without an object of its own: one would be made for every beat. */
  #lastNumber = 0
  #lastSent = 0
  #lastAt = 0
  #beacons: PeerView['beacons'] = { heard: 0, lost: 0 }

  /** The same object as before while neither number has changed. */
  get beacons(): PeerView['beacons'] {
    const { received: heard, lost } = this
    if (this.#beacons.heard !== heard || this.#beacons.lost !== lost) this.#beacons = { heard, lost }
    return this.#beacons
  }

  /** Takes a fresh beat that was received at `now` (monotonic ms). */
  take({ number, sent }: Beat, now: number): void {
    this.received++
    if (this.received > 1 && number > this.#lastNumber) {
      this.lost += Math.min(number - this.#lastNumber - 1, MAX_LOST)
      const deviation = Math.abs(now - this.#lastAt - ((sent - this.#lastSent) >>> 0))
      this.jitter += (deviation - this.jitter) / 16
    }
    this.#lastNumber = number
    this.#lastSent = sent
    this.#lastAt = now
  }
}

/** Services with the same type and port are the same service. */
function endpointOf({ type, port }: OfferedService): string {
  return `${type.toLowerCase()} ${port}`
}

/** After this time, in ms, a state change counts half as much. */
const HALF_LIFE = 60_000
/**
 * The penalty above which a peer is flapping: as after four failures and returns within a minute. Each of them has three
 * changes (suspect, failed, alive).
 */
const SUPPRESS_ABOVE = 12
/** The penalty below which the peer is stable again. */
const REUSE_BELOW = 4

/** Route flap damping (RFC 2439) for one peer: a penalty that grows with each state change and decays exponentially. */
class Flapping {
  #penalty = 0
  #at = 0
  #flapping = false

  get flapping(): boolean {
    return this.#flapping
  }

  /** Counts one state change. Returns whether the peer starts to flap with this change. */
  stateChanged(now: number): boolean {
    this.#penalty = this.#penaltyAt(now) + 1
    this.#at = now
    const began = !this.#flapping && this.#penalty > SUPPRESS_ABOVE
    this.#flapping ||= began
    return began
  }

  /** When the peer will be stable if its state does not change again, in monotonic ms. */
  get settlesAt(): number {
    return this.#at + HALF_LIFE * Math.max(0, Math.log2(this.#penalty / REUSE_BELOW))
  }

  /** Ends the flapping if the penalty has decayed enough. Returns whether it did. */
  settle(now: number): boolean {
    if (!this.#flapping || this.#penaltyAt(now) > REUSE_BELOW * 1.001) return false
    this.#flapping = false
    return true
  }

  #penaltyAt(now: number): number {
    return this.#penalty * 2 ** ((this.#at - now) / HALF_LIFE)
  }
}
