import { isPresent } from '../../shared/peer-state.ts'
import type { Agenda } from '../agenda.ts'
import { Budget, BudgetByAddress } from '../budget.ts'
import type { DatagramSource } from '../link.ts'
import type { Random } from '../random.ts'
import type { PeerId, Probe, Query } from '../wire/index.ts'
import type { Outbox } from './outbox.ts'
import type { Registry } from './peers/registry.ts'
import type { Self } from './peers/self.ts'
import { SharedAnswers } from './shared-answers.ts'

/** Answers to queries are spread over this long for every peer there is, ms, so that they do not come all at once. */
const SPREAD_PER_PEER = 2
const MOST_SPREAD = 1000
/** With more peers than this, a known peer that asks everyone is answered by unicast. */
const SMALL_SEGMENT = 16
/** Unicast answers to one asker: as many as a newcomer asks everyone, and then one in ten seconds. */
const UNICAST_PER_SECOND_AND_ASKER = 0.1
const UNICAST_BURST_PER_ASKER = 3
/** Unicast answers to all askers together. */
const UNICAST_PER_SECOND = 100
/** Unicast answers to probes, each of which uses up a position of the hash chain. */
const ECHOES_PER_SECOND = 4
const ECHO_BURST = 8
/** Answers between two beats to everyone: what a stranger can hoard, to show life when we have died. */
const ECHOES_BETWEEN_BEATS = 2
/** Beats to everyone that answer all other probes, per second. */
const COMMON_ECHOES_PER_SECOND = 4
const REMEMBERED_QUESTIONS = 1024

/**
 * Answers those who ask: a QUERY with our record, a PROBE with a fresh beat. Unicast goes only to a peer that beats, at
 * an address where it was heard: to any other address it could wait for ARP without end, and a stranger could send it
 * to a third host. Everyone else is answered on the shared paths.
 */
export class Answerer {
  readonly #self: Self
  readonly #registry: Registry
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  readonly #random: Random
  readonly #shared: SharedAnswers
  readonly #unicastByAsker = new BudgetByAddress(UNICAST_PER_SECOND_AND_ASKER, UNICAST_BURST_PER_ASKER)
  readonly #unicast = new Budget(UNICAST_PER_SECOND, UNICAST_PER_SECOND)
  readonly #echoes = new Budget(ECHOES_PER_SECOND, ECHO_BURST)
  #echoesSince = { beats: 0, count: 0 }
  readonly #commonEchoes = new Budget(COMMON_ECHOES_PER_SECOND, 1)
  /** The same question comes once on every path. */
  readonly #heard = new Set<string>()

  constructor(self: Self, registry: Registry, outbox: Outbox, agenda: Agenda, random: Random) {
    this.#self = self
    this.#registry = registry
    this.#outbox = outbox
    this.#agenda = agenda
    this.#random = random
    this.#shared = new SharedAnswers(self, registry, outbox, agenda)
  }

  /** A query that came to two networks is answered on both: our addresses differ between them. */
  query(query: Query, where: DatagramSource, now: number): void {
    const asksEveryone = query.ids.length === 0
    if (!asksEveryone && !query.ids.includes(this.#self.id)) return
    if (this.#isCopy(`${where.interface} ${query.id} ${query.nonce}`)) return
    const peers = this.#registry.presentCount
    const due = now + Math.min(SPREAD_PER_PEER * peers, MOST_SPREAD) * this.#random.number()
    if (asksEveryone && peers > SMALL_SEGMENT && this.#mayTell(query.id, where, now)) {
      this.#agenda.add(due, (later) => this.#tell(where, later))
    } else {
      this.#shared.plan(where.interface, due, now)
    }
  }

  /** `beatAll` sends one beat to everyone. */
  probe(probe: Probe, where: DatagramSource, now: number, beatAll: () => void): void {
    if (probe.target !== this.#self.id || !where.onLink || this.#isCopy(`${probe.id} ${probe.nonce}`)) return
    // The last beat of a chain goes to everyone, with the record of the next chain behind it.
    const isDirect = !this.#self.endsChain && this.#isHeardAt(probe.id, where) && this.#mayEcho()
    if (isDirect && this.#echoes.take(now)) this.#outbox.tell(this.#self.beat(now, probe.nonce), where)
    else if (this.#commonEchoes.take(now)) beatAll()
  }

  #mayEcho(): boolean {
    const { beats } = this.#self
    if (this.#echoesSince.beats !== beats) this.#echoesSince = { beats, count: 0 }
    return this.#echoesSince.count++ < ECHOES_BETWEEN_BEATS
  }

  /** Who cannot be told by unicast is answered on the shared paths, so nobody loses by what another spends here. */
  #mayTell(asker: PeerId, where: DatagramSource, now: number): boolean {
    return (
      !where.own &&
      this.#isHeardAt(asker, where) &&
      this.#unicastByAsker.take(`${where.interface} ${asker}`, now) &&
      this.#unicast.take(now)
    )
  }

  /** Whether a peer that is there says its beats from that address. */
  #isHeardAt(id: PeerId, { interface: name, address }: DatagramSource): boolean {
    const peer = this.#registry.get(id)
    if (!peer || !isPresent(peer)) return false
    return peer.places.some((place) => place.interface === name && place.address === address)
  }

  #tell(where: DatagramSource, now: number): void {
    const network = this.#outbox.find(where.interface)
    if (!network) return
    for (const part of this.#self.recordFor(network, now)) this.#outbox.tell(part, where)
  }

  #isCopy(question: string): boolean {
    if (this.#heard.has(question)) return true
    this.#heard.add(question)
    if (this.#heard.size > REMEMBERED_QUESTIONS) {
      for (const oldest of this.#heard) {
        this.#heard.delete(oldest)
        break
      }
    }
    return false
  }
}
