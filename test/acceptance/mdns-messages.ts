import { type Answer, AUTHORITATIVE_ANSWER, decode, encode } from 'dns-packet'
import type { SniffedDatagram } from '../lab/index.ts'

export const GROUP4 = '224.0.0.251'
export const GROUP6 = 'ff02::fb'

/** The content of an announcement. */
export interface AnnouncedService {
  name: string
  /** `_http._tcp` */
  type: string
  hostname: string
  address: string
  /** TTL of all records, s. */
  ttl: number
  txt?: string[]
}

/** Encodes the mDNS announcement of a service and its host. */
export function announcement({ name, type, hostname, address, ttl, txt = ['v=1'] }: AnnouncedService): Buffer {
  const instance = `${name}.${type}.local`
  return encode({
    type: 'response',
    id: 0,
    flags: AUTHORITATIVE_ANSWER,
    answers: [
      { type: 'PTR', name: `${type}.local`, ttl, data: instance },
      { type: 'SRV', name: instance, ttl, flush: true, data: { port: 80, target: hostname } },
      { type: 'TXT', name: instance, ttl, flush: true, data: txt },
      { type: 'A', name: hostname, ttl, flush: true, data: address },
    ],
  })
}

/** Encodes a question for a service type, like the first one of a browser. */
export function question(type: string): Buffer {
  return encode({ type: 'query', id: 0, questions: [{ type: 'PTR', name: `${type}.local` }] })
}

/** The answer and additional records of a message. */
export function recordsIn({ hex }: SniffedDatagram): Answer[] {
  const { answers = [], additionals = [] } = decode(Buffer.from(hex, 'hex'))
  return [...answers, ...additionals]
}

/** All addresses in the records of a message, including the authority section of probes. */
export function addressesIn(datagram: SniffedDatagram): string[] {
  const { authorities = [] } = decode(Buffer.from(datagram.hex, 'hex'))
  return [...recordsIn(datagram), ...authorities].flatMap((record) =>
    record.type === 'A' || record.type === 'AAAA' ? [record.data] : [],
  )
}

/** Whether a message contains a goodbye (TTL 0) for an instance. */
export function isGoodbye(datagram: SniffedDatagram, instance: string): boolean {
  return recordsIn(datagram).some(
    (record) => record.type === 'PTR' && record.ttl === 0 && record.data.startsWith(`${instance}.`),
  )
}
