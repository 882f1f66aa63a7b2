import type { Agenda } from '../agenda.ts'
import { Budget, BudgetByAddress } from '../budget.ts'
import type { Random } from '../random.ts'
import { type PeerId, split } from '../wire/index.ts'
import type { Outbox } from './outbox.ts'
import type { Peer } from './peers/peer.ts'
import type { Registry } from './peers/registry.ts'

/** Reminders are spread over this long for every peer there is, ms: the first one spares all others theirs. */
const SPREAD_PER_PEER = 10
const MOST_SPREAD = 2000
const PER_SECOND_AND_PEER = 0.5
const PER_SECOND = 2
const BURST = 4
const MOST_WAITING = 64

/**
 * Reminds a peer of its past: one that speaks in a lower incarnation than the one held here has forgotten how far it
 * had come (a read-only disk, a restored backup, a wrong clock), and nobody believes it. Its own held record, said on
 * the shared paths, proves that to it by its own signature.
 */
export class Reminders {
  readonly #registry: Registry
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  readonly #random: Random
  readonly #waiting = new Set<PeerId>()
  readonly #byPeer = new BudgetByAddress(PER_SECOND_AND_PEER, 1)
  readonly #budget = new Budget(PER_SECOND, BURST)

  constructor(registry: Registry, outbox: Outbox, agenda: Agenda, random: Random) {
    this.#registry = registry
    this.#outbox = outbox
    this.#agenda = agenda
    this.#random = random
  }

  /** The peer was heard in a lower incarnation, on interface `name`. One that is alive in the higher one needs no reminder. */
  plan({ id, state, incarnation }: Peer, name: string, now: number): void {
    if (state === 'alive' || this.#waiting.has(id) || this.#waiting.size >= MOST_WAITING) return
    if (!this.#byPeer.take(id, now)) return
    this.#waiting.add(id)
    const spread = Math.min(SPREAD_PER_PEER * this.#registry.presentCount, MOST_SPREAD)
    this.#agenda.add(now + spread * this.#random.number(), (later) => {
      const peer = this.#registry.get(id)
      if (this.#waiting.delete(id) && peer?.incarnation === incarnation) this.#say(peer, name, later)
    })
  }

  /** Somebody has said the held record of that peer. */
  heard(id: PeerId): void {
    this.#waiting.delete(id)
  }

  #say({ id, incarnation, recordVersion, signed, link: { sequence } }: Peer, name: string, now: number): void {
    const network = this.#outbox.find(name)
    if (!network || !signed || !this.#budget.take(now)) return
    const header = { type: 'record', path: 'unicast', id, incarnation, sequence, recordVersion } as const
    const parts = split(signed).map((bytes, part, { length }) => ({ ...header, part, parts: length, bytes }))
    this.#outbox.shoutAll(parts, network)
  }
}
