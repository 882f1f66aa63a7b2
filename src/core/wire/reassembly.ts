import type { RecordPart, Refusal } from './messages.ts'
import type { SignedRecord } from './record.ts'

/** Memory for all incomplete records together, bytes. */
export const MAX_REASSEMBLY_BYTES = 2 * 1024 * 1024
/** How long an incomplete record waits for its next part, ms. */
export const REASSEMBLY_TIMEOUT = 2000
/** Approximate memory of an incomplete record in addition to its parts, bytes. */
const OVERHEAD = 512

interface Incomplete {
  parts: (Uint8Array | undefined)[]
  missing: number
  bytes: number
  lastPart: number
}

/**
 * Joins the parts of records. Any host can forge parts with the id and the source address of another peer, and a forged
 * part cannot be recognized before the record is complete. So earlier parts never block a later one: parts that state
 * different numbers of parts are kept apart, a later part replaces an earlier one, and when memory is full, the record
 * that received no part for the longest time is dropped. A peer sends its parts within a few milliseconds.
 */
export class Reassembly {
  /** Ordered by the time of the last part, the oldest first. */
  readonly #incomplete = new Map<string, Incomplete>()
  #bytes = 0

  /** Memory used by incomplete records, bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Adds a part. Returns the record if it is complete now.
   * @param source the interface and address that the part came from
   * @param now monotonic ms
   */
  add(part: RecordPart, source: string, now: number): SignedRecord | Refusal | undefined {
    if (part.parts === 1) return whole(part, part.bytes)
    this.#expire(now)
    const key = `${part.id} ${part.incarnation} ${part.recordVersion} ${part.parts} ${source}`
    const incomplete = this.#incomplete.get(key) ?? this.#begin(part.parts)
    const before = incomplete.parts[part.part]
    if (before && Buffer.compare(before, part.bytes) === 0) return 'duplicate'

    incomplete.parts[part.part] = Uint8Array.from(part.bytes)
    if (!before) incomplete.missing--
    this.#grow(incomplete, part.bytes.length - (before?.length ?? 0))
    incomplete.lastPart = now
    this.#incomplete.delete(key)
    if (incomplete.missing === 0) {
      this.#bytes -= incomplete.bytes
      return whole(part, Buffer.concat(incomplete.parts.filter((bytes) => bytes !== undefined)))
    }
    this.#incomplete.set(key, incomplete)
    this.#makeRoom()
    return undefined
  }

  #begin(parts: number): Incomplete {
    const incomplete = { parts: new Array(parts).fill(undefined), missing: parts, bytes: 0, lastPart: 0 }
    this.#grow(incomplete, OVERHEAD)
    return incomplete
  }

  #grow(incomplete: Incomplete, bytes: number): void {
    incomplete.bytes += bytes
    this.#bytes += bytes
  }

  #expire(now: number): void {
    for (const [key, incomplete] of this.#incomplete) {
      if (now - incomplete.lastPart < REASSEMBLY_TIMEOUT) return
      this.#drop(key, incomplete)
    }
  }

  #makeRoom(): void {
    for (const [key, incomplete] of this.#incomplete) {
      if (this.#bytes <= MAX_REASSEMBLY_BYTES) return
      this.#drop(key, incomplete)
    }
  }

  #drop(key: string, incomplete: Incomplete): void {
    this.#incomplete.delete(key)
    this.#bytes -= incomplete.bytes
  }
}

function whole({ id, incarnation, recordVersion }: RecordPart, joined: Uint8Array): SignedRecord {
  return { id, incarnation, recordVersion, joined: Uint8Array.from(joined) }
}
