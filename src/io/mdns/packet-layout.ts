/**
 * Finds the offsets of names and records in a DNS message (RFC 1035, section 4). Decodes nothing and never reads beyond
 * the end.
 */

const HEADER_BYTES = 12

/** The minimum size of a record: the root as its name, and the fixed fields. */
const MIN_RECORD_BYTES = 11

/** The header offsets of the numbers of answers, authorities and additionals. */
const RECORD_COUNT_OFFSETS = [6, 8, 10]

/** The number of labels and pointers that even a short message may have. */
const MIN_STEPS = 1024

/** The size of type, class, TTL and data length, which follow the name of a record. */
const RECORD_FIELD_BYTES = 10

/** Record types (RFC 1035, RFC 2782, RFC 3596, RFC 4034). */
export const A = 1
export const PTR = 12
export const TXT = 16
export const AAAA = 28
export const SRV = 33
export const NSEC = 47

interface RecordOffsets {
  type: number
  /** The offset of the type field. */
  typeAt: number
  dataAt: number
  dataEnd: number
}

/** Is called for each name and record, in the order of the message. */
interface PacketVisitor {
  /** @param at the offset of the name of a question or record */
  name(at: number): void
  record(offsets: RecordOffsets): void
}

/** The message is malformed. */
export class MalformedPacket extends Error {}

/** Following the names would take too many steps. */
class PacketTooComplex extends MalformedPacket {}

/**
 * Walks over a message.
 *
 * Compressed names can consist of pointers to pointers: 9,000 bytes can encode 1.4 million labels and pointers. The
 * walk therefore allows 1,024 steps plus one per byte. Real messages need one step for two to four bytes. They need
 * more when a host probes for the reverse names of several IPv6 addresses, which have 34 labels each.
 */
export class PacketWalker {
  readonly #bytes: Buffer
  #steps: number

  /** @throws MalformedPacket if the message is shorter than its header */
  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#steps = MIN_STEPS + bytes.length
    if (bytes.length < HEADER_BYTES) throw new MalformedPacket()
  }

  get #questions(): number {
    return this.#bytes.readUInt16BE(4)
  }

  /** The number of records according to the header, limited to the number that fits into the message. */
  get records(): number {
    return Math.min(this.#declaredRecords, Math.floor((this.#bytes.length - HEADER_BYTES) / MIN_RECORD_BYTES))
  }

  get #declaredRecords(): number {
    return RECORD_COUNT_OFFSETS.reduce((sum, at) => sum + this.#bytes.readUInt16BE(at), 0)
  }

  /** @throws MalformedPacket */
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
   * Returns the offset behind a name.
   *
   * @throws MalformedPacket
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
      // Each pointer must lead further back than the one before, so the walk ends.
      if (at >= limit) throw new MalformedPacket()
      limit = at
    }
  }

  /** Whether the data of a record is valid for its type. False for types that DNS-SD does not use. */
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
 * Cuts a message behind its last complete record and corrects the header. Used for messages that are cut off or whose
 * header declares too many records. All questions must be complete.
 *
 * @throws MalformedPacket if no record is complete
 */
function completeRecords(bytes: Buffer): Buffer {
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

/** An unassigned record type (RFC 6895, section 3.1). dns-packet does not decode the data of such records. */
const UNASSIGNED_TYPE = 0xff00

/**
 * Makes a message readable for dns-packet, which otherwise rejects a whole message because of one record. A response
 * that is cut off keeps its complete records: some devices declare too many records or truncate the last one. A query
 * that is cut off is rejected because known answers may be missing.
 *
 * @throws MalformedPacket if the message cannot be read or needs too many steps
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
 * Changes the type of each record that is not a DNS-SD record, or has invalid data, to `UNASSIGNED_TYPE`.
 *
 * @throws MalformedPacket
 */
function maskForeignRecords(bytes: Buffer): Buffer {
  const walker = new PacketWalker(bytes)
  const foreign: number[] = []
  walker.walk({
    name: () => {},
    record: (offsets) => {
      if (!walker.fits(offsets)) foreign.push(offsets.typeAt)
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
