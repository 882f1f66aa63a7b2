import type { Agenda } from '../../agenda.ts'
import { Budget } from '../../budget.ts'
import type { DatagramSource } from '../../link.ts'
import type { Random } from '../../random.ts'
import type { Group } from '../dns/packing.ts'
import { recordKey } from '../dns/rdata.ts'
import type { Message, Question, ResourceRecord } from '../dns/types.ts'
import { Copies } from './copies.ts'
import type { Holdings } from './holdings.ts'
import { PAUSE, type Voice } from './voice.ts'

const MDNS_PORT = 5353
/** What several hosts may answer is answered after a random time of this length, ms (RFC 6762, section 6). */
const SHARED_DELAY = { least: 20, most: 120 }
/** A truncated query's further known answers are waited for so long, ms (section 7.2). */
const TRUNCATED_DELAY = { least: 400, most: 500 }
/** Truncated queries that are waited for at once, and messages of each. What is beyond is answered like any other. */
const MOST_WAITING = 64
const MOST_MESSAGES = 8
/** A record is said again within a second when a probe asks for it, but not within this, ms (section 6). */
const PROBE_PAUSE = 250
/** Highest TTL in answers to simple resolvers, seconds (section 6.7). */
const RESOLVER_TTL = 10
/** Messages to one asker, of all askers together. */
const UNICAST_PER_SECOND = 50
const UNICAST_BURST = 100
const MOST_REPEATED = 8

/** Answers of which those that the asker knows are still to be taken out. */
interface Waiting {
  records: Map<string, ResourceRecord>
  messages: number
  /** When the last of its queries came, and when it is answered. */
  askedAt: number
  at: number
}

/** An answer to everyone that is planned. */
interface Due {
  record: ResourceRecord
  /** When it was last asked for. */
  askedAt: number
  at: number
}

/** Answers questions on one interface (RFC 6762, sections 6 and 7). */
export class Responder {
  readonly #agenda: Agenda
  readonly #random: Random
  readonly #voice: Voice
  readonly #holdings: Holdings
  readonly #unicast = new Budget(UNICAST_PER_SECOND, UNICAST_BURST)
  /** What is to be said to everyone, and when, by key of the record. */
  readonly #due = new Map<string, Due>()
  readonly #copies = new Copies()
  readonly #isOwn: (address: string) => boolean
  /** By address of the asker. */
  readonly #waiting = new Map<string, Waiting>()
  #wakeAt = Number.POSITIVE_INFINITY
  /** When the shared answers gathered now are said. */
  #gatheredAt = Number.NEGATIVE_INFINITY

  constructor(parts: {
    agenda: Agenda
    random: Random
    voice: Voice
    holdings: Holdings
    /** Whether an address is this host's. */
    isOwn: (address: string) => boolean
  }) {
    this.#agenda = parts.agenda
    this.#random = parts.random
    this.#voice = parts.voice
    this.#holdings = parts.holdings
    this.#isOwn = parts.isOwn
  }

  hearQuery(message: Message, heard: DatagramSource, now: number): void {
    const { address, port } = heard
    const waiting = this.#waiting.get(address)
    if (waiting) for (const known of message.answers) this.#takeOut(waiting, known)
    const answers = this.#answersTo(message.questions, message.answers)
    if (answers.size > 0) {
      const isProbe = message.authorities.length > 0
      if (port !== MDNS_PORT) this.#replyToResolver(message, [...answers.values()], heard, now)
      else {
        this.#replyToOne(message.questions, answers, heard, now)
        const isDone = this.#copies.isCopy(message, address, now)
        const waits = !isDone && message.truncated && !isProbe && this.#await(address, answers, now)
        if (!isDone && !waits) this.#plan(answers, isProbe, now)
      }
    } else if (waiting && message.truncated) this.#await(address, answers, now)
    this.#sayDue(now)
  }

  /** Another's answers make ours needless (section 7.4), or wanted when they would let our records run out. */
  hearResponse({ answers }: Message, now: number): void {
    for (const record of answers) {
      const own = this.#holdings.find(record)
      if (!own) continue
      const key = recordKey(own)
      if (record.ttl * 2 < own.ttl) this.#put(key, { record: own, askedAt: now, at: this.#gather(now) }, PAUSE)
      else {
        this.#due.delete(key)
        for (const { records } of this.#waiting.values()) records.delete(key)
      }
    }
    this.#sayDue(now)
  }

  #answersTo(questions: readonly Question[], known: readonly ResourceRecord[]): Map<string, ResourceRecord> {
    const answers = new Map<string, ResourceRecord>()
    for (const question of questions) {
      for (const record of this.#holdings.answersTo(question)) answers.set(recordKey(record), record)
    }
    // What the asker knows for at least half the time still is not told again (section 7.1).
    if (answers.size > 0) {
      for (const record of known) {
        const key = recordKey(record)
        if (record.ttl * 2 >= (answers.get(key)?.ttl ?? 0)) answers.delete(key)
      }
    }
    return answers
  }

  /** False when too much is waited for already. */
  #await(address: string, answers: Map<string, ResourceRecord>, now: number): boolean {
    const waiting = this.#waiting.get(address) ?? { records: new Map(), messages: 0, askedAt: now, at: 0 }
    if (waiting.messages === 0 && (answers.size === 0 || this.#waiting.size === MOST_WAITING)) return false
    if (waiting.messages === MOST_MESSAGES) return false
    this.#waiting.set(address, waiting)
    for (const [key, record] of answers) waiting.records.set(key, record)
    waiting.messages++
    waiting.askedAt = now
    const at = now + this.#between(TRUNCATED_DELAY)
    waiting.at = at
    this.#agenda.add(at, (later) => {
      if (waiting.at !== at) return // more messages have come
      this.#waiting.delete(address)
      for (const [key, record] of waiting.records)
        this.#put(key, { record, askedAt: waiting.askedAt, at: later }, PAUSE)
      this.#sayDue(later)
    })
    return true
  }

