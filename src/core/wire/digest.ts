import { createHash } from 'node:crypto'
import type { PeerId } from './id.ts'
import { ID_BYTES, writeId } from './id.ts'

/** Length of chain values, goodbye secrets and their commitments. */
export const DIGEST_BYTES = 16

// Distinct tags keep a hash made for one purpose from serving another.
const CHAIN_TAG = Buffer.from('earshot beat v1\0', 'latin1')
const GOODBYE_TAG = Buffer.from('earshot bye v1\0', 'latin1')
const RECORD_TAG = Buffer.from('earshot record v1\0', 'latin1')

/** SHA-256, cut to its first 16 bytes. */
export function digest(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest().subarray(0, DIGEST_BYTES)
}

/** Chain value `position - 1`, from the value at `position`. */
export class ChainStep {
  readonly #input: Buffer

  constructor(id: PeerId, incarnation: number) {
    const input = Buffer.alloc(CHAIN_TAG.length + ID_BYTES + 8 + DIGEST_BYTES)
    CHAIN_TAG.copy(input)
    writeId(id, input, CHAIN_TAG.length)
    input.writeUInt32BE(incarnation, CHAIN_TAG.length + ID_BYTES)
    this.#input = input
  }

  before(position: number, value: Uint8Array): Uint8Array {
    const at = CHAIN_TAG.length + ID_BYTES + 4
    this.#input.writeUInt32BE(position, at)
    this.#input.set(value, at + 4)
    return digest(this.#input)
  }
}

/** What a record publishes so that only the holder of `secret` can say goodbye. */
export function goodbyeCommitment(id: PeerId, incarnation: number, secret: Uint8Array): Uint8Array {
  return digest(tagged(GOODBYE_TAG, id, [incarnation], secret))
}

/** The bytes that a record's signature covers. */
export function signedBytes(id: PeerId, incarnation: number, recordVersion: number, record: Uint8Array): Uint8Array {
  return tagged(RECORD_TAG, id, [incarnation, recordVersion], record)
}

function tagged(tag: Uint8Array, id: PeerId, numbers: number[], rest: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(tag.length + ID_BYTES + 4 * numbers.length + rest.length)
  bytes.set(tag)
  writeId(id, bytes, tag.length)
  let at = tag.length + ID_BYTES
  for (const number of numbers) at = bytes.writeUInt32BE(number, at)
  bytes.set(rest, at)
  return bytes
}
