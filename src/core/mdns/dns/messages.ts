import { type RecordType, type ResourceRecord, rdata, recordKey } from './records.ts'

/** The UDP port of mDNS (RFC 6762, section 3). */
export const MDNS_PORT = 5353

/**
 * A question (RFC 6762, section 5). Names are DNS names as text without the final dot. A dot inside an instance label
 * is not escaped.
 */
export interface Question {
  name: string
  type: RecordType | 'ANY'
  /** The QU bit: the sender asks for a unicast answer (section 5.4), which other hosts do not receive. */
  unicast?: true
}

/** An mDNS message. Records of types other than `RecordType` have been removed. */
export interface Message {
  kind: 'query' | 'response'
  /** 0, except in queries of legacy resolvers (section 6.7) and in the responses to them. */
  id: number
  /** The TC bit: more known answers follow in the next message (section 7.2). */
  truncated: boolean
  questions: Question[]
  answers: ResourceRecord[]
  authorities: ResourceRecord[]
  additionals: ResourceRecord[]
}

/** A message to send: by multicast over IPv4 and IPv6, or by unicast to one address. */
export interface OutgoingMessage {
  interface: string
  to: 'multicast' | { address: string; port: number }
  message: Message
}

/**
 * The maximum size of a message. It fits into an Ethernet frame with an IPv4 or IPv6 header. A single larger group gets
 * a message of its own.
 */
const MAX_MESSAGE_BYTES = 1400
const HEADER_BYTES = 12

/** The size of a compressed name that is already in the message (RFC 1035, section 4.1.4). */
const POINTER_BYTES = 2

/** Questions and records that must be sent in the same message. */
export interface MessageGroup {
  questions?: Question[]
  answers?: ResourceRecord[]
  authorities?: ResourceRecord[]
  /** Records that are already in the message are not added again. */
  additionals?: ResourceRecord[]
}

/** Packs groups into as few messages as possible, in order. A group that is too large for one message is split between its
 * answers. */
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
  /** The names in the message, and all their suffixes. */
  readonly #names = new Set<string>()
  readonly #records = new Set<string>()

  /** Adds the first group regardless of its size. */
  constructor(kind: Message['kind'], group: MessageGroup) {
    this.message = { kind, id: 0, truncated: false, questions: [], answers: [], authorities: [], additionals: [] }
    this.tryAdd(group, Number.POSITIVE_INFINITY)
  }

  /** Returns false if the group does not fit. */
  tryAdd(
    { questions = [], answers = [], authorities = [], additionals = [] }: MessageGroup,
    maxBytes = MAX_MESSAGE_BYTES,
  ): boolean {
    const records = new Set(answers.map(recordKey))
    const isNew = (key: string) => !this.#records.has(key) && !records.has(key) && records.add(key)
    const added = additionals.filter((record) => isNew(recordKey(record)))
    const names = new Set<string>()
    let size = this.size
    for (const { name } of questions) size += this.#nameSize(name, names) + 4
    for (const record of [...answers, ...authorities, ...added]) size += this.#recordSize(record, names)
    if (size > maxBytes) return false
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

  /** The size of a name with compression. A dot inside a label is treated as the end of a label. The error is small. */
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
