import { ChainStep, DIGEST_BYTES } from './digest.ts'
import type { PeerId } from './id.ts'

/** Beats that one chain proves; then the record is signed again with a new one. */
export const CHAIN_LENGTH = 1024

/** A revealed value and its position in the chain. */
export interface ChainLink {
  sequence: number
  value: Uint8Array
}

/**
 * The sender's side: values `base … base + length`, each the hash of the next, so that revealing one
 * proves that it comes from whoever signed an earlier one, and says nothing about the next
 * (Lamport's one-time password, 1981; TESLA, RFC 4082).
 */
export class HashChain {
  readonly #values: Uint8Array
  readonly #base: number
  readonly #length: number
  #revealed: number

  /** `seed` is 16 random bytes, never used twice. `base` is the position of the first value, which the record publishes. */
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

  /** The newest value that is no secret any more: what a record that is signed now carries. */
  get anchor(): ChainLink {
    return this.#at(this.#revealed)
  }

  /** How many values are still secret. */
  get left(): number {
    return this.#base + this.#length - this.#revealed
  }

  /** Reveals the next value, or nothing when the chain has run out. */
  next(): ChainLink | undefined {
    return this.left === 0 ? undefined : this.#at(++this.#revealed)
  }

  #at(sequence: number): ChainLink {
    const offset = (sequence - this.#base) * DIGEST_BYTES
    return { sequence, value: this.#values.slice(offset, offset + DIGEST_BYTES) }
  }
}

/**
 * The receiver's side: whether `next` belongs to the chain that `known` is of, and is not before it.
 * Costs `next.sequence - known.sequence` hashes.
 */
export function follows(step: ChainStep, known: ChainLink, next: ChainLink): boolean {
  if (next.sequence < known.sequence) return false
  let value = next.value
  for (let position = next.sequence; position > known.sequence; position--) value = step.before(position, value)
  return Buffer.compare(value, known.value) === 0
}
