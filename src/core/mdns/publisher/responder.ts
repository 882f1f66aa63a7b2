import type { Agenda } from '../../agenda.ts'
import { Budget } from '../../budget.ts'
import type { DatagramSource } from '../../link.ts'
import type { Random } from '../../random.ts'
import { MDNS_PORT, type Message, type MessageGroup, type Question } from '../dns/messages.ts'
import { nameKey, type ResourceRecord, recordKey, uncachedRecordKey } from '../dns/records.ts'
import { MIN_RESEND_INTERVAL, type MulticastSender } from './multicast-sender.ts'
import type { OwnRecords } from './own-records.ts'

/** The random delay of answers that several hosts may give, ms (RFC 6762, section 6). */
const SHARED_DELAY = { min: 20, max: 120 }

/** How long to wait for the known answers that follow a truncated query, ms (section 7.2). */
const TRUNCATED_DELAY = { min: 400, max: 500 }

/**
 * The maximum number of truncated queries in progress, and of messages of each. Queries beyond that are answered like
 * complete ones.
 */
const MAX_TRUNCATED = 64
const MAX_TRUNCATED_MESSAGES = 8

/** The minimum time between two multicasts of a record if a probe asks for it, ms (section 6). */
const MIN_PROBE_RESEND_INTERVAL = 250

/** The maximum TTL in answers to legacy resolvers, seconds (section 6.7). */
const LEGACY_TTL = 10

/** Limits unicast responses to all hosts together. */
const UNICAST_PER_SECOND = 50
const UNICAST_BURST = 100
const MAX_REPEATED_QUESTIONS = 8

/** The collected answers to a truncated query. Known answers are still to be removed. */
interface TruncatedQuery {
  records: Map<string, ResourceRecord>
  messages: number
  /** When its last message arrived and when it is answered, monotonic ms. */
  askedAt: number
  at: number
}

/** A scheduled multicast answer. */
interface ScheduledAnswer {
  record: ResourceRecord
  /** When it was last asked for, monotonic ms. */
  askedAt: number
  at: number
}

/** Answers the questions of other hosts on one interface (RFC 6762, sections 6 and 7). */
export class Responder {
  readonly #agenda: Agenda
  readonly #random: Random
  readonly #sender: MulticastSender
  readonly #ownRecords: OwnRecords
  readonly #unicastBudget = new Budget(UNICAST_PER_SECOND, UNICAST_BURST)
  /** The scheduled multicast answers, by record key. */
  readonly #scheduled = new Map<string, ScheduledAnswer>()
  readonly #duplicates = new QueryDuplicates()
  readonly #isOwn: (address: string) => boolean
  /** By the address of the sender. */
  readonly #truncated = new Map<string, TruncatedQuery>()
  #wakeAt = Number.POSITIVE_INFINITY
  /** When the shared answers that are currently collected are sent, monotonic ms. */
  #aggregateAt = Number.NEGATIVE_INFINITY

  constructor(parts: {
    agenda: Agenda
    random: Random
    sender: MulticastSender
    ownRecords: OwnRecords
    /** Whether an address belongs to this interface. */
    isOwn: (address: string) => boolean
  }) {
    this.#agenda = parts.agenda
    this.#random = parts.random
    this.#sender = parts.sender
    this.#ownRecords = parts.ownRecords
    this.#isOwn = parts.isOwn
  }

  receiveQuery(message: Message, from: DatagramSource, now: number): void {
    const { address, port } = from
    const truncated = this.#truncated.get(address)
    if (truncated) for (const known of message.answers) this.#suppress(truncated, known)
    const answers = this.#answersTo(message.questions, message.answers)
    if (answers.size > 0) {
      const isProbe = message.authorities.length > 0
      if (port !== MDNS_PORT) this.#replyToLegacyResolver(message, [...answers.values()], from, now)
      else {
        this.#replyUnicast(message.questions, answers, from, now)
        const isDuplicate = this.#duplicates.isDuplicate(message, address, now)
        const isAwaited =
          !isDuplicate && message.truncated && !isProbe && this.#awaitKnownAnswers(address, answers, now)
        if (!isDuplicate && !isAwaited) this.#schedule(answers, isProbe, now)
      }
    } else if (truncated && message.truncated) this.#awaitKnownAnswers(address, answers, now)
    this.#sendDue(now)
  }

