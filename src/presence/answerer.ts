import type { Agenda } from '../agenda.ts'
import { Budget, BudgetByAddress } from '../budget.ts'
import type { Probe, Query } from '../wire/index.ts'
import type { Outbox } from './outbox.ts'
import type { Self } from './self.ts'
import type { Chance, Where } from './types.ts'

/** Answers to queries are spread over this long for every peer there is, ms, so that they do not come all at once. */
const SPREAD_PER_PEER = 2
const MOST_SPREAD = 1000
/** So many askers at once are answered together. */
const CROWD = 3
const ANSWERS_PER_SECOND_AND_ADDRESS = 5
/** Answers to probes, each of which uses up a position of the hash chain. */
const ECHOES_PER_SECOND = 4
const ECHO_BURST = 8
/** Answers between two beats to everyone: what a stranger can hoard, to show life when we have died. */
const ECHOES_BETWEEN_BEATS = 2
/** Beats that answer all probes beyond that, per second. */
const COMMON_ECHOES_PER_SECOND = 4
/** Answers to a crowd per second; who is passed over asks again. */
const CROWD_ANSWERS_PER_SECOND = 4
const REMEMBERED_QUERIES = 1024

/** Answers those who ask: a QUERY with our record, a PROBE with a fresh beat. */
export class Answerer {
  readonly #self: Self
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  readonly #chance: Chance
  readonly #byAddress = new BudgetByAddress(ANSWERS_PER_SECOND_AND_ADDRESS, ANSWERS_PER_SECOND_AND_ADDRESS)
  readonly #echoes = new Budget(ECHOES_PER_SECOND, ECHO_BURST)
  #echoesSince = { beats: 0, count: 0 }
  readonly #commonEchoes = new Budget(COMMON_ECHOES_PER_SECOND, 1)
  readonly #crowdAnswers = new Budget(CROWD_ANSWERS_PER_SECOND, CROWD_ANSWERS_PER_SECOND)
  /** Askers not answered yet, by interface. */
  readonly #waiting = new Map<string, Set<Where>>()
  /** The same question comes once on every path. */
  readonly #heard = new Set<string>()

  constructor(self: Self, outbox: Outbox, agenda: Agenda, chance: Chance) {
    this.#self = self
    this.#outbox = outbox
    this.#agenda = agenda
    this.#chance = chance
  }

  /** `peers` is how many may be about to answer as well. */
  query(query: Query, where: Where, peers: number, now: number): void {
    if (query.ids.length > 0 && !query.ids.includes(this.#self.id)) return
    if (this.#isCopy(`${query.id} ${query.nonce}`) || !this.#byAddress.take(where.address, now)) return
    const spread = Math.min(SPREAD_PER_PEER * peers, MOST_SPREAD)
    const waiting = this.#waiting.get(where.interface) ?? new Set()
    this.#waiting.set(where.interface, waiting.add(where))
    this.#agenda.add(now + spread * this.#chance.number(), (later) => this.#answer(where, later))
  }

  /** `beatAll` sends one beat to everyone. */
  probe(probe: Probe, where: Where, now: number, beatAll: () => void): void {
    if (probe.target !== this.#self.id || !where.onLink || this.#isCopy(`${probe.id} ${probe.nonce}`)) return
    if (this.#mayEcho() && this.#echoes.take(now)) this.#outbox.tell(this.#self.beat(now, probe.nonce), where)
    else if (this.#commonEchoes.take(now)) beatAll()
  }

  #mayEcho(): boolean {
    const { beats } = this.#self
    if (this.#echoesSince.beats !== beats) this.#echoesSince = { beats, count: 0 }
    return this.#echoesSince.count++ < ECHOES_BETWEEN_BEATS
  }

  #answer(where: Where, now: number): void {
    const waiting = this.#waiting.get(where.interface)
    const network = this.#outbox.find(where.interface)
    if (!waiting?.delete(where) || !network) return
    const crowd = waiting.size + 1 >= CROWD
    if (crowd) waiting.clear()
    if (crowd && !this.#crowdAnswers.take(now)) return
    for (const part of this.#self.recordFor(network)) {
      if (crowd) this.#outbox.shout(part, [network])
      else this.#outbox.tell(part, where)
    }
  }

  #isCopy(question: string): boolean {
    if (this.#heard.has(question)) return true
    this.#heard.add(question)
    if (this.#heard.size > REMEMBERED_QUERIES) {
      for (const oldest of this.#heard) {
        this.#heard.delete(oldest)
        break
      }
    }
    return false
  }
}
