import type { RecordPart } from './messages.ts'
import type { SignedRecord } from './record.ts'
import type { Refusal } from './refusal.ts'

/** What unfinished records may hold in memory together, bytes. */
export const REASSEMBLY_BYTES = 2 * 1024 * 1024
/** How long an unfinished record waits for its next part, ms. */
export const REASSEMBLY_PATIENCE = 2000
/** What an unfinished record takes beside the bytes of its parts, about. */
const OVERHEAD = 512

interface Unfinished {
  parts: (Uint8Array | undefined)[]
  missing: number
  bytes: number
  lastPart: number
}

/**
 * Joins the parts of records. Anybody can send parts in the name and from the address of another, and they cannot be told
 * apart before the record is whole. So nothing that was sent earlier may stand in the way of a true part: parts of a
 * record with another number of parts are kept apart, a later part takes the place of an earlier one, and when memory is
 * short the record goes that got no part for the longest time. A peer sends its parts within a few milliseconds.
 */
export class Reassembly {
  /** In the order of their last part: the oldest first. */
  readonly #unfinished = new Map<string, Unfinished>()
  #bytes = 0

  /** Memory in use by unfinished records, bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * The whole record, when this part was the last that it lacked.
   * @param source the interface and address that the part came from
   * @param now monotonic ms
   */
  add(part: RecordPart, source: string, now: number): SignedRecord | Refusal | undefined {
    if (part.parts === 1) return whole(part, part.bytes)
    this.#expire(now)
    const key = `${part.id} ${part.incarnation} ${part.recordVersion} ${part.parts} ${source}`
    const unfinished = this.#unfinished.get(key) ?? this.#begin(part.parts)
    const before = unfinished.parts[part.part]
    if (before && Buffer.compare(before, part.bytes) === 0) return 'duplicate'

    unfinished.parts[part.part] = Uint8Array.from(part.bytes)
    if (!before) unfinished.missing--
    this.#grow(unfinished, part.bytes.length - (before?.length ?? 0))
    unfinished.lastPart = now
    this.#unfinished.delete(key)
    if (unfinished.missing === 0) {
      this.#bytes -= unfinished.bytes
      return whole(part, Buffer.concat(unfinished.parts.filter((bytes) => bytes !== undefined)))
    }
    this.#unfinished.set(key, unfinished)
    this.#makeRoom()
    return undefined
  }

  #begin(parts: number): Unfinished {
    const unfinished = { parts: new Array(parts).fill(undefined), missing: parts, bytes: 0, lastPart: 0 }
    this.#grow(unfinished, OVERHEAD)
    return unfinished
  }

  #grow(unfinished: Unfinished, bytes: number): void {
    unfinished.bytes += bytes
    this.#bytes += bytes
  }

  #expire(now: number): void {
    for (const [key, unfinished] of this.#unfinished) {
      if (now - unfinished.lastPart < REASSEMBLY_PATIENCE) return
      this.#drop(key, unfinished)
    }
  }

  #makeRoom(): void {
    for (const [key, unfinished] of this.#unfinished) {
      if (this.#bytes <= REASSEMBLY_BYTES) return
      this.#drop(key, unfinished)
    }
  }

  #drop(key: string, unfinished: Unfinished): void {
    this.#unfinished.delete(key)
    this.#bytes -= unfinished.bytes
  }
}

function whole({ id, incarnation, recordVersion }: RecordPart, joined: Uint8Array): SignedRecord {
  return { id, incarnation, recordVersion, joined: Uint8Array.from(joined) }
}
