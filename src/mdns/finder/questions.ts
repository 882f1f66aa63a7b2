import type { Agenda } from '../../agenda.ts'
import type { Chance } from '../../presence/types.ts'
import { keyOf } from '../names.ts'
import { type Group, pack } from '../packing.ts'
import type { Heard, Message, OutgoingMessage, Question, ResourceRecord } from '../types.ts'

/** Questions are gathered for this long, ms, so that hosts that begin together do not ask together (RFC 6762, section 5.2). */
const GATHER = { least: 20, spread: 100 }
/** Of the known answers no more go along: the rest is only answered once more. */
const MOST_KNOWN = 400

interface Pending {
  question: Question
  /** It is asked even if all that is known is fresh: there may be more. */
  always: boolean
}

/** Sends questions, several in one message, along with the answers that are known. */
export class Questions {
  readonly #agenda: Agenda
  readonly #chance: Chance
  readonly #send: (out: OutgoingMessage) => void
  readonly #known: (on: string, question: Question, now: number) => ResourceRecord[]
  readonly #isKnown: (on: string, record: ResourceRecord, now: number) => boolean
  readonly #isOpen: (on: string, question: Question) => boolean
  readonly #pending = new Map<string, Map<string, Pending>>()

  constructor(parts: {
    agenda: Agenda
    chance: Chance
    send: (out: OutgoingMessage) => void
    /** What need not be answered again. */
    known: (on: string, question: Question, now: number) => ResourceRecord[]
    /** Whether a record is among what need not be answered again. */
    isKnown: (on: string, record: ResourceRecord, now: number) => boolean
    /** Whether an answer is still waited for. */
    isOpen: (on: string, question: Question) => boolean
  }) {
    this.#agenda = parts.agenda
    this.#chance = parts.chance
    this.#send = parts.send
    this.#known = parts.known
    this.#isKnown = parts.isKnown
    this.#isOpen = parts.isOpen
  }

  /**
   * Asks within 120 ms, unless the answer has come by then (`always`: even so), or somebody else asks in the meantime.
   */
  ask(on: string, question: Question, now: number, always?: 'always'): void {
    const pending = this.#pending.get(on) ?? new Map<string, Pending>()
    if (!this.#pending.has(on)) {
      this.#pending.set(on, pending)
      const wait = GATHER.least + GATHER.spread * this.#chance.number()
      this.#agenda.add(now + wait, (later) => this.#flush(on, pending, later))
    }
    const key = questionKey(question)
    const known = pending.get(key)
    if (!known) pending.set(key, { question, always: always !== undefined })
    else if (always) known.always = true
  }

  /** Whether this very question is about to be asked. */
  isAsking(on: string, question: Question): boolean {
    return this.#pending.get(on)?.has(questionKey(question)) === true
  }

  /** Somebody else's questions: what they ask need not be asked twice, if they know no more than we do (section 7.3). */
  hear(message: Message, heard: Heard, now: number): void {
    const pending = this.#pending.get(heard.interface)
    if (!pending || message.truncated || heard.port !== 5353) return
    const asked = new Set(message.questions.filter(({ unicast }) => !unicast).map(questionKey))
    for (const record of message.answers) {
      if (!this.#isKnown(heard.interface, record, now)) asked.delete(questionKey(record))
    }
    for (const key of asked) pending.delete(key)
  }

  forgetInterface(on: string): void {
    this.#pending.delete(on)
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
