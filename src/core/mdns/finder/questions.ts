import type { Agenda } from '../../agenda.ts'
import type { DatagramSource } from '../../link.ts'
import type { Random } from '../../random.ts'
import { keyOf } from '../dns/names.ts'
import { type Group, pack } from '../dns/packing.ts'
import type { Message, OutgoingMessage, Question, ResourceRecord } from '../dns/types.ts'

/** Questions are gathered for this long, ms, so that hosts that begin together do not ask together (RFC 6762, section 5.2). */
const GATHER = { least: 20, spread: 100 }
/** What somebody else asked is not asked again within this, ms: the answer is on its way. */
const ANSWERED_SOON = 1000
/** So many of others' questions are remembered. */
const MOST_HEARD = 1024
/** Of so many senders, and of each with so many questions, is waited for the rest. */
const MOST_UNFINISHED = 16
const MOST_QUESTIONS = 256
/** Of the known answers no more go along: the rest is only answered once more. */
const MOST_KNOWN = 400

interface Pending {
  question: Question
  /** It is asked even if all that is known is fresh: there may be more. */
  always: boolean
  /** It is asked even if somebody else asks it. */
  insists: boolean
}

/** Sends questions, several in one message, along with the answers that are known. */
export class Questions {
  readonly #agenda: Agenda
  readonly #random: Random
  readonly #send: (out: OutgoingMessage) => void
  readonly #known: (on: string, question: Question, now: number) => ResourceRecord[]
  readonly #isKnown: (on: string, record: ResourceRecord, now: number) => boolean
  readonly #isOpen: (on: string, question: Question) => boolean
  readonly #pending = new Map<string, Map<string, Pending>>()
  /** When somebody else asked what, by interface and question, the longest ago first. */
  readonly #heard = new Map<string, number>()
  /** By sender, the questions of a truncated message: the rest of what it knows follows at once (section 7.2). */
  readonly #unfinished = new Map<string, { asked: Map<string, Question>; at: number }>()

  constructor(parts: {
    agenda: Agenda
    random: Random
    send: (out: OutgoingMessage) => void
    /** What need not be answered again. */
    known: (on: string, question: Question, now: number) => ResourceRecord[]
    /** Whether a record is among what need not be answered again. */
    isKnown: (on: string, record: ResourceRecord, now: number) => boolean
    /** Whether an answer is still waited for. */
    isOpen: (on: string, question: Question) => boolean
  }) {
    this.#agenda = parts.agenda
    this.#random = parts.random
    this.#send = parts.send
    this.#known = parts.known
    this.#isKnown = parts.isKnown
    this.#isOpen = parts.isOpen
  }

  /**
   * Asks within 120 ms, unless the answer has come by then or somebody else has asked just now (`always`: even so), or asks in
   * the meantime (`insist`: even so).
   */
  ask(on: string, question: Question, now: number, how?: 'always' | 'insist'): void {
    if (!how && now - (this.#heard.get(`${on} ${questionKey(question)}`) ?? Number.NEGATIVE_INFINITY) < ANSWERED_SOON)
      return
    const pending = this.#pending.get(on) ?? new Map<string, Pending>()
    if (!this.#pending.has(on)) {
      this.#pending.set(on, pending)
      const wait = GATHER.least + GATHER.spread * this.#random.number()
      this.#agenda.add(now + wait, (later) => this.#flush(on, pending, later))
    }
    const key = questionKey(question)
    const { always = false, insists = false } = pending.get(key) ?? {}
    pending.set(key, { question, always: always || how === 'always', insists: insists || how === 'insist' })
  }

  /** Whether this very question is about to be asked. */
  isAsking(on: string, question: Question): boolean {
    return this.#pending.get(on)?.has(questionKey(question)) === true
  }

  /**
   * Somebody else's questions: what they ask need not be asked twice, if they know no more than we do (section 7.3).
   * Returns the names whose PTR records they ask for so.
   */
  hear(message: Message, { interface: on, address, port }: DatagramSource, now: number): string[] {
    if (port !== 5353) return []
    const sender = `${on} ${address}`
    const before = this.#unfinished.get(sender)
    this.#unfinished.delete(sender)
    const asked = before && now - before.at < ANSWERED_SOON ? before.asked : new Map<string, Question>()
    for (const question of message.questions) if (!question.unicast) asked.set(questionKey(question), question)
    for (const record of message.answers) if (!this.#isKnown(on, record, now)) asked.delete(questionKey(record))
    if (message.truncated) {
      if (asked.size <= MOST_QUESTIONS) this.#unfinished.set(sender, { asked, at: now })
      for (const oldest of this.#unfinished.keys()) {
        if (this.#unfinished.size > MOST_UNFINISHED) this.#unfinished.delete(oldest)
      }
      return []
    }
    for (const key of asked.keys()) {
      const pending = this.#pending.get(on)
      if (!pending?.get(key)?.insists) pending?.delete(key)
      this.#remember(`${on} ${key}`, now)
    }
    return [...asked.values()].filter(({ type }) => type === 'PTR').map(({ name }) => name)
  }

  forgetInterface(on: string): void {
    this.#pending.delete(on)
  }

  #remember(key: string, now: number): void {
    this.#heard.delete(key)
    this.#heard.set(key, now)
    for (const [oldest, at] of this.#heard) {
      if (this.#heard.size <= MOST_HEARD && now - at < ANSWERED_SOON) break
      this.#heard.delete(oldest)
    }
  }

  #flush(on: string, pending: Map<string, Pending>, now: number): void {
    if (this.#pending.get(on) !== pending) return
    this.#pending.delete(on)
    const open = [...pending.values()].filter(({ question, always }) => always || this.#isOpen(on, question))
    const known = open.flatMap(({ question }) => this.#known(on, question, now))
    const groups: Group[] = [
      ...open.map(({ question }) => ({ questions: [question] })),
      ...known.slice(0, MOST_KNOWN).map((record) => ({ answers: [record] })),
    ]
    const messages = pack('query', groups)
    for (const [i, message] of messages.entries()) {
      this.#send({ interface: on, to: 'everyone', message: { ...message, truncated: i < messages.length - 1 } })
    }
  }
}

function questionKey({ name, type }: { name: string; type: string }): string {
  return `${type} ${keyOf(name)}`
}
