import {
  type Attributes,
  createIdentity,
  DIGEST_BYTES,
  encode,
  goodbyeCommitment,
  HashChain,
  type Identity,
  type PeerId,
  type SignedRecord,
  seal,
  split,
  writeDigest,
} from '../../src/wire/index.ts'

/** A peer that a test makes up, with a key of its own: its words are as true as any peer's. */
export class Stranger {
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

  /** Its record, signed. */
  record(version = 1, attributes: Attributes = {}): SignedRecord {
    const { identity, incarnation } = this
    const { sequence, value } = new HashChain(identity.id, incarnation, 0, Buffer.alloc(DIGEST_BYTES, 1), 4).anchor
    return seal(identity, incarnation, version, {
      name: this.#name,
      hostname: this.#name,
      addresses: [this.#address],
      interval: this.#interval,
      services: [],
      attributes,
      version: 'stranger',
      anchor: { sequence, value: writeDigest(value) },
      goodbye: writeDigest(goodbyeCommitment(identity.id, incarnation, Buffer.alloc(DIGEST_BYTES, 2))),
    })
  }
}

/** The datagrams that carry a record, said of `id` (default: of whom it is). */
export function recordDatagrams(
  { id, incarnation, recordVersion, joined }: SignedRecord,
  claimed?: PeerId,
): Uint8Array[] {
  const parts = split(joined)
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
