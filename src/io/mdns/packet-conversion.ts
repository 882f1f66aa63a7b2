import { isIPv4, SocketAddress } from 'node:net'
import { type Answer, type Packet, type Question as PacketQuestion, TRUNCATED_RESPONSE } from 'dns-packet'
import type { Message, Question } from '../../core/mdns/dns/messages.ts'
import type { ResourceRecord } from '../../core/mdns/dns/records.ts'
import { hideDots, isSendable } from './name-encoding.ts'

/**
 * Converts between the packets of dns-packet, which may contain any record, and messages, which contain DNS-SD records
 * only.
 */

const QUESTION_CLASSES: ReadonlySet<string> = new Set(['IN', 'ANY'])

/** dns-packet does not separate the unicast-response bit (RFC 6762, section 5.4) from the class of a question. */
const UNICAST_CLASSES: ReadonlySet<string> = new Set(['UNKNOWN_32769', 'UNKNOWN_33023'])

/** Converts a decoded packet. Leaves out questions and records of other types. */
export function messageFromPacket(packet: Packet): Message {
  return {
    kind: packet.type === 'response' ? 'response' : 'query',
    id: packet.id ?? 0,
    truncated: ((packet.flags ?? 0) & TRUNCATED_RESPONSE) !== 0,
    questions: (packet.questions ?? []).map(questionOf).filter((question) => question !== undefined),
    answers: recordsOf(packet.answers),
    authorities: recordsOf(packet.authorities),
    additionals: recordsOf(packet.additionals),
  }
}

function questionOf({ name, type, class: questionClass = 'IN' }: PacketQuestion): Question | undefined {
  const unicast = UNICAST_CLASSES.has(questionClass)
  if (!(unicast || QUESTION_CLASSES.has(questionClass)) || name === '.') return undefined
  const questionType: string = type
  switch (questionType) {
    case 'PTR':
    case 'SRV':
    case 'TXT':
    case 'A':
    case 'AAAA':
    case 'ANY':
      return unicast ? { name, type: questionType, unicast } : { name, type: questionType }
    default:
      return undefined
  }
}

function recordsOf(answers: Answer[] = []): ResourceRecord[] {
  return answers.map(recordOf).filter((record) => record !== undefined)
}

function recordOf(answer: Answer): ResourceRecord | undefined {
  if (answer.type === 'OPT' || answer.class !== 'IN' || answer.name === '.') return undefined
  const { name, flush = false } = answer
  // A TTL with the highest bit set counts as 0 (RFC 2181, section 8).
  const ttl = answer.ttl === undefined || answer.ttl > 0x7fffffff ? 0 : answer.ttl
  switch (answer.type) {
    case 'PTR':
      return answer.data === '.' ? undefined : { name, ttl, flush, type: 'PTR', data: answer.data }
    case 'SRV': {
      const { priority = 0, weight = 0, port, target } = answer.data
      return target === '.' ? undefined : { name, ttl, flush, type: 'SRV', data: { priority, weight, port, target } }
    }
    case 'TXT':
      return { name, ttl, flush, type: 'TXT', data: copyStrings(answer.data) }
    case 'A':
      return isIPv4(answer.data) ? { name, ttl, flush, type: 'A', data: answer.data } : undefined
    case 'AAAA': {
      const data = canonicalIpv6(answer.data)
      return data === undefined ? undefined : { name, ttl, flush, type: 'AAAA', data }
    }
    default:
      return undefined
  }
}

/**
 * Formats an IPv6 address as the operating system does; undefined if it is none. dns-packet shortens other runs of zeros.
 * `net.isIPv6` of Node 20 would compile a long regular expression, which takes 5 ms of each start.
 */
function canonicalIpv6(address: string): string | undefined {
  try {
    return new SocketAddress({ address, family: 'ipv6' }).address
  } catch {
    return undefined
  }
}

/**
 * Copies all strings into one new buffer. dns-packet returns views of the datagram, which would keep all of it in
 * memory.
 */
function copyStrings(data: string | Buffer | (string | Buffer)[]): Uint8Array[] {
  const strings = (Array.isArray(data) ? data : [data]).map((one) => (typeof one === 'string' ? Buffer.from(one) : one))
  const copy = new Uint8Array(strings.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  return strings.map((string) => {
    copy.set(string, at)
    at += string.length
    return copy.subarray(at - string.length, at)
  })
}

/** Converts a message to a packet. Leaves out names and records that dns-packet cannot encode or would change. */
export function packetFromMessage(message: Message): Packet {
  return {
    type: message.kind,
    id: message.id,
    flags: message.truncated ? TRUNCATED_RESPONSE : 0,
    questions: message.questions
      .filter(({ name }) => isSendable(name))
      .map(({ name, type }) => asQuestion(hideDots(name), type)),
    answers: answersOf(message.answers),
    authorities: answersOf(message.authorities),
    additionals: answersOf(message.additionals),
  }
}

function asQuestion(name: string, type: Question['type']): PacketQuestion {
  // @types/dns-packet lacks ANY, which dns-packet supports.
  return { name, type: type as PacketQuestion['type'], class: 'IN' }
}

function answersOf(records: ResourceRecord[]): Answer[] {
  return records.filter(isEncodable).map(answerOf)
}

function answerOf(record: ResourceRecord): Answer {
  const common = { name: hideDots(record.name), ttl: record.ttl, class: 'IN', flush: record.flush } as const
  switch (record.type) {
    case 'PTR':
      return { ...common, type: 'PTR', data: hideDots(record.data) }
    case 'SRV':
      return { ...common, type: 'SRV', data: { ...record.data, target: hideDots(record.data.target) } }
    case 'TXT': {
      // A TXT record needs at least one string. An empty string is equivalent to none (RFC 6763, section 6.1).
      const strings = record.data.length === 0 ? [new Uint8Array()] : record.data
      return { ...common, type: 'TXT', data: strings.map((string) => Buffer.from(string)) }
    }
    case 'NSEC':
      return { ...common, type: 'NSEC', data: { nextDomain: common.name, rrtypes: record.data } }
    case 'A':
    case 'AAAA':
      return { ...common, type: record.type, data: record.data }
  }
}

function isEncodable(record: ResourceRecord): boolean {
  if (!isSendable(record.name) || !fitsUint(record.ttl, 32)) return false
  switch (record.type) {
    case 'PTR':
      return isSendable(record.data)
    case 'SRV': {
      const { priority, weight, port, target } = record.data
      return fitsUint(priority, 16) && fitsUint(weight, 16) && fitsUint(port, 16) && isSendable(target)
    }
    case 'TXT':
      return record.data.every(({ length }) => length < 256)
    case 'NSEC':
      return true
    case 'A':
      return isIPv4(record.data)
    case 'AAAA':
      return !record.data.includes('%') && canonicalIpv6(record.data) !== undefined
  }
}

function fitsUint(value: number, bits: 16 | 32): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** bits
}
