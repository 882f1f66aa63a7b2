import { errorOf } from '../../shared/caught-error.ts'
import { Budget, KeyedBudget } from '../budget.ts'
import type { DatagramSource } from '../link.ts'
import { decode, isCopyOf } from '../wire/codec.ts'
import { CHAIN_LENGTH, encodeDigest, follows } from '../wire/hash-chain.ts'
import { goodbyeCommitment } from '../wire/identity.ts'
import type { Beat, Bye, Message, MessageType, RecordPart, Refusal } from '../wire/messages.ts'
import { Reassembly } from '../wire/reassembly.ts'
import { precheckRecord, verifyRecord } from '../wire/record.ts'
import type { Announcer } from './announcer.ts'
import type { Answerer } from './answerer.ts'
import type { IncarnationReminders, OwnKeyConflicts } from './incarnations.ts'
import type { Liveness } from './liveness.ts'
import type { LoopbackMonitor } from './loopback-monitor.ts'
import type { Peer } from './peers/peer.ts'
import { type Registry, signatureOf } from './peers/registry.ts'
import type { Self } from './peers/self.ts'
import type { Notice } from './peers/types.ts'
import type { Querier } from './querier.ts'

/** By how many chain positions a peer may be ahead, besides its beats: at any time, and for each second of silence. */
const EXTRA_STEPS = 16
const EXTRA_STEPS_PER_SECOND = 8
/**
 * Up to this many hash steps are always computed for a beat: a peer uses as many positions within a lease if it answers two
 * probes between two beats. More steps are computed only within a budget, so that forged beats cannot use up the CPU.
 */
const FREE_STEPS = 12
const HASHES_PER_SECOND = 20_000
/** Signature checks per second, for all known peers and for all unknown ones. Each beat of a known peer grants it more checks. */
const SIGNATURES_PER_SECOND = 500
/** Signature checks per second for one address of unknown peers. A flood from one address leaves half of the budget. */
const SIGNATURES_PER_SECOND_AND_ADDRESS = 250
/** How often this peer sends its record in reply to a sender that uses its id. */
const OWN_ID_REPLIES_PER_SECOND = 0.5
/** How many different exceptions are reported. Each may repeat with every datagram. */
const MAX_REPORTED_EXCEPTIONS = 16

/** Checks every received datagram, cheapest check first, and passes on what is valid. */
export class Inbound {
  readonly received: Record<MessageType, number> = { beat: 0, record: 0, query: 0, bye: 0, probe: 0 }
  readonly refused: Partial<Record<Refusal, number>> = {}
  readonly #self: Self
  readonly #registry: Registry
  readonly #liveness: Liveness
  readonly #answerer: Answerer | undefined
  readonly #ownKeyConflicts: OwnKeyConflicts | undefined
  readonly #reminders: IncarnationReminders | undefined
  readonly #querier: Querier
  readonly #announcer: Announcer
  readonly #loopback: LoopbackMonitor
  readonly #notice: (notice: Notice) => void
  readonly #reassembly = new Reassembly()
  /** The last fresh beat, its datagram and its peer. */
  #lastBeat: { datagram: Uint8Array; beat: Beat; peer: Peer } | undefined
  /** Messages of the exceptions that were reported. */
  readonly #exceptions = new Set<string>()
  readonly #hashes = new Budget(HASHES_PER_SECOND, HASHES_PER_SECOND)
  readonly #ownIdReplies = new Budget(OWN_ID_REPLIES_PER_SECOND, 1)
  readonly #knownSignatures = new Budget(SIGNATURES_PER_SECOND, SIGNATURES_PER_SECOND)
  readonly #unknownSignatures = new Budget(SIGNATURES_PER_SECOND, SIGNATURES_PER_SECOND)
  readonly #signaturesByAddress = new KeyedBudget(SIGNATURES_PER_SECOND_AND_ADDRESS, SIGNATURES_PER_SECOND_AND_ADDRESS)

  constructor(parts: {
    self: Self
    registry: Registry
    liveness: Liveness
    /** Undefined in a daemon that only listens, as are the next two. */
    answerer: Answerer | undefined
    ownKeyConflicts: OwnKeyConflicts | undefined
    reminders: IncarnationReminders | undefined
    querier: Querier
    announcer: Announcer
    loopback: LoopbackMonitor
    notice: (notice: Notice) => void
  }) {
    this.#self = parts.self
    this.#registry = parts.registry
    this.#liveness = parts.liveness
    this.#answerer = parts.answerer
    this.#ownKeyConflicts = parts.ownKeyConflicts
    this.#reminders = parts.reminders
    this.#querier = parts.querier
    this.#announcer = parts.announcer
    this.#loopback = parts.loopback
    this.#notice = parts.notice
  }

  /** Takes one datagram. If it is refused, counts the reason. Never throws on invalid input. */
  receive(datagram: Uint8Array, source: DatagramSource, now: number): void {
    const refusal = this.#process(datagram, source, now)
    if (refusal) this.#countRefusal(refusal)
  }

