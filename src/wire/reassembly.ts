import { PART_BYTES, type RecordPart } from './messages.ts'
import type { SignedRecord } from './record.ts'
import type { Refusal } from './refusal.ts'

export const REASSEMBLY_BYTES = 2 * 1024 * 1024
/** How long an unfinished record waits for its next part, ms. */
export const REASSEMBLY_PATIENCE = 2000
/** What parts from one address may hold of the whole: a flood from one leaves room for the others. */
const BYTES_PER_SOURCE = REASSEMBLY_BYTES / 16

interface Unfinished {
  source: string
  parts: (Uint8Array | undefined)[]
  missing: number
  reserved: number
  lastPart: number
}

/**
 * Joins the parts of records. Unfinished ones are kept by record and source address,
 * so that a stranger's part does not mix with a peer's, and bounded in bytes, in all and per address, and in time.
 */
export class Reassembly {
  /** In the order of their last part: the oldest first. */
  readonly #unfinished = new Map<string, Unfinished>()
  readonly #bySource = new Map<string, number>()
  #bytes = 0

  /** Bytes reserved by unfinished records. */
  get bytes(): number {
    return this.#bytes
  }

  /** The whole record, when this part was the last that it lacked. */
  add(part: RecordPart, source: string, now: number): SignedRecord | Refusal | undefined {
    if (part.parts === 1) return whole(part, part.bytes)
    this.#expire(now)
    const key = `${part.id} ${part.incarnation} ${part.recordVersion} ${source}`
    const unfinished = this.#unfinished.get(key) ?? this.#begin(key, part, source)
    if (unfinished === undefined) return 'reassembly-full'
    if (part.parts !== unfinished.parts.length) return 'bad-part'
    if (unfinished.parts[part.part]) return 'duplicate'

    unfinished.parts[part.part] = Uint8Array.from(part.bytes)
    unfinished.missing--
    unfinished.lastPart = now
    this.#unfinished.delete(key)
    this.#unfinished.set(key, unfinished)
    if (unfinished.missing > 0) return undefined
    this.#remove(key, unfinished)
    return whole(part, Buffer.concat(unfinished.parts.filter((bytes) => bytes !== undefined)))
  }

  #begin(key: string, part: RecordPart, source: string): Unfinished | undefined {
    const reserved = part.parts * PART_BYTES
    const ofSource = this.#bySource.get(source) ?? 0
    if (this.#bytes + reserved > REASSEMBLY_BYTES || ofSource + reserved > BYTES_PER_SOURCE) return undefined
    const unfinished: Unfinished = {
      source,
      parts: new Array<Uint8Array | undefined>(part.parts).fill(undefined),
      missing: part.parts,
      reserved,
      lastPart: 0,
    }
    this.#unfinished.set(key, unfinished)
    this.#bySource.set(source, ofSource + reserved)
    this.#bytes += reserved
    return unfinished
  }

  #expire(now: number): void {
    for (const [key, unfinished] of this.#unfinished) {
      if (now - unfinished.lastPart < REASSEMBLY_PATIENCE) return
      this.#remove(key, unfinished)
    }
  }

  #remove(key: string, { source, reserved }: Unfinished): void {
    this.#unfinished.delete(key)
    this.#bytes -= reserved
    const left = (this.#bySource.get(source) ?? 0) - reserved
    if (left > 0) this.#bySource.set(source, left)
    else this.#bySource.delete(source)
  }
}

function whole({ id, incarnation, recordVersion }: RecordPart, joined: Uint8Array): SignedRecord {
  return { id, incarnation, recordVersion, joined: Uint8Array.from(joined) }
}
