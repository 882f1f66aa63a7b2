import { type RecordType, type ResourceRecord, rdata, recordKey } from './records.ts'

/** The UDP port of mDNS (RFC 6762, section 3). */
export const MDNS_PORT = 5353

/**
 * A question (RFC 6762, section 5). Names are DNS names as text, without the final dot; a dot within an instance's
 * label stands there as it is.
 */
export interface Question {
  name: string
  type: RecordType | 'ANY'
  /** The answer is to go to the asker alone (section 5.4): nobody else may rely on hearing it. */
  unicast?: true
}

/** A whole mDNS message. What it held beside records of the types above has been left out. */
export interface Message {
  kind: 'query' | 'response'
  /** 0 in all but questions of simple resolvers (section 6.7) and the answers to them. */
  id: number
  /** More known answers follow in another message (section 7.2). */
  truncated: boolean
  questions: Question[]
  answers: ResourceRecord[]
  authorities: ResourceRecord[]
  additionals: ResourceRecord[]
}

/** A message to send: to everyone on an interface's segment by IPv4 and IPv6 both, or to one that asked. */
export interface OutgoingMessage {
  interface: string
  to: 'multicast' | { address: string; port: number }
  message: Message
}

/** The most bytes of a message: fits a frame with either IP's headers. One larger group goes by itself. */
const MAX_MESSAGE_BYTES = 1400

const HEADER_BYTES = 12

/** What a name takes that stands in the message already (RFC 1035, section 4.1.4). */
const POINTER_BYTES = 2

/** What is to stand in one message. */
export interface MessageGroup {
  questions?: Question[]
  answers?: ResourceRecord[]
  authorities?: ResourceRecord[]
  /** Left out where the message has them already. */
  additionals?: ResourceRecord[]
}

/** Puts groups into as few messages as hold them, in their order. A group too large for one is divided by its answers. */
export function packMessages(kind: Message['kind'], groups: readonly MessageGroup[]): Message[] {
  const drafts: MessageDraft[] = []
  for (const group of groups.flatMap(splitByAnswer)) {
    if (!drafts.at(-1)?.tryAdd(group)) drafts.push(new MessageDraft(kind, group))
  }
  return drafts.map(({ message }) => message)
}

function splitByAnswer(group: MessageGroup): MessageGroup[] {
  const { answers = [], additionals = [] } = group
  if (answers.length < 2 || new MessageDraft('response', group).size <= MAX_MESSAGE_BYTES) return [group]
  return answers.map((answer) => ({ answers: [answer], additionals }))
}

/** A message that is being filled. */
class MessageDraft {
  readonly message: Message
  size = HEADER_BYTES
  /** Names, and ends of names, that stand in it. */
  readonly #names = new Set<string>()
  readonly #records = new Set<string>()

  /** With its first group, however large that is. */
  constructor(kind: Message['kind'], group: MessageGroup) {
    this.message = { kind, id: 0, truncated: false, questions: [], answers: [], authorities: [], additionals: [] }
    this.tryAdd(group, Number.POSITIVE_INFINITY)
  }

  /** False when the group does not fit. */
  tryAdd(
    { questions = [], answers = [], authorities = [], additionals = [] }: MessageGroup,
    most = MAX_MESSAGE_BYTES,
  ): boolean {
    const records = new Set(answers.map(recordKey))
    const isNew = (key: string) => !this.#records.has(key) && !records.has(key) && records.add(key)
    const added = additionals.filter((record) => isNew(recordKey(record)))
    const names = new Set<string>()
    let size = this.size
    for (const { name } of questions) size += this.#nameSize(name, names) + 4
    for (const record of [...answers, ...authorities, ...added]) size += this.#recordSize(record, names)
    if (size > most) return false
    this.size = size
    for (const name of names) this.#names.add(name)
    for (const key of records) this.#records.add(key)
    this.message.questions.push(...questions)
    this.message.answers.push(...answers)
    this.message.authorities.push(...authorities)
    this.message.additionals.push(...added)
    return true
  }

  #recordSize(record: ResourceRecord, names: Set<string>): number {
    const size = this.#nameSize(record.name, names) + 10
    switch (record.type) {
      case 'PTR':
        return size + this.#nameSize(record.data, names)
      case 'SRV':
        return size + 6 + this.#nameSize(record.data.target, names)
      case 'NSEC':
        return size + POINTER_BYTES + rdata(record).length
      default:
        return size + rdata(record).length
    }
  }

  /** As it is compressed. A dot within a label is taken for the end of one, which makes no difference that matters. */
  #nameSize(name: string, names: Set<string>): number {
    let size = 0
    for (let rest = name; rest !== ''; ) {
      if (this.#names.has(rest) || names.has(rest)) return size + POINTER_BYTES
      names.add(rest)
      const dot = rest.indexOf('.')
      const label = dot === -1 ? rest : rest.slice(0, dot)
      size += 1 + Buffer.byteLength(label)
      rest = dot === -1 ? '' : rest.slice(dot + 1)
    }
    return size + 1
  }
}