  #takeOut({ records }: Waiting, known: ResourceRecord): void {
    const key = recordKey(known)
    if (known.ttl * 2 >= (records.get(key)?.ttl ?? 0)) records.delete(key)
  }

  #plan(answers: Map<string, ResourceRecord>, isProbe: boolean, now: number): void {
    for (const [key, record] of answers) {
      const at = isProbe || record.flush ? now : this.#gather(now)
      this.#put(key, { record, askedAt: now, at }, isProbe ? PROBE_PAUSE : PAUSE)
    }
  }

  #put(key: string, { record, askedAt, at: wanted }: Due, pause: number): void {
    const at = Math.max(wanted, this.#voice.lastSaid(key) + pause)
    this.#due.set(key, { record, askedAt, at: Math.min(at, this.#due.get(key)?.at ?? at) })
  }

  #gather(now: number): number {
    if (this.#gatheredAt <= now) this.#gatheredAt = now + this.#between(SHARED_DELAY)
    return this.#gatheredAt
  }

  #between({ least, most }: { least: number; most: number }): number {
    return least + (most - least) * this.#random.number()
  }

  /** Says what is due, and sees to the rest being said in its time. */
  #sayDue(now: number): void {
    if (this.#due.size === 0) return
    const records: ResourceRecord[] = []
    let next = Number.POSITIVE_INFINITY
    for (const [key, { record, askedAt, at }] of this.#due) {
      if (at > now) next = Math.min(next, at)
      else {
        this.#due.delete(key)
        // An announcement, or an answer to somebody else's question, may have said it in the meantime.
        if (this.#holdings.find(record) && this.#voice.lastSaid(key) <= askedAt) records.push(record)
      }
    }
    this.#voice.respond(this.#withAdditionals(records), now)
    if (next >= this.#wakeAt) return
    this.#wakeAt = next
    this.#agenda.add(next, (later) => {
      if (this.#wakeAt === next) this.#wakeAt = Number.POSITIVE_INFINITY
      this.#sayDue(later)
    })
  }

  /** Takes out of the answers those that were said to everyone not long ago, and the asker alone wants (section 5.4). */
  #replyToOne(
    questions: readonly Question[],
    answers: Map<string, ResourceRecord>,
    heard: DatagramSource,
    now: number,
  ): void {
    const { address, port, onLink } = heard
    // Of several programs on this machine only one would get it, and not always the one that asked (section 15).
    if (!questions.some(({ unicast }) => unicast) || !onLink || this.#isOwn(address)) return
    const toAll = this.#answersTo(
      questions.filter(({ unicast }) => !unicast),
      [],
    )
    const toOne = [...answers].filter(([key, record]) => !toAll.has(key) && this.#voice.isRecent(record, now))
    if (toOne.length === 0 || !this.#unicast.take(now)) return
    for (const [key] of toOne) answers.delete(key)
    this.#voice.reply({ address, port }, 0, this.#withAdditionals(toOne.map(([, record]) => record)))
  }

  #replyToResolver(
    message: Message,
    answers: ResourceRecord[],
    { address, port, onLink }: DatagramSource,
    now: number,
  ): void {
    if (!onLink || !this.#unicast.take(now)) return
    const brief = (record: ResourceRecord) => ({ ...record, ttl: Math.min(record.ttl, RESOLVER_TTL), flush: false })
    const groups = this.#withAdditionals(answers).map(({ answers = [], additionals = [] }, index) => ({
      questions: index === 0 ? message.questions.slice(0, MOST_REPEATED) : [],
      answers: answers.map(brief),
      additionals: additionals.map(brief),
    }))
    this.#voice.reply({ address, port }, message.id, groups)
  }

  /** Each answer with what will be asked for next, unless that is an answer itself. */
  #withAdditionals(records: readonly ResourceRecord[]): Group[] {
    const answered = new Set(records.map(recordKey))
    return records.map((record) => {
      const additionals = this.#holdings.additionalsTo(record).filter((each) => !answered.has(recordKey(each)))
      return { answers: [record], additionals }
    })
  }
}
