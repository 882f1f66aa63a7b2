export type RecordType = 'PTR' | 'SRV' | 'TXT' | 'A' | 'AAAA' | 'NSEC'

/** A resource record of class IN, of the types that DNS-SD is made of. */
export type ResourceRecord = {
  name: string
  /** Seconds; 0 is a goodbye (RFC 6762, section 10.1). */
  ttl: number
  /** The cache-flush bit (section 10.2): this set of records takes the place of older ones. */
  flush: boolean
} & RecordData

export type RecordData =
  | { type: 'PTR'; data: string }
  | { type: 'SRV'; data: { priority: number; weight: number; port: number; target: string } }
  /** The strings as they came, `key=value` each (RFC 6763, section 6). */
  | { type: 'TXT'; data: Uint8Array[] }
  | { type: 'A' | 'AAAA'; data: string }
  /** The name has records of these types and of no other (RFC 6762, section 6.1). Only sent; what is heard is left out. */
  | { type: 'NSEC'; data: Exclude<RecordType, 'NSEC'>[] }

/** The name whose PTR records tell which service types there are (RFC 6763, section 9). */
export const SERVICE_TYPES = '_services._dns-sd._udp.local'

/** The service type under which an earshotd publishes itself. */
export const OWN_TYPE = '_earshot._udp'

const INSTANCE = /^(.+)\.(_[^.]+\._(?:tcp|udp))\.local$/is

/** A subtype's name, or that of the service types: neither is an instance (RFC 6763, sections 7.1 and 9). */
const NOT_AN_INSTANCE = /^(?:_[^.]+\._sub\..+|_services\._dns-sd\._udp\.local)$/is

/** A name as a key of maps: equal for names that are the same, which ASCII case does not tell apart (RFC 4343). */
export function nameKey(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

export function sameName(a: string, b: string): boolean {
  return a === b || nameKey(a) === nameKey(b)
}

/** `Office` and `_ipp._tcp` make `Office._ipp._tcp.local`. */
export function instanceName(instance: string, type: string): string {
  return `${instance}.${type}.local`
}

/** `_IPP._tcp.local` is of the type `_ipp._tcp`. */
export function serviceTypeOf(name: string): string {
  return nameKey(name).replace(/\.local$/, '')
}

/**
 * Takes an instance's full name apart, from the right, as the instance may hold dots. The type comes in lower case.
 * Undefined when it is no instance's name.
 */
export function splitInstance(name: string): { instance: string; type: string } | undefined {
  if (NOT_AN_INSTANCE.test(name)) return undefined
  const [, instance, type] = INSTANCE.exec(name) ?? []
  return instance === undefined || type === undefined ? undefined : { instance, type: nameKey(type) }
}

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
