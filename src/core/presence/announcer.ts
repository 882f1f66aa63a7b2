import type { Agenda } from '../agenda.ts'
import { Budget } from '../budget.ts'
import type { Interface } from '../link.ts'
import type { Random } from '../random.ts'
import { BEAT_BODY_BYTES, HEADER_BYTES } from '../wire/messages.ts'
import type { Outbox } from './outbox.ts'
import type { Self } from './peers/self.ts'

/** Each beat comes earlier or later by up to this share of the interval, so that peers do not synchronise. */
const JITTER = 0.1
/** The first announcement is repeated after these delays, in ms, in case it gets lost. Each delay varies by half. */
const REPEATS = [250, 750]
/** A changed record is repeated after this delay, in ms, or up to twice this, unless it has changed again. */
const CHANGE_REPEAT = 300
/** The rate of records sent because of a change, such as a new sensor reading. */
const CHANGES_PER_SECOND = 4
const CHANGE_BURST = 2
/** The rate for changes of services and addresses. Other peers connect to these, so they must learn of them at once. */
const URGENT_CHANGES_PER_SECOND = 10
const URGENT_BURST = 5
/** When the goodbye is sent, in ms after the decision to leave. */
const GOODBYES = [0, 10, 20]
/** The size of one beat on the wire, in bits, with IPv4 and UDP headers (28 bytes) and Ethernet framing (14 bytes). */
const BEAT_BITS = 8 * (HEADER_BYTES + BEAT_BODY_BYTES + 28 + 14)
/** The interval is halved only if the load then stays below this share of the budget. */
const HALVE_BELOW = 0.7

/** Sends what nobody has asked for: the announcement at the start, beats, changed records and the goodbye. */
export class Announcer {
  readonly #self: Self
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  readonly #random: Random
  /** Called before each periodic beat. */
  readonly #beforeBeat: (now: number) => void
  readonly #changes = new Budget(CHANGES_PER_SECOND, CHANGE_BURST)
  readonly #urgentChanges = new Budget(URGENT_CHANGES_PER_SECOND, URGENT_BURST)
  /** The version of the record that was last sent on all interfaces. */
  #announcedVersion = 0
  /** When a change that exceeded the budget will be sent, in monotonic ms. */
  #changeDue = Number.POSITIVE_INFINITY
  #hasLeft = false

  constructor(self: Self, outbox: Outbox, agenda: Agenda, random: Random, beforeBeat: (now: number) => void) {
    this.#self = self
    this.#outbox = outbox
    this.#agenda = agenda
    this.#random = random
    this.#beforeBeat = beforeBeat
  }

  /** Starts the periodic beats. */
  start(now: number): void {
    this.#scheduleBeat(now)
  }

  /** Announces this peer on some interfaces (default: all), and asks for the records of the other peers there. */
  announce(now: number, interfaces: readonly Interface[] = this.#outbox.interfaces): void {
    if (this.#hasLeft || interfaces.length === 0) return
    this.#sendRecord(interfaces, now)
    this.beat(now)
    this.#outbox.sendShared(this.#self.query([]), interfaces)
    for (const delay of REPEATS) {
      this.#agenda.add(now + delay * (0.5 + this.#random.number()), (later) => {
        if (this.#hasLeft) return
        // The addresses and paths may have changed since.
        const remaining = interfaces.flatMap(({ name }) => this.#outbox.find(name) ?? [])
        this.#sendRecord(remaining, later)
        this.#outbox.sendShared(this.#self.query([]), remaining)
      })
    }
  }

  /** Sends one beat to every peer now. */
  beat(now: number): void {
    if (this.#hasLeft) return
    // The record goes first: its anchor must be at a lower position of the chain than the beat.
    if (this.#self.recordVersion !== this.#announcedVersion) this.recordChanged(now)
    const { nextBeatEndsChain } = this.#self
    this.#outbox.sendShared(this.#self.beat(now))
    if (!nextBeatEndsChain) return
    // Receivers give each fresh beat some signature checks. So they surely check the record that follows it directly, even
    // if an attacker floods them with forged records.
    this.#self.renewChain()
    this.#sendChangedRecord(now)
  }

  /** Sends the changed record to every peer: now, or as soon as the budget allows. The last change is always sent. */
  recordChanged(now: number, isUrgent = false): void {
    // Without interfaces there is nothing to send: `announce` sends the record on each interface that appears.
    if (this.#hasLeft || this.#outbox.interfaces.length === 0) return
    const budget = isUrgent ? this.#urgentChanges : this.#changes
    if (!budget.take(now)) {
      this.#scheduleChange(budget.availableAt(now), isUrgent)
      return
    }
    this.#sendChangedRecord(now)
  }

  /** Sends the goodbye three times within 20 ms. Nothing else is sent afterwards. */
  leave(now: number): void {
    this.#hasLeft = true
    const bye = this.#self.bye()
    for (const delay of GOODBYES) this.#agenda.add(now + delay, () => this.#outbox.sendShared(bye))
  }

  #sendChangedRecord(now: number): void {
    this.#changeDue = Number.POSITIVE_INFINITY
    this.#sendRecord(this.#outbox.interfaces, now)
    const version = this.#announcedVersion
    this.#agenda.add(now + CHANGE_REPEAT * (1 + this.#random.number()), (later) => {
      if (!this.#hasLeft && this.#announcedVersion === version) this.#sendRecord(this.#outbox.interfaces, later)
    })
  }

  #scheduleChange(at: number, isUrgent: boolean): void {
    if (at >= this.#changeDue) return
    this.#changeDue = at
    this.#agenda.add(at, (now) => {
      if (this.#changeDue !== at) return // It was sent meanwhile, or will be sent sooner.
      this.#changeDue = Number.POSITIVE_INFINITY
      this.recordChanged(now, isUrgent)
    })
  }

  #scheduleBeat(now: number): void {
    const factor = 1 + JITTER * (2 * this.#random.number() - 1)
    this.#agenda.add(now + this.#self.interval * factor, (later) => {
      if (this.#hasLeft) return
      this.#beforeBeat(later)
      this.beat(later)
      this.#scheduleBeat(later)
    })
  }

  #sendRecord(interfaces: readonly Interface[], now: number): void {
    this.#announcedVersion = this.#self.recordVersion
    for (const network of interfaces) this.#outbox.sendAllShared(this.#self.recordFor(network, now), network)
  }
}

/**
 * The beat interval, in ms, that keeps the load of all beats on a segment within `budget`, in bits per second. It is
 * `current`, doubled or halved as often as needed, and never below `base`. `peers` is the number of peers on the segment
 * including this one, and `paths` the number of shared paths on which each of them sends. This is RTCP's rule (RFC 3550,
 * section 6.2), in powers of two so that all peers of a segment agree.
 */
export function beatInterval(current: number, base: number, peers: number, paths: number, budget: number): number {
  const loadAt = (interval: number) => (peers * paths * BEAT_BITS * 1000) / interval
  let interval = current
  while (loadAt(interval) > budget) interval *= 2
  while (interval > base && loadAt(interval / 2) <= HALVE_BELOW * budget) interval /= 2
  return Math.max(base, interval)
}
