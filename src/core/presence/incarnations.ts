import type { Agenda } from '../agenda.ts'
import { Budget, KeyedBudget } from '../budget.ts'
import type { DatagramSource } from '../link.ts'
import type { Random } from '../random.ts'
import type { PeerId } from '../wire/id.ts'
import { MAX_INCARNATION } from '../wire/messages.ts'
import { type SignedRecord, splitRecord } from '../wire/record.ts'
import type { PeerRecord } from '../wire/record-schema.ts'
import type { Announcer } from './announcer.ts'
import type { Outbox } from './outbox.ts'
import type { Peer } from './peers/peer.ts'
import type { Registry } from './peers/registry.ts'
import type { Self } from './peers/self.ts'
import type { Notice } from './peers/types.ts'

/** A new incarnation is higher than necessary by up to this many, so that two peers with one key rarely choose the same. */
const INCARNATION_SPREAD = 16
/**
 * The rate of new incarnations. The burst is above 1 because an attacker may have recorded several earlier incarnations
 * that this daemon has forgotten.
 */
const INCARNATIONS_PER_SECOND = 0.1
const INCARNATION_BURST = 4

/** Reminders are delayed by up to this for each present peer, in ms: the other peers then see the first one and send none. */
const REMINDER_SPREAD_PER_PEER = 10
const MAX_REMINDER_SPREAD = 2000
const REMINDERS_PER_SECOND_AND_PEER = 0.5
const REMINDERS_PER_SECOND = 2
const REMINDER_BURST = 4
const MAX_PENDING_REMINDERS = 64

/**
 * Reacts to a record that this peer's own key has signed in its own incarnation or a higher one. There are two causes:
 *
 * - The daemon has forgotten the incarnation (read-only disk, restored backup, wrong clock). It starts a higher one.
 * - Another machine has the same key. That machine also starts a higher incarnation, and its new record names this peer's
 *   record as the one that it supersedes. No replayed record can do that. Then this peer needs a new key.
 */
export class OwnKeyConflicts {
  readonly #self: Self
  readonly #announcer: Announcer
  readonly #random: Random
  readonly #notice: (notice: Notice) => void
  readonly #budget = new Budget(INCARNATIONS_PER_SECOND, INCARNATION_BURST)
  /** The identity that another machine has, too. It takes a moment until this peer has a new one. */
  #taken: PeerId | undefined

  constructor(self: Self, announcer: Announcer, random: Random, notice: (notice: Notice) => void) {
    this.#self = self
    this.#announcer = announcer
    this.#random = random
    this.#notice = notice
  }

  /** Takes a record with this peer's own id. Its signature must have been verified. */
  receive(
    { id, incarnation }: SignedRecord,
    { goodbye, supersedes }: PeerRecord,
    { address, interface: name }: DatagramSource,
    now: number,
  ): void {
    const self = this.#self
    const isOwnRecord = incarnation === self.incarnation && goodbye === self.goodbye
    if (isOwnRecord || incarnation < self.incarnation || this.#taken === id) return
    const supersedesOurs = supersedes !== undefined && self.hasCommittedTo(supersedes)
    if (supersedesOurs || incarnation === MAX_INCARNATION) {
      this.#taken = id
      this.#notice({ type: 'identity-taken', id, address, interface: name })
    } else if (this.#budget.take(now)) {
      const higher = incarnation + 1 + Math.floor(this.#random.number() * INCARNATION_SPREAD)
      self.startIncarnation(Math.min(higher, MAX_INCARNATION), goodbye)
      this.#notice({
        type: 'incarnation',
        heard: incarnation,
        incarnation: self.incarnation,
        address,
        interface: name,
      })
      this.#announcer.announce(now)
    }
  }
}

/**
 * Reminds a peer of its incarnation. A peer that sends in a lower incarnation than the registry holds has forgotten the
 * higher one, and no receiver believes it. The reminder is the peer's own signed record, sent on the shared paths. It makes
 * the peer start a new incarnation (see `OwnKeyConflicts`).
 */
export class IncarnationReminders {
  readonly #registry: Registry
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  readonly #random: Random
  readonly #pending = new Set<PeerId>()
  readonly #budgetByPeer = new KeyedBudget(REMINDERS_PER_SECOND_AND_PEER, 1)
  readonly #budget = new Budget(REMINDERS_PER_SECOND, REMINDER_BURST)

  constructor(registry: Registry, outbox: Outbox, agenda: Agenda, random: Random) {
    this.#registry = registry
    this.#outbox = outbox
    this.#agenda = agenda
    this.#random = random
  }

  /**
   * Schedules a reminder for a peer that was received in a lower incarnation on the interface `name`. A peer that is alive
   * in the higher incarnation needs none.
   */
  schedule({ id, state, incarnation }: Peer, name: string, now: number): void {
    if (state === 'alive' || this.#pending.has(id) || this.#pending.size >= MAX_PENDING_REMINDERS) return
    if (!this.#budgetByPeer.take(id, now)) return
    this.#pending.add(id)
    const spread = Math.min(REMINDER_SPREAD_PER_PEER * this.#registry.presentCount, MAX_REMINDER_SPREAD)
    this.#agenda.add(now + spread * this.#random.number(), (later) => {
      const peer = this.#registry.get(id)
      if (this.#pending.delete(id) && peer?.incarnation === incarnation) this.#send(peer, name, later)
    })
  }

  /** Cancels the reminder for a peer: another peer has sent one. */
  cancel(id: PeerId): void {
    this.#pending.delete(id)
  }

  #send({ id, incarnation, recordVersion, signed, link: { sequence } }: Peer, name: string, now: number): void {
    const network = this.#outbox.find(name)
    if (!network || !signed || !this.#budget.take(now)) return
    const header = { type: 'record', path: 'unicast', id, incarnation, sequence, recordVersion } as const
    const parts = splitRecord(signed).map((bytes, part, { length }) => ({ ...header, part, parts: length, bytes }))
    this.#outbox.sendAllShared(parts, network)
  }
}
