import { encode } from '../../src/core/wire/codec.ts'
import { DIGEST_BYTES, encodeDigest, HashChain } from '../../src/core/wire/hash-chain.ts'
import type { PeerId } from '../../src/core/wire/id.ts'
import { createIdentity, goodbyeCommitment, type Identity } from '../../src/core/wire/identity.ts'
import { type SignedRecord, signRecord, splitRecord } from '../../src/core/wire/record.ts'
import type { Attributes } from '../../src/core/wire/record-schema.ts'

/** Number of beats of a synthetic peer. */
const CHAIN_LENGTH = 4

/** A peer that a test simulates, with its own key and valid messages. */
export class SyntheticPeer {
  readonly identity: Identity
  readonly incarnation: number
  readonly #name: string
  readonly #address: string
  readonly #interval: number

  constructor(options: { name: string; address: string; interval?: number; incarnation?: number }) {
    this.identity = createIdentity()
    this.incarnation = options.incarnation ?? 1
    this.#name = options.name
    this.#address = options.address
    this.#interval = options.interval ?? 1000
  }

  /** Encodes beat number `number`, from 1 to 4. */
  beat(number = 1): Uint8Array {
    const links = this.#chain()
    for (let skipped = 1; skipped < number; skipped++) links.next()
    const link = links.next()
    if (!link) throw new RangeError(`a synthetic peer has no beat ${number}`)
    return encode({
      type: 'beat',
      path: 'broadcast',
      id: this.identity.id,
      incarnation: this.incarnation,
      sequence: link.sequence,
      recordVersion: 1,
      echo: 0,
      number,
      sent: 0,
      reveal: link.value,
    })
  }

  #chain(): HashChain {
    return new HashChain(this.identity.id, this.incarnation, 0, Buffer.alloc(DIGEST_BYTES, 1), CHAIN_LENGTH)
  }

  /** The signed record. */
  record(version = 1, attributes: Attributes = {}, interval = this.#interval): SignedRecord {
    const { identity, incarnation } = this
    const { sequence, value } = this.#chain().anchor
    return signRecord(identity, incarnation, version, {
      name: this.#name,
      hostname: this.#name,
      addresses: [this.#address],
      interval,
      services: [],
      attributes,
      version: 'stranger',
      anchor: { sequence, value: encodeDigest(value) },
      goodbye: encodeDigest(goodbyeCommitment(identity.id, incarnation, Buffer.alloc(DIGEST_BYTES, 2))),
    })
  }
}

/** Encodes the datagrams of a record. `claimed` replaces the peer id in their headers. */
export function recordDatagrams(
  { id, incarnation, recordVersion, joined }: SignedRecord,
  claimed?: PeerId,
): Uint8Array[] {
  const parts = splitRecord(joined)
  return parts.map((bytes, part) =>
    encode({
      type: 'record',
      path: 'broadcast',
      id: claimed ?? id,
      incarnation,
      sequence: 0,
      part,
      parts: parts.length,
      recordVersion,
      bytes,
    }),
  )
}
