import { errorOf } from '../../shared/caught-error.ts'
import { Budget, BudgetByAddress } from '../budget.ts'
import type { DatagramSource } from '../link.ts'
import {
  type Beat,
  type Bye,
  CHAIN_LENGTH,
  decode,
  firstSight,
  follows,
  goodbyeCommitment,
  type Message,
  type MessageType,
  open,
  Reassembly,
  type RecordPart,
  type Refusal,
  writeDigest,
} from '../wire/index.ts'
import type { Answerer } from './answerer.ts'
import type { Asker } from './asker.ts'
import type { Ears } from './ears.ts'
import type { Liveness } from './liveness.ts'
import type { OwnRecords } from './own-records.ts'
import type { Peer } from './peers/peer.ts'
import { type Registry, signatureOf } from './peers/registry.ts'
import type { Self } from './peers/self.ts'
import type { Notice } from './peers/types.ts'
import type { Reminders } from './reminders.ts'
import type { Speaker } from './speaker.ts'

/** Chain positions ahead that are believed possible at any time, and per second on top of the beats: answers to probes. */
const STEPS_AT_ONCE = 16
const STEPS_PER_SECOND = 8
/**
 * So many hashes are always spent on a beat: as many positions as a peer uses within a lease, with two answers to probes
 * between two beats. More only within the budget, so that forged beats cannot eat up the time.
 */
const FREE_STEPS = 12
const HASHES_PER_SECOND = 20_000
/** Signatures checked per second: for known peers beyond what their beats give them, and for strangers. */
const SIGNATURES_PER_SECOND = 500
/** Of one address of strangers: a flood from one address leaves half to the others. */
const SIGNATURES_PER_SECOND_AND_ADDRESS = 250
/** So often we say who we are to somebody who speaks in our name. */
const CLAIMS_PER_SECOND = 0.5
/** Errors of this program that are noticed: one repeats with every datagram that causes it. */
const MOST_FAILURES = 16