  /**
   * Drops a scheduled answer that another host has given (section 7.4). Schedules an answer if another host announces
   * an own record with a TTL below half of the own one: caches would otherwise drop the record too early.
   */
  receiveResponse({ answers }: Message, now: number): void {
    for (const record of answers) {
      const own = this.#ownRecords.find(record)
      if (!own) continue
      const key = recordKey(own)
      if (record.ttl * 2 < own.ttl)
        this.#scheduleAnswer(key, { record: own, askedAt: now, at: this.#aggregate(now) }, MIN_RESEND_INTERVAL)
      else {
        this.#scheduled.delete(key)
        for (const { records } of this.#truncated.values()) records.delete(key)
      }
    }
    this.#sendDue(now)
  }

  #answersTo(questions: readonly Question[], known: readonly ResourceRecord[]): Map<string, ResourceRecord> {
    const answers = new Map<string, ResourceRecord>()
    for (const question of questions) {
      for (const record of this.#ownRecords.answersTo(question)) answers.set(recordKey(record), record)
    }
    // Known answers with at least half of the TTL are not sent again (section 7.1).
    if (answers.size > 0) {
      for (const record of known) {
        const key = recordKey(record)
        if (record.ttl * 2 >= (answers.get(key)?.ttl ?? 0)) answers.delete(key)
      }
    }
    return answers
  }

  /** Returns false if a limit is reached. */
  #awaitKnownAnswers(address: string, answers: Map<string, ResourceRecord>, now: number): boolean {
    const truncated = this.#truncated.get(address) ?? { records: new Map(), messages: 0, askedAt: now, at: 0 }
    if (truncated.messages === 0 && (answers.size === 0 || this.#truncated.size === MAX_TRUNCATED)) return false
    if (truncated.messages === MAX_TRUNCATED_MESSAGES) return false
    this.#truncated.set(address, truncated)
    for (const [key, record] of answers) truncated.records.set(key, record)
    truncated.messages++
    truncated.askedAt = now
    const at = now + this.#randomDelay(TRUNCATED_DELAY)
    truncated.at = at
    this.#agenda.add(at, (later) => {
      if (truncated.at !== at) return // another message has arrived since
      this.#truncated.delete(address)
      for (const [key, record] of truncated.records)
        this.#scheduleAnswer(key, { record, askedAt: truncated.askedAt, at: later }, MIN_RESEND_INTERVAL)
      this.#sendDue(later)
    })
    return true
  }

