import { Ajv } from 'ajv'
import { type Static, Type } from 'typebox'
import { DIGEST_BYTES } from './digest.ts'
import type { PeerId } from './id.ts'
import { type Identity, idOf, isSignedBy, PUBLIC_KEY_BYTES, signRecord } from './identity.ts'
import { MAX_RECORD_BYTES, PART_BYTES, SEAL_BYTES } from './messages.ts'
import { isNestedDeeper, MAX_NESTING } from './nesting.ts'
import type { Refusal } from './refusal.ts'

/** Shortest and longest beat interval, ms. */
export const MIN_INTERVAL = 100
export const MAX_INTERVAL = 3_600_000

// Text that people see holds no control characters: nobody on the network writes to their terminals. No text holds half
// of a surrogate pair, which JSON can escape and UTF-8 cannot write: many JSON parsers refuse a whole answer for one.
const VISIBLE = '^[^\\p{Cc}\\p{Cs}]*$'
const WELL_FORMED = '^\\P{Cs}*$'
const KEY = '^(?!__proto__$)[!-~]{1,64}$'
const DIGEST = Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' })

export const NameSchema = Type.String({ minLength: 1, maxLength: 63, pattern: VISIBLE })

export const TextSchema = Type.String({ maxLength: 1024, pattern: WELL_FORMED })

export const ServiceSchema = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 64, pattern: '^[!-~]+$' }),
  name: NameSchema,
  type: Type.String({ pattern: '^_[A-Za-z0-9-]{1,15}\\._(tcp|udp)$' }),
  port: Type.Integer({ minimum: 0, maximum: 65535 }),
  txt: Type.Record(Type.String({ pattern: KEY }), TextSchema, { additionalProperties: false }),
  subtypes: Type.Array(Type.String({ minLength: 1, maxLength: 63, pattern: VISIBLE }), { maxItems: 16 }),
})
/** Something that a peer offers. */
export type Service = Static<typeof ServiceSchema>

const AttributeValueSchema = Type.Union([TextSchema, Type.Number(), Type.Boolean()])
export const AttributesSchema = Type.Record(Type.String({ pattern: KEY }), AttributeValueSchema, {
  additionalProperties: false,
})
export type AttributeValue = Static<typeof AttributeValueSchema>
export type Attributes = Record<string, AttributeValue>

export const RecordSchema = Type.Object({
  name: NameSchema,
  hostname: Type.String({ maxLength: 255, pattern: VISIBLE }),
  /** The sender's addresses on the network that this copy goes to, IPv6 without zone. */
  addresses: Type.Array(Type.String({ minLength: 2, maxLength: 45, pattern: '^[0-9A-Fa-f:.]+$' }), { maxItems: 32 }),
  interval: Type.Integer({ minimum: MIN_INTERVAL, maximum: MAX_INTERVAL }),
  services: Type.Array(ServiceSchema, { maxItems: 256 }),
  attributes: AttributesSchema,
  version: Type.String({ maxLength: 64, pattern: VISIBLE }),
  anchor: Type.Object({ sequence: Type.Integer({ minimum: 0, maximum: 0xffffffff }), value: DIGEST }),
  goodbye: DIGEST,
  /** The goodbye commitment in the record of the own key that made the peer begin this incarnation. */
  supersedes: Type.Optional(DIGEST),
})
/** What a peer signs about itself. Members that this version does not know are allowed and dropped. */
export type PeerRecord = Static<typeof RecordSchema>

// 1e999 is JSON, and Infinity in JavaScript: no number that anyone could be told of in JSON again.
const isRecord = new Ajv({ strict: false, strictNumbers: true }).compile<PeerRecord>(RecordSchema)

/** A record that every receiver would reject. */
export class InvalidRecord extends RangeError {
  /** Bytes above `MAX_RECORD_BYTES`; 0 when only something other than the size is wrong. */
  readonly excess: number

  constructor(message: string, bytes: number) {
    super(message)
    this.excess = Math.max(0, bytes - MAX_RECORD_BYTES)
  }
}

