export type RecordType = 'PTR' | 'SRV' | 'TXT' | 'A' | 'AAAA' | 'NSEC'

/** A resource record of class IN of a type that DNS-SD uses. */
export type ResourceRecord = {
  name: string
  /** In seconds. A record with TTL 0 is a goodbye (RFC 6762, section 10.1). */
  ttl: number
  /** The cache-flush bit (section 10.2): this record set replaces older records of the same name and type. */
  flush: boolean
} & RecordData

type RecordData =
  | { type: 'PTR'; data: string }
  | { type: 'SRV'; data: { priority: number; weight: number; port: number; target: string } }
  /** The strings as received, each in the form `key=value` (RFC 6763, section 6). */
  | { type: 'TXT'; data: Uint8Array[] }
  | { type: 'A' | 'AAAA'; data: string }
  /**
   * The types of the records that exist under the name (RFC 6762, section 6.1). Only sent; received NSEC records are
   * ignored.
   */
  | { type: 'NSEC'; data: Exclude<RecordType, 'NSEC'>[] }

/** The name whose PTR records list the service types on the network (RFC 6763, section 9). */
export const SERVICE_TYPES = '_services._dns-sd._udp.local'

/** The service type under which earshotd publishes itself. */
export const OWN_TYPE = '_earshot._udp'
const INSTANCE = /^(.+)\.(_[^.]+\._(?:tcp|udp))\.local$/is

/** A name of a subtype or the name that lists the service types (RFC 6763, sections 7.1 and 9). */
const NOT_AN_INSTANCE = /^(?:_[^.]+\._sub\..+|_services\._dns-sd\._udp\.local)$/is

/** Converts a name to a map key. Names are compared without ASCII case (RFC 4343). */
export function nameKey(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

export function sameName(a: string, b: string): boolean {
  return a === b || nameKey(a) === nameKey(b)
}

/** Joins `Office` and `_ipp._tcp` to `Office._ipp._tcp.local`. */
export function instanceName(instance: string, type: string): string {
  return `${instance}.${type}.local`
}

/** Converts `_IPP._tcp.local` to the service type `_ipp._tcp`. */
export function serviceTypeOf(name: string): string {
  return nameKey(name).replace(/\.local$/, '')
}

/**
 * Splits the full name of an instance. The instance label may contain dots. The type is returned in lower case. Returns
 * undefined if the name is not the name of an instance.
 */
export function splitInstance(name: string): { instance: string; type: string } | undefined {
  if (NOT_AN_INSTANCE.test(name)) return undefined
  const [, instance, type] = INSTANCE.exec(name) ?? []
  return instance === undefined || type === undefined ? undefined : { instance, type: nameKey(type) }
}

const TYPE_NUMBERS = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, NSEC: 47 }
const CACHED_KEYS = new WeakMap<ResourceRecord, string>()

/**
 * A text that is equal for records with the same name, type and data. TTL and cache-flush bit do not count. The key is
 * cached per record: own records are compared with every question.
 */
export function recordKey(record: ResourceRecord): string {
  let key = CACHED_KEYS.get(record)
  if (key === undefined) {
    key = uncachedRecordKey(record)
    CACHED_KEYS.set(record, key)
  }
  return key
}

/** The same text without caching. For received records, caching would cost more than it saves. */
export function uncachedRecordKey(record: ResourceRecord): string {
  return `${nameKey(record.name)} ${record.type} ${dataKey(record)}`
}

/**
 * Compares the record sets of two simultaneous probes for one name (RFC 6762, section 8.2.1). Returns a negative number
 * if the first set is the lesser and loses, and 0 if they are equal.
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

/**
 * The record data in wire format with uncompressed names. For NSEC, the next name is left out: it always equals the
 * record's own name.
 */
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

/** The type bitmap of an NSEC record. All types are below 256 (RFC 4034, section 4.1.2). */
function typeBitmap(types: readonly number[]): Buffer {
  const bits = Buffer.alloc(Math.max(...types.map((type) => (type >> 3) + 1)))
  for (const type of types) bits[type >> 3] = (bits[type >> 3] ?? 0) | (0x80 >> (type & 7))
  return Buffer.concat([Buffer.of(0, bits.length), bits])
}

/** Type and data in wire format. The class is left out because it is always IN. */
function comparableBytes(record: RecordData): Buffer {
  return Buffer.concat([uint16(TYPE_NUMBERS[record.type]), rdata(record)])
}

/** Removes empty strings. A TXT record without strings is encoded as one empty string (RFC 6763, section 6.1). */
function nonEmptyStrings(data: readonly Uint8Array[]): Uint8Array[] {
  const nonEmpty = data.filter(({ length }) => length > 0)
  return nonEmpty.length > 0 ? nonEmpty : [new Uint8Array(0)]
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
