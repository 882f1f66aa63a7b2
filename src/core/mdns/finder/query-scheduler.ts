import type { Agenda } from '../../agenda.ts'
import { keepNewest } from '../../keep-newest.ts'
import type { DatagramSource } from '../../link.ts'
import type { Random } from '../../random.ts'
import {
  MDNS_PORT,
  type Message,
  type MessageGroup,
  type OutgoingMessage,
  packMessages,
  type Question,
} from '../dns/messages.ts'
import { nameKey, type ResourceRecord } from '../dns/records.ts'

/**
 * How long questions are collected before they are sent together, ms, with a random part so that hosts do not all query
 * at once (RFC 6762, section 5.2).
 */
const QUERY_DELAY = { min: 20, spread: 100 }

/**
 * A question that another host asked within this time is not repeated, ms: its answer will arrive soon (section 7.3).
 */
const DUPLICATE_WINDOW = 1000

/** The maximum number of questions of other hosts that are remembered. */
const MAX_REMEMBERED = 1024

/** The maximum number of senders whose truncated queries are remembered, and of questions per sender. */
const MAX_TRUNCATED = 16
const MAX_TRUNCATED_QUESTIONS = 256

/** The maximum number of known answers per query. Answers to the others are only received once more. */
const MAX_KNOWN_ANSWERS = 400

interface PendingQuestion {
  question: Question
  /** Ask even if all known answers are fresh: there may be more answers. */
  evenIfKnown: boolean
  /** Ask even if another host asks the same question. */
  evenIfDuplicate: boolean
}

/** Sends questions. Combines several questions, and the known answers to them, into one message. */
export class QueryScheduler {
  readonly #agenda: Agenda
  readonly #random: Random
  readonly #send: (out: OutgoingMessage) => void
  readonly #knownAnswers: (interfaceName: string, question: Question, now: number) => ResourceRecord[]
  readonly #isKnownAnswer: (interfaceName: string, record: ResourceRecord, now: number) => boolean
  readonly #needsAnswer: (interfaceName: string, question: Question) => boolean
  readonly #pending = new Map<string, Map<string, PendingQuestion>>()
  /** When another host last asked a question, by interface and question, oldest first. */
  readonly #queriedByOthers = new Map<string, number>()
  /** The questions of truncated queries by sender. More known answers of the sender follow (section 7.2). */
  readonly #truncated = new Map<string, { asked: Map<string, Question>; at: number }>()

  constructor(parts: {
    agenda: Agenda
    random: Random
    send: (out: OutgoingMessage) => void
    /** The known answers to send along with a question. */
    knownAnswers: (interfaceName: string, question: Question, now: number) => ResourceRecord[]
    /** Whether a record is a known answer. */
    isKnownAnswer: (interfaceName: string, record: ResourceRecord, now: number) => boolean
    /** Whether a question still needs an answer. */
    needsAnswer: (interfaceName: string, question: Question) => boolean
  }) {
    this.#agenda = parts.agenda
    this.#random = parts.random
    this.#send = parts.send
    this.#knownAnswers = parts.knownAnswers
    this.#isKnownAnswer = parts.isKnownAnswer
    this.#needsAnswer = parts.needsAnswer
  }

  /**
   * Sends an mDNS question after a random delay of at most 120 ms. By default it is not sent if it is answered before, or
   * if another host asks it.
   * `always` asks it even if it is answered or was just asked by another host. `insist` asks it even if it was just
   * asked, or is asked meanwhile, by another host.
   */
  schedule(interfaceName: string, question: Question, now: number, mode?: 'always' | 'insist'): void {
    const key = questionKey(question)
    const askedByOtherAt = this.#queriedByOthers.get(`${interfaceName} ${key}`) ?? Number.NEGATIVE_INFINITY
    if (!mode && now - askedByOtherAt < DUPLICATE_WINDOW) return
    const pending = this.#pending.get(interfaceName) ?? new Map<string, PendingQuestion>()
    if (!this.#pending.has(interfaceName)) {
      this.#pending.set(interfaceName, pending)
      const wait = QUERY_DELAY.min + QUERY_DELAY.spread * this.#random.number()
      this.#agenda.add(now + wait, (later) => this.#flush(interfaceName, pending, later))
    }
    const { evenIfKnown = false, evenIfDuplicate = false } = pending.get(key) ?? {}
    pending.set(key, {
      question,
      evenIfKnown: evenIfKnown || mode === 'always',
      evenIfDuplicate: evenIfDuplicate || mode === 'insist',
    })
  }

  /** Whether the question is about to be sent. */
  isScheduled(interfaceName: string, question: Question): boolean {
    return this.#pending.get(interfaceName)?.has(questionKey(question)) === true
  }

  /**
   * Handles a query of another host. Own questions that it asks as well are dropped, provided that the host knows no
   * answers that this host does not know (section 7.3).
   *
   * @returns the names in those of its questions that ask for PTR records
   */
  receiveQuery(message: Message, { interface: interfaceName, address, port }: DatagramSource, now: number): string[] {
    if (port !== MDNS_PORT) return []
    const sender = `${interfaceName} ${address}`
    const before = this.#truncated.get(sender)
    this.#truncated.delete(sender)
    const asked = before && now - before.at < DUPLICATE_WINDOW ? before.asked : new Map<string, Question>()
    for (const question of message.questions) if (!question.unicast) asked.set(questionKey(question), question)
    for (const record of message.answers)
      if (!this.#isKnownAnswer(interfaceName, record, now)) asked.delete(questionKey(record))
    if (message.truncated) {
      if (asked.size <= MAX_TRUNCATED_QUESTIONS) this.#truncated.set(sender, { asked, at: now })
      keepNewest(this.#truncated, MAX_TRUNCATED)
      return []
    }
    for (const key of asked.keys()) {
      const pending = this.#pending.get(interfaceName)
      if (!pending?.get(key)?.evenIfDuplicate) pending?.delete(key)
      this.#remember(`${interfaceName} ${key}`, now)
    }
    return [...asked.values()].filter(({ type }) => type === 'PTR').map(({ name }) => name)
  }

  removeInterface(interfaceName: string): void {
    this.#pending.delete(interfaceName)
  }

  #remember(key: string, now: number): void {
    this.#queriedByOthers.delete(key)
    this.#queriedByOthers.set(key, now)
    for (const [oldest, at] of this.#queriedByOthers) {
      if (this.#queriedByOthers.size <= MAX_REMEMBERED && now - at < DUPLICATE_WINDOW) break
      this.#queriedByOthers.delete(oldest)
    }
  }

  #flush(interfaceName: string, pending: Map<string, PendingQuestion>, now: number): void {
    if (this.#pending.get(interfaceName) !== pending) return
    this.#pending.delete(interfaceName)
    const open = [...pending.values()].filter(
      ({ question, evenIfKnown }) => evenIfKnown || this.#needsAnswer(interfaceName, question),
    )
    const known = open.flatMap(({ question }) => this.#knownAnswers(interfaceName, question, now))
    const groups: MessageGroup[] = [
      ...open.map(({ question }) => ({ questions: [question] })),
      ...known.slice(0, MAX_KNOWN_ANSWERS).map((record) => ({ answers: [record] })),
    ]
    const messages = packMessages('query', groups)
    for (const [i, message] of messages.entries()) {
      this.#send({
        interface: interfaceName,
        to: 'multicast',
        message: { ...message, truncated: i < messages.length - 1 },
      })
    }
  }
}

function questionKey({ name, type }: { name: string; type: string }): string {
  return `${type} ${nameKey(name)}`
}