/** Checks the shape and the size of this peer's own record, without signing it. @throws InvalidRecord */
export function checkRecord(record: PeerRecord): void {
  const { length } = encodeRecord(record)
  if (!isRecord(record)) {
    const [{ instancePath = '', message = '' } = {}] = isRecord.errors ?? []
    const fault = `${instancePath.slice(1).replaceAll('/', '.')} ${message}`.trim()
    throw new InvalidRecord(`other peers would reject the record: ${fault}`, length)
  }
  refuseTooLarge(length)
}

function encodeRecord(record: PeerRecord): Buffer {
  return Buffer.from(JSON.stringify(record))
}

function refuseTooLarge(bytes: number): void {
  if (bytes <= MAX_RECORD_BYTES) return
  throw new InvalidRecord(`the record has ${bytes} bytes, and the limit is ${MAX_RECORD_BYTES}`, bytes)
}

/** What goes over the wire: public key, signature and the record's bytes just as they were signed. */
export interface SignedRecord {
  id: PeerId
  incarnation: number
  recordVersion: number
  joined: Uint8Array
}

/** Signs a record. @throws InvalidRecord when it is larger than 16 KiB */
export function seal(identity: Identity, incarnation: number, recordVersion: number, record: PeerRecord): SignedRecord {
  const bytes = encodeRecord(record)
  refuseTooLarge(bytes.length)
  const signature = signRecord(identity, incarnation, recordVersion, bytes)
  return { id: identity.id, incarnation, recordVersion, joined: Buffer.concat([identity.publicKey, signature, bytes]) }
}

/** What is wrong with a whole record at first sight, before its signature is looked at. Costs one SHA-256. */
export function firstSight({ id, joined }: SignedRecord): Refusal | undefined {
  if (joined.length - SEAL_BYTES > MAX_RECORD_BYTES) return 'bad-record'
  return idOf(joined.subarray(0, PUBLIC_KEY_BYTES)) === id ? undefined : 'bad-identity'
}

/**
 * Checks key, signature and shape of a whole record, in this order, and returns what this version knows of it. Never
 * throws. Costs one Ed25519 verification.
 */
export function open(signed: SignedRecord): PeerRecord | Refusal {
  const refusal = firstSight(signed)
  if (refusal) return refusal
  const { incarnation, recordVersion, joined } = signed
  const publicKey = joined.subarray(0, PUBLIC_KEY_BYTES)
  const signature = joined.subarray(PUBLIC_KEY_BYTES, SEAL_BYTES)
  const bytes = joined.subarray(SEAL_BYTES)
  if (!isSignedBy(publicKey, signature, incarnation, recordVersion, bytes)) return 'bad-signature'
  if (isNestedDeeper(bytes, MAX_NESTING)) return 'bad-record'
  try {
    const record: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
    return isRecord(record) ? knownMembers(record) : 'bad-record'
  } catch {
    return 'bad-record'
  }
}

/** A copy with the members that this version knows: nothing of unknown shape is kept, compared or told on. */
function knownMembers(record: PeerRecord): PeerRecord {
  const { name, hostname, addresses, interval, attributes, version, anchor, goodbye, supersedes } = record
  const services = record.services.map(({ id, name: instance, type, port, txt, subtypes }) => {
    return { id, name: instance, type, port, txt, subtypes }
  })
  const { sequence, value } = anchor
  const known = {
    name,
    hostname,
    addresses,
    interval,
    services,
    attributes,
    version,
    anchor: { sequence, value },
    goodbye,
  }
  return supersedes === undefined ? known : { ...known, supersedes }
}

/** The joined bytes cut into what one datagram carries each. */
export function split(joined: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let at = 0; at < joined.length; at += PART_BYTES) parts.push(joined.subarray(at, at + PART_BYTES))
  return parts
}

/** A chain value or commitment as a record writes it. */
export function writeDigest(value: Uint8Array): string {
  return Buffer.from(value).toString('base64url')
}

/** The 16 bytes of a chain value or commitment. */
export function readDigest(text: string): Uint8Array {
  return Buffer.from(text, 'base64url').subarray(0, DIGEST_BYTES)
}