/** Everything a datagram passes before it is believed: the cheapest checks first. */
export class Hearing {
  readonly received: Record<MessageType, number> = { beat: 0, record: 0, query: 0, bye: 0, probe: 0 }
  readonly refused: Partial<Record<Refusal, number>> = {}
  readonly #self: Self
  readonly #registry: Registry
  readonly #liveness: Liveness
  readonly #answerer: Answerer | undefined
  readonly #ownRecords: OwnRecords | undefined
  readonly #reminders: Reminders | undefined
  readonly #asker: Asker
  readonly #speaker: Speaker
  readonly #ears: Ears
  readonly #notice: (notice: Notice) => void
  readonly #reassembly = new Reassembly()
  /** Messages of the errors that were noticed. */
  readonly #failures = new Set<string>()
  readonly #hashes = new Budget(HASHES_PER_SECOND, HASHES_PER_SECOND)
  readonly #claims = new Budget(CLAIMS_PER_SECOND, 1)
  readonly #knownSignatures = new Budget(SIGNATURES_PER_SECOND, SIGNATURES_PER_SECOND)
  readonly #strangeSignatures = new Budget(SIGNATURES_PER_SECOND, SIGNATURES_PER_SECOND)
  readonly #signaturesByAddress = new BudgetByAddress(
    SIGNATURES_PER_SECOND_AND_ADDRESS,
    SIGNATURES_PER_SECOND_AND_ADDRESS,
  )

  constructor(parts: {
    self: Self
    registry: Registry
    liveness: Liveness
    /** Absent in a daemon that only listens, as are the next two. */
    answerer: Answerer | undefined
    ownRecords: OwnRecords | undefined
    reminders: Reminders | undefined
    asker: Asker
    speaker: Speaker
    ears: Ears
    notice: (notice: Notice) => void
  }) {
    this.#self = parts.self
    this.#registry = parts.registry
    this.#liveness = parts.liveness
    this.#answerer = parts.answerer
    this.#ownRecords = parts.ownRecords
    this.#reminders = parts.reminders
    this.#asker = parts.asker
    this.#speaker = parts.speaker
    this.#ears = parts.ears
    this.#notice = parts.notice
  }

  /** Takes one datagram. Never throws: what cannot be believed is counted by its reason. */
  hear(datagram: Uint8Array, where: DatagramSource, now: number): void {
    const refusal = this.#take(datagram, where, now)
    if (refusal) this.#refuse(refusal)
  }

  /** An error of this program that its caller caught: counted like a refusal, and noticed once for each message of 16 at most. */
  failed(error: unknown): void {
    this.#refuse('exception')
    const failure = errorOf(error)
    if (this.#failures.has(failure.message) || this.#failures.size >= MOST_FAILURES) return
    this.#failures.add(failure.message)
    this.#notice({ type: 'exception', error: failure })
  }

  #refuse(refusal: Refusal): void {
    this.refused[refusal] = (this.refused[refusal] ?? 0) + 1
  }

  #take(datagram: Uint8Array, where: DatagramSource, now: number): Refusal | undefined {
    if (!where.onLink && !where.own) return 'off-link'
    const message = decode(datagram)
    if (typeof message === 'string') return message
    if (message.id === this.#self.id) return this.#takeOwn(message, where, now)
    this.received[message.type]++
    switch (message.type) {
      case 'beat':
        return this.#beat(message, where, now)
      case 'record':
        return this.#record(message, where, now)
      case 'bye':
        return this.#bye(message, now)
      case 'query':
        this.#answerer?.query(message, where, now)
        return undefined
      case 'probe':
        this.#answerer?.probe(message, where, now, () => this.#speaker.beat(now))
        return undefined
    }
  }

  #beat(beat: Beat, where: DatagramSource, now: number): Refusal | undefined {
    const peer = this.#registry.get(beat.id)
    if (!peer || beat.incarnation > peer.incarnation) {
      this.#asker.want(beat.id, peer !== undefined, where.interface, now)
      return 'unproven'
    }
    if (beat.incarnation < peer.incarnation || peer.state === 'left' || beat.sequence < peer.link.sequence) {
      if (beat.incarnation < peer.incarnation) this.#reminders?.plan(peer, where.interface, now)
      return 'replayed'
    }
    if (beat.sequence === peer.link.sequence) {
      if (Buffer.compare(beat.reveal, peer.link.value) !== 0) return 'bad-reveal'
      if (!peer.isCopy(where, now)) return 'replayed'
      this.#hearBeat(peer, where, now)
      return 'duplicate'
    }
    const doubt = this.#doubt(peer, beat, now)
    if ((doubt && isFarAheadOfSilent(peer, beat)) || beat.recordVersion > peer.recordVersion)
      this.#asker.want(peer.id, true, where.interface, now)
    if (doubt) return doubt

    this.#registry.beat(peer, beat, now)
    this.#hearBeat(peer, where, now)
    this.#liveness.heard(peer, now)
    if (beat.echo !== 0) this.#liveness.echoed(peer, beat.echo, now)
    return undefined
  }

  #hearBeat(peer: Peer, where: DatagramSource, now: number): void {
    if (peer.heardOn(where, now, true)) this.#registry.located(peer, now)
  }

  /** Why a beat ahead of what was heard is not believed. */
  #doubt(peer: Peer, beat: Beat, now: number): Refusal | undefined {
    const steps = beat.sequence - peer.link.sequence
    if (steps > stepsExplained(peer, now)) return 'too-far-ahead'
    if (steps > FREE_STEPS && !this.#hashes.take(now, steps)) return 'too-far-ahead'
    return follows(peer.step, peer.link, { sequence: beat.sequence, value: beat.reveal }) ? undefined : 'bad-reveal'
  }

  #record(part: RecordPart, where: DatagramSource, now: number): Refusal | undefined {
    const peer = this.#registry.get(part.id)
    const order = peer ? compareVersions(part, peer) : 1
    if (peer && part.incarnation < peer.incarnation) this.#reminders?.plan(peer, where.interface, now)
    if (order === 0 && where.path !== 'unicast') this.#reminders?.heard(part.id)
    if (peer && (order < 0 || (peer.state === 'left' && part.incarnation === peer.incarnation))) return 'replayed'
    const leadsBack = peer !== undefined && order === 0 && isFarAheadOfSilent(peer, part)
    if (peer && order === 0 && !leadsBack && peer.hasCopy(where)) return 'duplicate'

    const signed = this.#reassembly.add(part, `${where.interface} ${where.address}`, now)
    if (signed === undefined || typeof signed === 'string') return signed
    const misfit = firstSight(signed)
    if (misfit) return misfit
    const signature = signatureOf(signed)
    const addresses = peer && order === 0 ? peer.addressesSignedBy(signature) : undefined
    if (peer && addresses) {
      // Played again by a stranger it would only take the room of a copy with other addresses.
      if (addresses.includes(where.address)) peer.addCopy(where, addresses, signature)
      return undefined
    }
    if (!this.#mayCheckSignature(peer, where, now)) return 'signature-budget'
    const record = open(signed)
    if (typeof record === 'string') return record
    if (peer && order === 0) {
      if (leadsBack) peer.anchorAt(record.anchor)
      if (!peer.hasCopy(where)) this.#registry.learnCopy(peer, where, record.addresses, signature, now)
      return undefined
    }
    const isNewLife = !peer || part.incarnation > peer.incarnation
    const interval = peer?.record.interval
    const learnt = this.#registry.learn(signed, record, where, now)
    if (!learnt) return 'registry-full'
    if (isNewLife) {
      learnt.heardOn(where, now, false)
      this.#liveness.watch(learnt)
    } else if (record.interval !== interval) {
      this.#liveness.intervalChanged(learnt, now)
    }
    return undefined
  }

  /** Nothing that is made up in the name or from the address of another costs a known peer the checks that its beats give it. */
  #mayCheckSignature(peer: Peer | undefined, where: DatagramSource, now: number): boolean {
    if (peer?.whereabouts().some(({ address }) => address === where.address)) {
      return peer.takeCheck() || this.#knownSignatures.take(now)
    }
    return this.#signaturesByAddress.take(where.address, now) && this.#strangeSignatures.take(now)
  }

  #bye(bye: Bye, now: number): Refusal | undefined {
    const peer = this.#registry.get(bye.id)
    if (!peer || bye.incarnation > peer.incarnation) return 'unproven'
    if (bye.incarnation < peer.incarnation || peer.state === 'left') return 'replayed'
    const commitment = writeDigest(goodbyeCommitment(bye.id, bye.incarnation, bye.secret))
    if (commitment !== peer.record.goodbye) return 'bad-goodbye'
    this.#registry.enter(peer, 'left', now)
    return undefined
  }

  /** Our own id: an echo of what we sent, or somebody who has our key, or pretends to. */
  #takeOwn(message: Message, where: DatagramSource, now: number): Refusal | undefined {
    if (where.own && message.incarnation === this.#self.incarnation) {
      if (message.type === 'beat' && where.path !== 'unicast') this.#ears.echo(where.interface, where.path, now)
      return undefined
    }
    // Our record, when they hear it, tells them who of the two gives way: they may never say theirs again.
    if (!where.own && this.#answerer && this.#claims.take(now)) this.#speaker.changed(now)
    if (message.type !== 'record' || message.incarnation < this.#self.incarnation) return 'own-id'
    const signed = this.#reassembly.add(message, `${where.interface} ${where.address}`, now)
    if (signed === undefined || typeof signed === 'string') return signed
    if (!this.#mayCheckSignature(undefined, where, now)) return 'signature-budget'
    const record = open(signed)
    if (typeof record !== 'string') this.#ownRecords?.heard(signed, record, where, now)
    return 'own-id'
  }
}

/** How many positions the time since the last proof can explain: beats, and answers to probes. */
function stepsExplained(peer: Peer, now: number): number {
  if (peer.provenAt === undefined) return CHAIN_LENGTH
  const elapsed = now - peer.provenAt
  const explained = STEPS_AT_ONCE + elapsed / peer.record.interval + (STEPS_PER_SECOND * elapsed) / 1000
  return Math.min(explained, CHAIN_LENGTH)
}

/**
 * Whether a silent peer may have come back, more positions ahead than are always hashed. The header that says so proves
 * nothing. The anchor of a newer copy of its record spares these hashes, which forged beats may have used up.
 */
function isFarAheadOfSilent({ state, link }: Peer, { sequence }: Message): boolean {
  return state !== 'alive' && sequence - link.sequence > FREE_STEPS
}

function compareVersions(part: RecordPart, peer: Peer): number {
  return part.incarnation - peer.incarnation || part.recordVersion - peer.recordVersion
}