  /** Counts an exception in this program that the caller has caught. Reports each different message once, 16 at most. */
  countException(caught: unknown): void {
    this.#countRefusal('exception')
    const error = errorOf(caught)
    if (this.#exceptions.has(error.message) || this.#exceptions.size >= MAX_REPORTED_EXCEPTIONS) return
    this.#exceptions.add(error.message)
    this.#notice({ type: 'exception', error })
  }

  #countRefusal(refusal: Refusal): void {
    this.refused[refusal] = (this.refused[refusal] ?? 0) + 1
  }

  #process(datagram: Uint8Array, source: DatagramSource, now: number): Refusal | undefined {
    if (!source.onLink && !source.own) return 'off-link'
    // The copies of a beat mostly follow it directly.
    const last = this.#lastBeat
    if (last && isCopyOf(last.datagram, datagram) && this.#isStillNewest(last)) {
      this.received.beat++
      return this.#processCopy(last.peer, source, now)
    }
    const message = decode(datagram)
    if (typeof message === 'string') return message
    if (message.id === this.#self.id) return this.#processOwnId(message, source, now)
    this.received[message.type]++
    switch (message.type) {
      case 'beat':
        return this.#processBeat(message, datagram, source, now)
      case 'record':
        return this.#processRecord(message, source, now)
      case 'bye':
        return this.#processBye(message, now)
      case 'query':
        this.#answerer?.answerQuery(message, source, now)
        return undefined
      case 'probe':
        this.#answerer?.answerProbe(message, source, now, () => this.#announcer.beat(now))
        return undefined
    }
  }