  #suppress({ records }: TruncatedQuery, known: ResourceRecord): void {
    const key = recordKey(known)
    if (known.ttl * 2 >= (records.get(key)?.ttl ?? 0)) records.delete(key)
  }

  #schedule(answers: Map<string, ResourceRecord>, isProbe: boolean, now: number): void {
    for (const [key, record] of answers) {
      const at = isProbe || record.flush ? now : this.#aggregate(now)
      this.#scheduleAnswer(key, { record, askedAt: now, at }, isProbe ? MIN_PROBE_RESEND_INTERVAL : MIN_RESEND_INTERVAL)
    }
  }

  #scheduleAnswer(key: string, { record, askedAt, at: wanted }: ScheduledAnswer, minInterval: number): void {
    const at = Math.max(wanted, this.#sender.lastSent(key) + minInterval)
    this.#scheduled.set(key, { record, askedAt, at: Math.min(at, this.#scheduled.get(key)?.at ?? at) })
  }

  #aggregate(now: number): number {
    if (this.#aggregateAt <= now) this.#aggregateAt = now + this.#randomDelay(SHARED_DELAY)
    return this.#aggregateAt
  }

  #randomDelay({ min, max }: { min: number; max: number }): number {
    return min + (max - min) * this.#random.number()
  }

  /** Sends all answers that are due and plans the next run. */
  #sendDue(now: number): void {
    if (this.#scheduled.size === 0) return
    const records: ResourceRecord[] = []
    let next = Number.POSITIVE_INFINITY
    for (const [key, { record, askedAt, at }] of this.#scheduled) {
      if (at > now) next = Math.min(next, at)
      else {
        this.#scheduled.delete(key)
        // An announcement or another answer may have contained the record since.
        if (this.#ownRecords.find(record) && this.#sender.lastSent(key) <= askedAt) records.push(record)
      }
    }
    this.#sender.respond(this.#withAdditionals(records), now)
    if (next >= this.#wakeAt) return
    this.#wakeAt = next
    this.#agenda.add(next, (later) => {
      if (this.#wakeAt === next) this.#wakeAt = Number.POSITIVE_INFINITY
      this.#sendDue(later)
    })
  }

  /**
   * Sends the answers by unicast that the sender asked for by unicast and that were sent by multicast recently, and
   * removes them from `answers` (section 5.4).
   */
  #replyUnicast(
    questions: readonly Question[],
    answers: Map<string, ResourceRecord>,
    from: DatagramSource,
    now: number,
  ): void {
    const { address, port, onLink } = from
    // Programs on this machine share the port. A unicast answer would reach only one of them (section 15).
    if (!questions.some(({ unicast }) => unicast) || !onLink || this.#isOwn(address)) return
    const multicastAnswers = this.#answersTo(
      questions.filter(({ unicast }) => !unicast),
      [],
    )
    const unicastAnswers = [...answers].filter(
      ([key, record]) => !multicastAnswers.has(key) && this.#sender.wasSentRecently(record, now),
    )
    if (unicastAnswers.length === 0 || !this.#unicastBudget.take(now)) return
    for (const [key] of unicastAnswers) answers.delete(key)
    this.#sender.sendUnicast({ address, port }, 0, this.#withAdditionals(unicastAnswers.map(([, record]) => record)))
  }

  #replyToLegacyResolver(
    message: Message,
    answers: ResourceRecord[],
    { address, port, onLink }: DatagramSource,
    now: number,
  ): void {
    if (!onLink || !this.#unicastBudget.take(now)) return
    const shortLived = (record: ResourceRecord) => ({ ...record, ttl: Math.min(record.ttl, LEGACY_TTL), flush: false })
    const groups = this.#withAdditionals(answers).map(({ answers = [], additionals = [] }, index) => ({
      questions: index === 0 ? message.questions.slice(0, MAX_REPEATED_QUESTIONS) : [],
      answers: answers.map(shortLived),
      additionals: additionals.map(shortLived),
    }))
    this.#sender.sendUnicast({ address, port }, message.id, groups)
  }

  /** Each answer with its additional records, without those that are answers themselves. */
  #withAdditionals(records: readonly ResourceRecord[]): MessageGroup[] {
    const answered = new Set(records.map(recordKey))
    return records.map((record) => {
      const additionals = this.#ownRecords.additionalsTo(record).filter((each) => !answered.has(recordKey(each)))
      return { answers: [record], additionals }
    })
  }
}

/**
 * The maximum time between the two copies of a query, ms. It is shorter than the second after which a query may be
 * repeated.
 */
const DUPLICATE_WINDOW = 300

/** The maximum number of queries that are remembered. Copies of older ones are answered once more. */
const MAX_QUERIES = 64

interface ReceivedQuery {
  key: string
  isIpv6: boolean
  at: number
}

/** Detects the second copy of a query. Most hosts send each query over both IPv4 and IPv6. */
class QueryDuplicates {
  /** The queries whose second copy has not arrived, oldest first. */
  #queries: ReceivedQuery[] = []

  /** Whether a message is the second copy of a query that has already arrived over the other IP version. */
  isDuplicate(message: Message, address: string, now: number): boolean {
    const query = { key: queryKey(message), isIpv6: address.includes(':'), at: now }
    this.#queries = this.#queries.filter(({ at }) => at > now - DUPLICATE_WINDOW)
    const other = this.#queries.findIndex(({ key, isIpv6 }) => key === query.key && isIpv6 !== query.isIpv6)
    if (other === -1) this.#queries = [...this.#queries.slice(1 - MAX_QUERIES), query]
    else this.#queries.splice(other, 1)
    return other !== -1
  }
}

function queryKey({ questions, truncated, answers, authorities }: Message): string {
  const asked = questions.map(({ name, type, unicast }) => `${nameKey(name)} ${type} ${unicast ?? ''}`)
  return [truncated, ...asked, ...answers.map(uncachedRecordKey), ...authorities.map(uncachedRecordKey)].join('\n')
}
