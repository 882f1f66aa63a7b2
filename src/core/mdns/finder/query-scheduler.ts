import type { Agenda } from '../../agenda.ts'
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

/** Questions are gathered for this long, ms, so that hosts that begin together do not ask together (RFC 6762, section 5.2). */
const QUERY_DELAY = { least: 20, spread: 100 }

/** What somebody else asked is not asked again within this, ms: the answer is on its way. */
const DUPLICATE_WINDOW = 1000

/** So many of others' questions are remembered. */
const MAX_REMEMBERED = 1024

/** Of so many senders, and of each with so many questions, is waited for the rest. */
const MAX_TRUNCATED = 16

const MAX_TRUNCATED_QUESTIONS = 256

/** Of the known answers no more go along: the rest is only answered once more. */
const MAX_KNOWN_ANSWERS = 400

interface PendingQuestion {
  question: Question
  /** It is asked even if all that is known is fresh: there may be more. */
  evenIfKnown: boolean
  /** It is asked even if somebody else asks it. */
  evenIfDuplicate: boolean
}

/** Sends questions, several in one message, along with the answers that are known. */
export class QueryScheduler {
  readonly #agenda: Agenda
  readonly #random: Random
  readonly #send: (out: OutgoingMessage) => void
  readonly #knownAnswers: (interfaceName: string, question: Question, now: number) => ResourceRecord[]
  readonly #isKnownAnswer: (interfaceName: string, record: ResourceRecord, now: number) => boolean
  readonly #needsAnswer: (interfaceName: string, question: Question) => boolean
  readonly #pending = new Map<string, Map<string, PendingQuestion>>()
  /** When somebody else asked what, by interface and question, the longest ago first. */
  readonly #queriedByOthers = new Map<string, number>()
  /** By sender, the questions of a truncated message: the rest of what it knows follows at once (section 7.2). */
  readonly #truncated = new Map<string, { asked: Map<string, Question>; at: number }>()

  constructor(parts: {
    agenda: Agenda
    random: Random
    send: (out: OutgoingMessage) => void
    /** What need not be answered again. */
    knownAnswers: (interfaceName: string, question: Question, now: number) => ResourceRecord[]
    /** Whether a record is among what need not be answered again. */
    isKnownAnswer: (interfaceName: string, record: ResourceRecord, now: number) => boolean
    /** Whether an answer is still waited for. */
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
   * Asks within 120 ms, unless the answer has come by then or somebody else has asked just now (`always`: even so), or asks in
   * the meantime (`insist`: even so).
   */
  schedule(interfaceName: string, question: Question, now: number, how?: 'always' | 'insist'): void {
    if (
      !how &&
      now - (this.#queriedByOthers.get(`${interfaceName} ${questionKey(question)}`) ?? Number.NEGATIVE_INFINITY) <
        DUPLICATE_WINDOW
    )
      return
    const pending = this.#pending.get(interfaceName) ?? new Map<string, PendingQuestion>()
    if (!this.#pending.has(interfaceName)) {
      this.#pending.set(interfaceName, pending)
      const wait = QUERY_DELAY.least + QUERY_DELAY.spread * this.#random.number()
      this.#agenda.add(now + wait, (later) => this.#flush(interfaceName, pending, later))
    }
    const key = questionKey(question)
    const { evenIfKnown: always = false, evenIfDuplicate: insists = false } = pending.get(key) ?? {}
    pending.set(key, {
      question,
      evenIfKnown: always || how === 'always',
      evenIfDuplicate: insists || how === 'insist',
    })
  }

  /** Whether this very question is about to be asked. */
  isScheduled(interfaceName: string, question: Question): boolean {
    return this.#pending.get(interfaceName)?.has(questionKey(question)) === true
  }

  /**
   * Somebody else's questions: what they ask need not be asked twice, if they know no more than we do (section 7.3).
   * Returns the names whose PTR records they ask for so.
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
      for (const oldest of this.#truncated.keys()) {
        if (this.#truncated.size > MAX_TRUNCATED) this.#truncated.delete(oldest)
      }
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
      ({ question, evenIfKnown: always }) => always || this.#needsAnswer(interfaceName, question),
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
