import { isPresent } from '../../shared/peer-state.ts'
import type { Agenda } from '../agenda.ts'
import { Budget, KeyedBudget } from '../budget.ts'
import { keepNewest } from '../keep-newest.ts'
import type { DatagramSource } from '../link.ts'
import type { Random } from '../random.ts'
import type { PeerId } from '../wire/id.ts'
import type { Probe, Query } from '../wire/messages.ts'
import type { Outbox } from './outbox.ts'
import type { Registry } from './peers/registry.ts'
import type { Self } from './peers/self.ts'

/** Answers to queries are delayed by up to this for each present peer, in ms, so that they do not all come at once. */
const DELAY_PER_PEER = 2
const MAX_DELAY = 1000
/** On a segment with more peers than this, a known peer that asks every peer gets its answer by unicast. */
const SMALL_SEGMENT = 16
/** Unicast answers to one peer: as many at once as a new peer sends queries, then one in ten seconds. */
const UNICAST_PER_SECOND_AND_PEER = 0.1
const UNICAST_BURST_PER_PEER = 3
/** Unicast answers to all peers together. */
const UNICAST_PER_SECOND = 100
/** Unicast answers to probes. Each of them uses up a position of the hash chain. */
const ECHOES_PER_SECOND = 4
const ECHO_BURST = 8
/** Unicast answers to probes between two beats. An attacker could collect them, and replay them after this peer has failed. */
const MAX_ECHOES_BETWEEN_BEATS = 2
/** All other probes are answered by beats to every peer, at this rate. */
const SHARED_ECHOES_PER_SECOND = 4
/** How many questions are remembered, to recognise their copies on other paths. */
const MAX_REMEMBERED_QUESTIONS = 1024

/** The limit for the answers of all peers of a segment together while queries keep coming, in bits per second. */
const SEGMENT_BITS_PER_SECOND = 512_000
/** The bounds for the time between two answers on one interface, in ms. */
const MIN_SPACING = 250
const MAX_SPACING = 5000
/** How many answers may directly follow each other. */
const SHARED_BURST = 3
/** Ethernet framing, IP and UDP headers, and the message header of one datagram, in bytes. */
const OVERHEAD_BYTES = 14 + 48 + 40

/**
 * Answers a QUERY with this peer's record, and a PROBE with a fresh beat. A unicast answer goes only to a present peer, and
 * only to an address that its beats come from. Sending to any other address could block on ARP, and an attacker could make
 * this peer send to a third host. All other questions are answered on the shared paths.
 */
export class Answerer {
  readonly #self: Self
  readonly #registry: Registry
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  readonly #random: Random
  readonly #sharedAnswers: SharedAnswers
  readonly #unicastByPeer = new KeyedBudget(UNICAST_PER_SECOND_AND_PEER, UNICAST_BURST_PER_PEER)
  readonly #unicast = new Budget(UNICAST_PER_SECOND, UNICAST_PER_SECOND)
  readonly #echoes = new Budget(ECHOES_PER_SECOND, ECHO_BURST)
  readonly #sharedEchoes = new Budget(SHARED_ECHOES_PER_SECOND, 1)
  /** How many probes were answered by unicast since the beat with this number. */
  #echoesSinceBeat = { beat: 0, count: 0 }
  /** The questions received lately: each arrives once on every path. */
  readonly #questions = new Set<string>()

  constructor(self: Self, registry: Registry, outbox: Outbox, agenda: Agenda, random: Random) {
    this.#self = self
    this.#registry = registry
    this.#outbox = outbox
    this.#agenda = agenda
    this.#random = random
    this.#sharedAnswers = new SharedAnswers(self, registry, outbox, agenda)
  }

