import { hash } from 'node:crypto'
import { ID_BYTES, type PeerId } from './id.ts'
import { writeId } from './id-bytes.ts'

/** Length of chain values, goodbye secrets and commitments, bytes. */
export const DIGEST_BYTES = 16

/** Beats that one chain proves. After that, the peer signs its record again with a new chain. */
export const CHAIN_LENGTH = 1024

// Each use of the hash function has a tag of its own, so that no hash is valid for another use.
const CHAIN_TAG = Buffer.from('earshot beat v1\0', 'latin1')

/** The first 16 bytes of the SHA-256 hash. */
export function digest(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer').subarray(0, DIGEST_BYTES)
}

/** A revealed value and its position in the chain. */
export interface ChainLink {
  sequence: number
  value: Uint8Array
}

const POSITION_AT = CHAIN_TAG.length + ID_BYTES + 4
const VALUE_AT = POSITION_AT + 4

/** Computes chain values for one incarnation of a peer. */
export class ChainStep {
  readonly #input: Buffer

  constructor(id: PeerId, incarnation: number) {
    const input = Buffer.alloc(VALUE_AT + DIGEST_BYTES)
    CHAIN_TAG.copy(input)
    writeId(id, input, CHAIN_TAG.length)
    input.writeUInt32BE(incarnation, CHAIN_TAG.length + ID_BYTES)
    this.#input = input
  }

  /** The chain value at `position - 1`, computed from the value at `position`. */
  before(position: number, value: Uint8Array): Uint8Array {
    this.#input.set(value, VALUE_AT)
    this.stepBack(position)
    return Uint8Array.from(this.#input.subarray(VALUE_AT))
  }

  /** Whether `value` at `position` leads to `earlier`. Costs one hash for each position between them. */
  leadsTo(earlier: ChainLink, position: number, value: Uint8Array): boolean {
    const input = this.#input
    input.set(value, VALUE_AT)
    for (let at = position; at > earlier.sequence; at--) this.stepBack(at)
    for (let i = 0; i < DIGEST_BYTES; i++) if (input[VALUE_AT + i] !== earlier.value[i]) return false
    return true
  }

  /**
   * Replaces the value at `position` in the input by the one before it. A hash as text costs Node a third of one as a buffer,
   * and a loop less than `write`.
   */
  stepBack(position: number): void {
    const input = this.#input
    input.writeUInt32BE(position, POSITION_AT)
    const before = hash('sha256', input, 'binary')
    for (let i = 0; i < DIGEST_BYTES; i++) input[VALUE_AT + i] = before.charCodeAt(i)
  }
}

/**
 * The sender's side of a hash chain: values at the positions `base … base + length`, each the hash of the next one.
 * Revealing a value proves that it comes from the peer that signed an earlier value, and gives no information about the
 * next value (Lamport's one-time passwords, 1981; TESLA, RFC 4082).
 */
export class HashChain {
  readonly #values: Uint8Array
  readonly #base: number
  readonly #length: number
  #revealed: number

  /**
   * @param base the position of the first value, which the record publishes
   * @param seed 16 random bytes that are never used again
   */
  constructor(id: PeerId, incarnation: number, base: number, seed: Uint8Array, length = CHAIN_LENGTH) {
    const step = new ChainStep(id, incarnation)
    this.#values = new Uint8Array((length + 1) * DIGEST_BYTES)
    this.#base = base
    this.#length = length
    this.#revealed = base
    let value: Uint8Array = seed.slice(0, DIGEST_BYTES)
    this.#values.set(value, length * DIGEST_BYTES)
    for (let i = length; i > 0; i--) {
      value = step.before(base + i, value)
      this.#values.set(value, (i - 1) * DIGEST_BYTES)
    }
  }

  /** The last revealed value. A record that is signed now contains it. */
  get anchor(): ChainLink {
    return this.#at(this.#revealed)
  }

  /** How many values are still secret. */
  get remaining(): number {
    return this.#base + this.#length - this.#revealed
  }

  /** Reveals the next value; undefined if the chain is used up. */
  next(): ChainLink | undefined {
    return this.remaining === 0 ? undefined : this.#at(++this.#revealed)
  }

  #at(sequence: number): ChainLink {
    const offset = (sequence - this.#base) * DIGEST_BYTES
    return { sequence, value: this.#values.slice(offset, offset + DIGEST_BYTES) }
  }
}

/**
 * The receiver's side: whether `next` belongs to the same chain as `known` and is not before it. Costs
 * `next.sequence - known.sequence` hashes.
 */
export function follows(step: ChainStep, known: ChainLink, next: ChainLink): boolean {
  if (next.sequence < known.sequence) return false
  return step.leadsTo(known, next.sequence, next.value)
}

/** Writes a chain value or commitment as a record contains it, in base64url. */
export function encodeDigest(value: Uint8Array): string {
  return Buffer.from(value).toString('base64url')
}

/** Reads the 16 bytes of a chain value or commitment. */
export function decodeDigest(text: string): Uint8Array {
  return Buffer.from(text, 'base64url').subarray(0, DIGEST_BYTES)
}
