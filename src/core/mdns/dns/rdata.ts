import { nameKey } from './names.ts'
import type { RecordData, ResourceRecord } from './types.ts'

const TYPE_NUMBERS = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, NSEC: 47 }

const CACHED_KEYS = new WeakMap<ResourceRecord, string>()

/**
 * A text that is equal for records of one name, type and data, whatever their TTL and flush bit. Made once for each
 * record, as each question is answered with the same ones.
 */
export function recordKey(record: ResourceRecord): string {
  let key = CACHED_KEYS.get(record)
  if (key === undefined) {
    key = uncachedRecordKey(record)
    CACHED_KEYS.set(record, key)
  }
  return key
}

/** The same text, not kept: for heard records, so many of which may come that keeping it for each costs more. */
export function uncachedRecordKey(record: ResourceRecord): string {
  return `${nameKey(record.name)} ${record.type} ${dataKey(record)}`
}

/**
 * Compares two hosts' sets of records for one name, as simultaneous probes are compared (RFC 6762, section 8.2.1):
 * negative when the first is the lesser, which loses; 0 when they are the same.
 */
export function compareProbes(a: readonly ResourceRecord[], b: readonly ResourceRecord[]): number {
  const [first, second] = [a.map(comparableBytes).sort(Buffer.compare), b.map(comparableBytes).sort(Buffer.compare)]
  for (const [i, one] of first.entries()) {
    const other = second[i]
    const order = other ? Buffer.compare(one, other) : 1
    if (order !== 0) return order
  }
  return first.length - second.length
}

/** The data as it stands in a packet, names uncompressed; of NSEC, whose next name is its own, what follows that name. */
export function rdata(record: RecordData): Buffer {
  switch (record.type) {
    case 'PTR':
      return wireName(record.data)
    case 'SRV': {
      const { priority, weight, port, target } = record.data
      return Buffer.concat([uint16(priority), uint16(weight), uint16(port), wireName(target)])
    }
    case 'TXT':
      return Buffer.concat(nonEmptyStrings(record.data).flatMap((each) => [Buffer.of(each.length), each]))
    case 'A':
      return Buffer.from(record.data.split('.').map(Number))
    case 'AAAA':
      return ipv6(record.data)
    case 'NSEC':
      return typeBitmap(record.data.map((type) => TYPE_NUMBERS[type]))
  }
}

function dataKey(record: RecordData): string {
  switch (record.type) {
    case 'PTR':
      return nameKey(record.data)
    case 'SRV': {
      const { priority, weight, port, target } = record.data
      return `${priority} ${weight} ${port} ${nameKey(target)}`
    }
    case 'A':
      return record.data
    default:
      return rdata(record).toString('latin1')
  }
}

/** Which types there are, all below 256 (RFC 4034, section 4.1.2). */
function typeBitmap(types: readonly number[]): Buffer {
  const bits = Buffer.alloc(Math.max(...types.map((type) => (type >> 3) + 1)))
  for (const type of types) bits[type >> 3] = (bits[type >> 3] ?? 0) | (0x80 >> (type & 7))
  return Buffer.concat([Buffer.of(0, bits.length), bits])
}

/** Type and data: the class is always IN. */
function comparableBytes(record: RecordData): Buffer {
  return Buffer.concat([uint16(TYPE_NUMBERS[record.type]), rdata(record)])
}

/** Empty strings say nothing, and a TXT record without strings is one empty string (RFC 6763, section 6.1). */
function nonEmptyStrings(data: readonly Uint8Array[]): Uint8Array[] {
  const said = data.filter(({ length }) => length > 0)
  return said.length > 0 ? said : [new Uint8Array(0)]
}

function wireName(name: string): Buffer {
  const labels = name.split('.').map((text) => Buffer.from(text))
  return Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)])
}

function uint16(value: number): Buffer {
  return Buffer.of(value >> 8, value)
}

function ipv6(text: string): Buffer {
  const [head = Buffer.alloc(0), tail = Buffer.alloc(0)] = text.split('::').map(ipv6Groups)
  return Buffer.concat([head, Buffer.alloc(Math.max(0, 16 - head.length - tail.length)), tail])
}

/** The last group may be an IPv4 address. */
function ipv6Groups(text: string): Buffer {
  const parts = text === '' ? [] : text.split(':')
  return Buffer.concat(
    parts.map((part) =>
      part.includes('.') ? Buffer.from(part.split('.').map(Number)) : uint16(Number.parseInt(part, 16)),
    ),
  )
}
