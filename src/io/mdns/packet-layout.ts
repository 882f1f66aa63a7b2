/** Where things stand in a DNS message (RFC 1035, section 4); nothing is decoded, and nothing beyond its end is read. */

const HEADER_BYTES = 12

/** The least that a record takes: the root as name, and its fixed fields. */
const MIN_RECORD_BYTES = 11

/** Where the header tells how many answers, authorities and additionals there are. */
const RECORD_COUNT_OFFSETS = [6, 8, 10]

/** Labels and pointers that any message may have, however short. */
const MIN_STEPS = 1024

/** Type, class, TTL and length of data behind a record's name. */
const RECORD_FIELD_BYTES = 10

export const A = 1

export const PTR = 12

export const TXT = 16

export const AAAA = 28

export const SRV = 33

export const NSEC = 47

export interface RecordOffsets {
  type: number
  /** Where its type stands. */
  typeAt: number
  dataAt: number
  dataEnd: number
}

/** What a walk over a message comes by, in its order. */
export interface PacketVisitor {
  /** @param at where the name of a question or record begins */
  name(at: number): void
  record(place: RecordOffsets): void
}

/** Thrown by a walk that leads out of the message, or into no name. */
export class MalformedPacket extends Error {}

/** Thrown by a walk that would take longer than the message is worth. */
export class PacketTooComplex extends MalformedPacket {}

/**
 * Walks over a message. Names may be made of pointers that lead to pointers, so that 9,000 bytes can hold 1.4 million
 * labels and pointers to follow; 1,024 and one for each byte are allowed. Real messages have one for two to four bytes,
 * but more where a host probes for the reverse names of several IPv6 addresses, 34 labels each.
 */
export class PacketWalker {
  readonly #bytes: Buffer
  #steps: number

  /** @throws BadLayout when the message is shorter than its header */
  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#steps = MIN_STEPS + bytes.length
    if (bytes.length < HEADER_BYTES) throw new MalformedPacket()
  }

  get #questions(): number {
    return this.#bytes.readUInt16BE(4)
  }

  /** How many records there are in all sections: as the header says, and no more than could be there. */
  get records(): number {
    return Math.min(this.#declaredRecords, Math.floor((this.#bytes.length - HEADER_BYTES) / MIN_RECORD_BYTES))
  }

  get #declaredRecords(): number {
    return RECORD_COUNT_OFFSETS.reduce((sum, at) => sum + this.#bytes.readUInt16BE(at), 0)
  }

  /** @throws BadLayout */
  walk(visitor: PacketVisitor): void {
    let at = HEADER_BYTES
    for (let left = this.#questions; left > 0; left--) {
      visitor.name(at)
      at = this.nameEnd(at) + 4
    }
    for (let left = this.#declaredRecords; left > 0; left--) {
      visitor.name(at)
      const typeAt = this.nameEnd(at)
      const dataAt = typeAt + RECORD_FIELD_BYTES
      if (dataAt > this.#bytes.length) throw new MalformedPacket()
      at = dataAt + this.#bytes.readUInt16BE(dataAt - 2)
      if (at > this.#bytes.length) throw new MalformedPacket()
      visitor.record({ type: this.#bytes.readUInt16BE(typeAt), typeAt, dataAt, dataEnd: at })
    }
    if (at > this.#bytes.length) throw new MalformedPacket()
  }

  /**
   * Where a name ends in the message.
   * @throws BadLayout
   */
  nameEnd(start: number): number {
    const bytes = this.#bytes
    let at = start
    let end: number | undefined
    let limit = start
    while (true) {
      const length = bytes[at]
      if (length === undefined) throw new MalformedPacket()
      if (this.#steps-- === 0) throw new PacketTooComplex()
      if (length === 0) return end ?? at + 1
      if (length < 64) {
        at += length + 1
        continue
      }
      const low = bytes[at + 1]
      if (length < 192 || low === undefined) throw new MalformedPacket()
      end ??= at + 2
      at = ((length & 63) << 8) | low
      // Each pointer leads further back than the last, so that the walk has an end.
      if (at >= limit) throw new MalformedPacket()
      limit = at
    }
  }

  /** Whether the data of a record is what its type says. */
  fits({ type, dataAt, dataEnd }: RecordOffsets): boolean {
    const length = dataEnd - dataAt
    if (type === A) return length === 4
    if (type === AAAA) return length === 16
    if (type === PTR) return this.#isName(dataAt, dataEnd)
    if (type === SRV) return length > 6 && this.#isName(dataAt + 6, dataEnd)
    if (type !== TXT) return false
    let at = dataAt
    while (at < dataEnd) at += 1 + (this.#bytes[at] ?? 0)
    return at === dataEnd
  }

  #isName(at: number, end: number): boolean {
    try {
      return at < end && this.nameEnd(at) === end
    } catch (error) {
      if (error instanceof PacketTooComplex) throw error
      return false
    }
  }
}

/**
 * A message up to the end of its last whole record, its header saying so: of one that was cut off, or whose header
 * tells of more records than there are. Its questions have to be whole.
 * @throws BadLayout when not one record is whole
 */
export function completeRecords(bytes: Buffer): Buffer {
  let whole = 0
  let end = 0
  try {
    new PacketWalker(bytes).walk({
      name: () => {},
      record: ({ dataEnd }) => {
        whole++
        end = dataEnd
      },
    })
  } catch (error) {
    if (whole === 0 || error instanceof PacketTooComplex || !(error instanceof MalformedPacket)) throw error
  }
  const part = Buffer.from(bytes.subarray(0, end))
  for (const at of RECORD_COUNT_OFFSETS) {
    const count = Math.min(part.readUInt16BE(at), whole)
    part.writeUInt16BE(count, at)
    whole -= count
  }
  return part
}

/** A type of records that nobody has (RFC 6895, section 3.1), for what dns-packet is not to look into. */
const UNASSIGNED_TYPE = 0xff00

/**
 * A message as dns-packet can read it, which would give up the whole of it for one record. Of a response that breaks off,
 * the whole records are left: some devices miscount their records, or send half of the last one. A query that breaks off
 * is none: answers that we know of may be missing from it.
 * @throws BadLayout when nothing of it can be read, or not soon enough
 */
export function sanitizePacket(bytes: Buffer): Buffer {
  try {
    return maskForeignRecords(bytes)
  } catch (error) {
    if (error instanceof PacketTooComplex || !isResponse(bytes)) throw error
    return maskForeignRecords(completeRecords(bytes))
  }
}

/**
 * The message with every record that is not of DNS-SD, or not what its type says, made one that dns-packet passes over.
 * @throws BadLayout
 */
function maskForeignRecords(bytes: Buffer): Buffer {
  const layout = new PacketWalker(bytes)
  const foreign: number[] = []
  layout.walk({
    name: () => {},
    record: (place) => {
      if (!layout.fits(place)) foreign.push(place.typeAt)
    },
  })
  if (foreign.length === 0) return bytes
  const copy = Buffer.from(bytes)
  for (const typeAt of foreign) copy.writeUInt16BE(UNASSIGNED_TYPE, typeAt)
  return copy
}

function isResponse(bytes: Buffer): boolean {
  return ((bytes[2] ?? 0) & 0x80) !== 0
}
