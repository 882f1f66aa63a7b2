import { describe, expect, it } from 'vitest'
import { Agenda } from '../../../../src/core/agenda.ts'
import type { Message, OutgoingMessage, Question } from '../../../../src/core/mdns/dns/messages.ts'
import type { ResourceRecord } from '../../../../src/core/mdns/dns/records.ts'
import { QueryScheduler } from '../../../../src/core/mdns/finder/query-scheduler.ts'
import { seededRandom } from '../../sim/network.ts'
import { a, FROM } from './stage.ts'

const question = (n: number): Question => ({ type: 'PTR', name: `_type${n}._tcp.local` })

/** A scheduler alone. `known` are the known answers to every question. */
class Scene {
  readonly #agenda = new Agenda()
  readonly #sent: OutgoingMessage[] = []
  readonly #scheduler: QueryScheduler

  constructor(known: ResourceRecord[] = []) {
    this.#scheduler = new QueryScheduler({
      agenda: this.#agenda,
      random: seededRandom('queries'),
      send: (out) => this.#sent.push(out),
      knownAnswers: () => known,
      isKnownAnswer: () => false,
      needsAnswer: () => true,
    })
  }

  /** Another host asks. */
  hear(questions: Question[], { truncated = false, address = '10.0.0.9' } = {}): void {
    const sections = { questions, answers: [], authorities: [], additionals: [] }
    const message: Message = { kind: 'query', id: 0, truncated, ...sections }
    this.#scheduler.receiveQuery(message, { ...FROM, address }, 0)
  }

  /** Schedules a question. Returns the messages that are sent. */
  ask(asked: Question): Message[] {
    this.#scheduler.schedule('eth0', asked, 0)
    this.#agenda.run(200)
    return this.#sent.splice(0).map(({ message }) => message)
  }
}

describe('a question that another host has just asked', () => {
  it('is not repeated, unless 1024 other questions were asked after it', () => {
    const scene = new Scene()
    scene.hear(Array.from({ length: 1024 }, (_, i) => question(i)))
    expect(scene.ask(question(0))).toEqual([])
    scene.hear([question(1024)])
    expect(scene.ask(question(0))).toMatchObject([{ questions: [question(0)] }])
    expect(scene.ask(question(1))).toEqual([])
  })

  it.each([
    [15, true],
    [16, false],
  ])(
    'in a truncated query, with %i later ones from other hosts, is remembered until the rest: %o',
    (count, isRemembered) => {
      const scene = new Scene()
      scene.hear([question(0)], { truncated: true })
      for (let i = 1; i <= count; i++) scene.hear([question(i)], { truncated: true, address: `10.0.1.${i}` })
      scene.hear([])
      expect(scene.ask(question(0)).length).toBe(isRemembered ? 0 : 1)
    },
  )

  it.each([
    [256, true],
    [257, false],
  ])('in a truncated query of %i questions is remembered until the rest: %o', (count, isRemembered) => {
    const scene = new Scene()
    const questions = Array.from({ length: count }, (_, i) => question(i))
    scene.hear(questions, { truncated: true })
    scene.hear([])
    expect(scene.ask(question(0)).length).toBe(isRemembered ? 0 : 1)
  })
})

it('at most 400 known answers are sent along with a question', () => {
  const known = Array.from({ length: 500 }, (_, i) => a(`host${i}.local`, '10.0.0.9'))
  const messages = new Scene(known).ask(question(0))
  expect(messages.flatMap(({ answers }) => answers)).toEqual(known.slice(0, 400))
  expect(messages.map(({ truncated }) => truncated)).toEqual(messages.map((_, i) => i < messages.length - 1))
})
