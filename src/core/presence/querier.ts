import type { Agenda } from '../agenda.ts'
import { Budget } from '../budget.ts'
import { keepNewest } from '../keep-newest.ts'
import type { Random } from '../random.ts'
import type { PeerId } from '../wire/id.ts'
import { MAX_QUERY_IDS } from '../wire/messages.ts'
import type { Outbox } from './outbox.ts'
import type { Registry } from './peers/registry.ts'
import type { Self } from './peers/self.ts'

/** Ids are collected for up to this time, in ms, and then asked for in one QUERY. */
const COLLECT_TIME = 20
/** The same id is asked for again after this time at the earliest, in ms. */
const REPEAT_AFTER = 500
const QUERIES_PER_SECOND = 4
const QUERY_BURST = 8
/** How many ids are remembered as asked for. */
const MAX_REMEMBERED = 4096
/** Failed peers are asked for this often, in ms. */
const FAILED_PEERS_INTERVAL = 60_000

/**
 * Sends a QUERY for records that are missing: the records of unknown peers whose beats were received, and the changed
 * records of known peers. Once a minute also asks for failed peers, so that both sides notice when a network partition has
 * healed. A QUERY goes out on the shared paths, never to the address that a beat came from: an attacker may have forged
 * that address.
 */
export class Querier {
  readonly #self: Self
  readonly #registry: Registry
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  readonly #random: Random
  readonly #budget = new Budget(QUERIES_PER_SECOND, QUERY_BURST)
  /** The ids to ask for, by interface. Known peers go first: anyone can invent beats of unknown ones. */
  readonly #wanted = new Map<string, { known: Set<PeerId>; unknown: Set<PeerId> }>()
  /** When each id was last asked for, oldest first, in monotonic ms. */
  readonly #askedAt = new Map<PeerId, number>()
  /** How many failed peers were asked for in this round. */
  #failedAsked = 0

  constructor(self: Self, registry: Registry, outbox: Outbox, agenda: Agenda, random: Random) {
    this.#self = self
    this.#registry = registry
    this.#outbox = outbox
    this.#agenda = agenda
    this.#random = random
  }

  /** Starts to ask for failed peers once a minute. */
  start(now: number): void {
    this.#agenda.add(now + FAILED_PEERS_INTERVAL, (later) => {
      this.#queryFailedPeers()
      this.start(later)
    })
  }

  /** Schedules a question for the record of a peer on the interface named `on`, unless it was asked for lately. */
  want(id: PeerId, isKnown: boolean, on: string, now: number): void {
    if (now - (this.#askedAt.get(id) ?? Number.NEGATIVE_INFINITY) < REPEAT_AFTER) return
    let wanted = this.#wanted.get(on)
    if (!wanted) {
      wanted = { known: new Set(), unknown: new Set() }
      this.#wanted.set(on, wanted)
      const due = Math.max(now + COLLECT_TIME * this.#random.number(), this.#budget.availableAt(now))
      this.#agenda.add(due, (later) => this.#queryWanted(on, later))
    }
    const ids = isKnown ? wanted.known : wanted.unknown
    if (ids.size < MAX_QUERY_IDS) ids.add(id)
  }

  #queryWanted(on: string, now: number): void {
    const wanted = this.#wanted.get(on)
    const network = this.#outbox.find(on)
    if (wanted && network && !this.#budget.take(now)) {
      // A query on another interface has used the budget.
      this.#agenda.add(this.#budget.availableAt(now), (later) => this.#queryWanted(on, later))
      return
    }
    this.#wanted.delete(on)
    if (!wanted || !network) return
    const ids = [...wanted.known, ...wanted.unknown].slice(0, MAX_QUERY_IDS)
    for (const id of ids) {
      this.#askedAt.delete(id)
      this.#askedAt.set(id, now)
    }
    keepNewest(this.#askedAt, MAX_REMEMBERED)
    this.#outbox.sendShared(this.#self.query(ids), [network])
  }

  /** Asks for as many failed peers as fit into one QUERY; the next call asks for the next ones. */
  #queryFailedPeers(): void {
    const failed = Array.from(this.#registry.values()).filter(({ state, hasBeaten }) => state === 'failed' && hasBeaten)
    const from = this.#failedAsked % Math.max(1, failed.length)
    const ids = failed.slice(from, from + MAX_QUERY_IDS).map(({ id }) => id)
    this.#failedAsked = from + ids.length
    if (ids.length > 0) this.#outbox.sendShared(this.#self.query(ids))
  }
}