  /** Answers a query. One that arrives on two networks is answered on both, as the addresses in the record differ. */
  answerQuery(query: Query, source: DatagramSource, now: number): void {
    const asksEveryPeer = query.ids.length === 0
    if (!asksEveryPeer && !query.ids.includes(this.#self.id)) return
    if (this.#isCopy(`${source.interface} ${query.id} ${query.nonce}`)) return
    const peers = this.#registry.presentCount
    const due = now + Math.min(DELAY_PER_PEER * peers, MAX_DELAY) * this.#random.number()
    if (asksEveryPeer && peers > SMALL_SEGMENT && this.#mayAnswerByUnicast(query.id, source, now)) {
      this.#agenda.add(due, (later) => this.#answerByUnicast(source, later))
    } else {
      this.#sharedAnswers.schedule(source.interface, due, now)
    }
  }

  /** Answers a probe. `sendBeat` sends a beat to every peer. */
  answerProbe(probe: Probe, source: DatagramSource, now: number, sendBeat: () => void): void {
    if (probe.target !== this.#self.id || !source.onLink || this.#isCopy(`${probe.id} ${probe.nonce}`)) return
    // The last beat of a chain must go to every peer, followed by the record with the next chain.
    const isUnicast = !this.#self.nextBeatEndsChain && this.#beatsFrom(probe.id, source) && this.#takeEchoBetweenBeats()
    if (isUnicast && this.#echoes.take(now)) this.#outbox.sendUnicast(this.#self.beat(now, probe.nonce), source)
    else if (this.#sharedEchoes.take(now)) sendBeat()
  }

  #takeEchoBetweenBeats(): boolean {
    const { beats } = this.#self
    if (this.#echoesSinceBeat.beat !== beats) this.#echoesSinceBeat = { beat: beats, count: 0 }
    return this.#echoesSinceBeat.count++ < MAX_ECHOES_BETWEEN_BEATS
  }

  /** A peer that may not get a unicast answer gets a shared one. So no peer goes without when another uses up this budget. */
  #mayAnswerByUnicast(asker: PeerId, source: DatagramSource, now: number): boolean {
    return (
      !source.own &&
      this.#beatsFrom(asker, source) &&
      this.#unicastByPeer.take(`${source.interface} ${asker}`, now) &&
      this.#unicast.take(now)
    )
  }

  /** Whether the peer is present and its beats come from that address. */
  #beatsFrom(id: PeerId, { interface: name, address }: DatagramSource): boolean {
    const peer = this.#registry.get(id)
    if (!peer || !isPresent(peer)) return false
    return peer.addresses.proven.some((each) => each.interface === name && each.address === address)
  }

  #answerByUnicast(source: DatagramSource, now: number): void {
    const network = this.#outbox.find(source.interface)
    if (!network) return
    for (const part of this.#self.recordFor(network, now)) this.#outbox.sendUnicast(part, source)
  }

  #isCopy(question: string): boolean {
    if (this.#questions.has(question)) return true
    this.#questions.add(question)
    keepNewest(this.#questions, MAX_REMEMBERED_QUESTIONS)
    return false
  }
}

/** The answers on the shared paths of one interface. */
interface AnswerSchedule {
  isScheduled: boolean
  /** When the last question came, in monotonic ms. */
  askedAt: number
  /** The theoretical arrival time of the generic cell rate algorithm (GCRA, ITU-T I.371), in monotonic ms. */
  theoreticalArrival: number
  /** The time between two answers, in ms. */
  spacing: number
}

/**
 * Answers queries with this peer's record on the shared paths of an interface. One answer serves all queries that have come
 * before it is sent. There is a minimum time between two answers. A query that comes too early waits and is not dropped. So
 * no asker can use up the answers that another one needs, and the traffic stays limited however many queries come.
 */
class SharedAnswers {
  readonly #self: Self
  readonly #registry: Registry
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  /** By interface name. */
  readonly #schedules = new Map<string, AnswerSchedule>()

  constructor(self: Self, registry: Registry, outbox: Outbox, agenda: Agenda) {
    this.#self = self
    this.#registry = registry
    this.#outbox = outbox
    this.#agenda = agenda
  }

  /** Answers on the interface `name` at `due` (monotonic ms), or later if the spacing requires it. */
  schedule(name: string, due: number, now: number): void {
    const schedule = this.#schedules.get(name) ?? this.#create(name)
    if (!schedule) return
    schedule.askedAt = now
    if (schedule.isScheduled) return
    schedule.isScheduled = true
    const earliest = schedule.theoreticalArrival - (SHARED_BURST - 1) * schedule.spacing
    this.#agenda.add(Math.max(due, earliest), (later) => this.#answer(name, schedule, later))
  }

  #create(name: string): AnswerSchedule | undefined {
    for (const known of this.#schedules.keys()) if (!this.#outbox.find(known)) this.#schedules.delete(known)
    if (!this.#outbox.find(name)) return undefined
    const schedule = {
      isScheduled: false,
      askedAt: 0,
      theoreticalArrival: Number.NEGATIVE_INFINITY,
      spacing: MIN_SPACING,
    }
    this.#schedules.set(name, schedule)
    return schedule
  }

  #answer(name: string, schedule: AnswerSchedule, now: number): void {
    const network = this.#outbox.find(name)
    const stableUntil = network ? this.#self.stableUntil(network) : now
    if (stableUntil > now) {
      this.#agenda.add(stableUntil, (later) => this.#answer(name, schedule, later))
      return
    }
    schedule.isScheduled = false
    if (!network) return
    // The record was sent for another reason after the last question.
    if (this.#self.lastSentAt(network) > schedule.askedAt) return
    const parts = this.#self.recordFor(network, now)
    const bytes = parts.reduce((sum, part) => sum + part.bytes.length + OVERHEAD_BYTES, 0)
    const bits = 8 * bytes * network.paths.length * (this.#registry.presentCount + 1)
    schedule.spacing = Math.min(Math.max((1000 * bits) / SEGMENT_BITS_PER_SECOND, MIN_SPACING), MAX_SPACING)
    schedule.theoreticalArrival = Math.max(now, schedule.theoreticalArrival) + schedule.spacing
    this.#outbox.sendAllShared(parts, network)
  }
}
