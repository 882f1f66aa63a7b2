import { rdata } from './rdata.ts'
import type { Message, Question, ResourceRecord } from './types.ts'

/** The most bytes of a message: fits a frame with either IP's headers. One larger record goes by itself. */
const MOST = 1400
const HEADER = 12

/** What is to stand in one message. */
export interface Group {
  questions?: Question[]
  answers?: ResourceRecord[]
  authorities?: ResourceRecord[]
  additionals?: ResourceRecord[]
}

/** Puts groups into as few messages as hold them, in their order. */
export function pack(kind: Message['kind'], groups: readonly Group[]): Message[] {
  const messages: Message[] = []
  let room = 0
  for (const { questions = [], answers = [], authorities = [], additionals = [] } of groups) {
    const size = [...answers, ...authorities, ...additionals].reduce(
      (sum, record) => sum + recordSize(record),
      questions.reduce((sum, { name }) => sum + nameSize(name) + 4, 0),
    )
    let message = messages.at(-1)
    if (!message || size > room) {
      message = { kind, id: 0, truncated: false, questions: [], answers: [], authorities: [], additionals: [] }
      messages.push(message)
      room = MOST - HEADER
    }
    room -= size
    message.questions.push(...questions)
    message.answers.push(...answers)
    message.authorities.push(...authorities)
    message.additionals.push(...additionals)
  }
  return messages
}

/** Names are not compressed. */
function recordSize(record: ResourceRecord): number {
  return nameSize(record.name) + 10 + rdata(record).length
}

function nameSize(name: string): number {
  return Buffer.byteLength(name) + 2
}