  /** Whether nothing newer is known of the peer than this beat. */
  #isStillNewest({ beat, peer }: { beat: Beat; peer: Peer }): boolean {
    const isNewest = peer.link.sequence === beat.sequence && peer.incarnation === beat.incarnation
    return isNewest && peer.state !== 'left' && this.#registry.get(peer.id) === peer
  }

  /** Takes the newest beat of a peer, received again. */
  #processCopy(peer: Peer, source: DatagramSource, now: number): Refusal {
    if (!peer.isCopy(source, now)) return 'replayed'
    this.#notePath(peer, source, now)
    return 'duplicate'
  }

  #processBeat(beat: Beat, datagram: Uint8Array, source: DatagramSource, now: number): Refusal | undefined {
    const peer = this.#registry.get(beat.id)
    if (!peer || beat.incarnation > peer.incarnation) {
      this.#querier.want(beat.id, peer !== undefined, source.interface, now)
      return 'unproven'
    }
    if (beat.incarnation < peer.incarnation || peer.state === 'left' || beat.sequence < peer.link.sequence) {
      if (beat.incarnation < peer.incarnation) this.#reminders?.schedule(peer, source.interface, now)
      return 'replayed'
    }
    if (beat.sequence === peer.link.sequence) {
      if (Buffer.compare(beat.reveal, peer.link.value) !== 0) return 'bad-reveal'
      return this.#processCopy(peer, source, now)
    }
    const refusal = this.#checkChain(peer, beat, now)
    if ((refusal && isSilentAndFarAhead(peer, beat)) || beat.recordVersion > peer.recordVersion)
      this.#querier.want(peer.id, true, source.interface, now)
    if (refusal) return refusal

    this.#registry.beat(peer, beat, now)
    this.#lastBeat = { datagram, beat, peer }
    this.#notePath(peer, source, now)
    this.#liveness.beat(peer, now)
    if (beat.echo !== 0) this.#liveness.echo(peer, beat.echo, now)
    return undefined
  }

  #notePath(peer: Peer, source: DatagramSource, now: number): void {
    if (peer.addresses.heard(source, now, true)) this.#registry.relocated(peer, now)
  }

  /** Checks a beat that is ahead of the newest proven position. */
  #checkChain(peer: Peer, beat: Beat, now: number): Refusal | undefined {
    const steps = beat.sequence - peer.link.sequence
    if (steps > maxSteps(peer, now)) return 'too-far-ahead'
    if (steps > FREE_STEPS && !this.#hashes.take(now, steps)) return 'too-far-ahead'
    return follows(peer.step, peer.link, { sequence: beat.sequence, value: beat.reveal }) ? undefined : 'bad-reveal'
  }

  #processRecord(part: RecordPart, source: DatagramSource, now: number): Refusal | undefined {
    const peer = this.#registry.get(part.id)
    const order = peer ? compareVersions(part, peer) : 1
    if (peer && part.incarnation < peer.incarnation) this.#reminders?.schedule(peer, source.interface, now)
    if (order === 0 && source.path !== 'unicast') this.#reminders?.cancel(part.id)
    if (peer && (order < 0 || (peer.state === 'left' && part.incarnation === peer.incarnation))) return 'replayed'
    const hasUsefulAnchor = peer !== undefined && order === 0 && isSilentAndFarAhead(peer, part)
    if (peer && order === 0 && !hasUsefulAnchor && peer.addresses.hasCopy(source, peer.recordVersion))
      return 'duplicate'

    const signed = this.#reassembly.add(part, `${source.interface} ${source.address}`, now)
    if (signed === undefined || typeof signed === 'string') return signed
    const misfit = precheckRecord(signed)
    if (misfit) return misfit
    const signature = signatureOf(signed)
    const addresses = peer && order === 0 ? peer.addresses.signedBy(signature) : undefined
    if (peer && addresses) {
      // A replay from an address that the record does not name would only displace a copy with other addresses.
      if (addresses.includes(source.address)) peer.addresses.addCopy(source, addresses, signature, peer.recordVersion)
      return undefined
    }
    if (!this.#takeSignatureCheck(peer, source, now)) return 'signature-budget'
    const record = verifyRecord(signed)
    if (typeof record === 'string') return record
    if (peer && order === 0) {
      if (hasUsefulAnchor) peer.setAnchor(record.anchor)
      if (!peer.addresses.hasCopy(source, peer.recordVersion))
        this.#registry.learnCopy(peer, source, record.addresses, signature, now)
      return undefined
    }
    const isNewIncarnation = !peer || part.incarnation > peer.incarnation
    const interval = peer?.record.interval
    const learnt = this.#registry.learn(signed, record, source, now)
    if (!learnt) return 'registry-full'
    if (isNewIncarnation) {
      learnt.addresses.heard(source, now, false)
      this.#liveness.startLease(learnt)
    } else if (interval !== undefined && record.interval !== interval) {
      this.#liveness.intervalChanged(learnt, interval, now)
    }
    return undefined
  }

  /**
   * Takes one signature check from the budget. A known peer at an address where it was heard has checks of its own, given by
   * its beats. Records forged in the name or from the address of another peer cannot use these up.
   */
  #takeSignatureCheck(peer: Peer | undefined, source: DatagramSource, now: number): boolean {
    if (peer?.addresses.heardFrom().some(({ address }) => address === source.address)) {
      return peer.takeSignatureCheck() || this.#knownSignatures.take(now)
    }
    return this.#signaturesByAddress.take(source.address, now) && this.#unknownSignatures.take(now)
  }

  #processBye(bye: Bye, now: number): Refusal | undefined {
    const peer = this.#registry.get(bye.id)
    if (!peer || bye.incarnation > peer.incarnation) return 'unproven'
    if (bye.incarnation < peer.incarnation || peer.state === 'left') return 'replayed'
    const commitment = encodeDigest(goodbyeCommitment(bye.id, bye.incarnation, bye.secret))
    if (commitment !== peer.record.goodbye) return 'bad-goodbye'
    this.#registry.enter(peer, 'left', now)
    return undefined
  }

  /** Processes a message with this peer's own id: an echo of its own, or from a sender that has its key or pretends to. */
  #processOwnId(message: Message, source: DatagramSource, now: number): Refusal | undefined {
    if (source.own && message.incarnation === this.#self.incarnation) {
      if (message.type === 'beat' && source.path !== 'unicast') this.#loopback.echo(source.interface, source.path, now)
      return undefined
    }
    // Both peers need the other's record to decide which one changes its key. The other one may never send its record again.
    if (!source.own && this.#answerer && this.#ownIdReplies.take(now)) this.#announcer.recordChanged(now)
    if (message.type !== 'record' || message.incarnation < this.#self.incarnation) return 'own-id'
    const signed = this.#reassembly.add(message, `${source.interface} ${source.address}`, now)
    if (signed === undefined || typeof signed === 'string') return signed
    if (!this.#takeSignatureCheck(undefined, source, now)) return 'signature-budget'
    const record = verifyRecord(signed)
    if (typeof record !== 'string') this.#ownKeyConflicts?.receive(signed, record, source, now)
    return 'own-id'
  }
}

/** How many chain positions a peer can have used since its last proven beat, with beats and answers to probes. */
function maxSteps(peer: Peer, now: number): number {
  if (peer.provenAt === undefined) return CHAIN_LENGTH
  const elapsed = now - peer.provenAt
  const used = EXTRA_STEPS + elapsed / peer.record.interval + (EXTRA_STEPS_PER_SECOND * elapsed) / 1000
  return Math.min(used, CHAIN_LENGTH)
}

/**
 * Whether a peer that is not alive may have come back, at a position so far ahead that the hash steps depend on the budget,
 * which forged beats may have used up. A newer copy of its record has an anchor that makes these steps unnecessary. The
 * position in the header is not authenticated.
 */
function isSilentAndFarAhead({ state, link }: Peer, { sequence }: Message): boolean {
  return state !== 'alive' && sequence - link.sequence > FREE_STEPS
}

function compareVersions(part: RecordPart, peer: Peer): number {
  return part.incarnation - peer.incarnation || part.recordVersion - peer.recordVersion
}
