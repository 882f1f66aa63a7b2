import type { PeerId } from './id.ts'
import { type Identity, idOf, isSignatureValid, PUBLIC_KEY_BYTES, signRecordBytes } from './identity.ts'
import { KEY_AND_SIGNATURE_BYTES, MAX_RECORD_BYTES, PART_BYTES, type Refusal } from './messages.ts'
import { isRecord } from './record.prebuilt.ts'
import type { PeerRecord } from './record-schema.ts'

/** How deeply objects and arrays in JSON from outside may be nested, including the outermost one. */
export const MAX_NESTING = 32

const [QUOTE, BACKSLASH, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = Buffer.from('"\\{}[]')

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

/** A record as it is sent. */
export interface SignedRecord {
  id: PeerId
  incarnation: number
  recordVersion: number
  /** The public key, the signature and the signed JSON, one after the other. */
  joined: Uint8Array
}

/** Signs a record. @throws InvalidRecord when it is larger than 16 KiB */
export function signRecord(
  identity: Identity,
  incarnation: number,
  recordVersion: number,
  record: PeerRecord,
): SignedRecord {
  const bytes = encodeRecord(record)
  refuseTooLarge(bytes.length)
  const signature = signRecordBytes(identity, incarnation, recordVersion, bytes)
  return { id: identity.id, incarnation, recordVersion, joined: Buffer.concat([identity.publicKey, signature, bytes]) }
}

/** Checks the size of a record and that its key belongs to the id, but not the signature. Costs one SHA-256 hash. */
export function precheckRecord({ id, joined }: SignedRecord): Refusal | undefined {
  if (joined.length - KEY_AND_SIGNATURE_BYTES > MAX_RECORD_BYTES) return 'bad-record'
  return idOf(joined.subarray(0, PUBLIC_KEY_BYTES)) === id ? undefined : 'bad-identity'
}

/**
 * Checks the key, the signature and the shape of a record, in this order. Returns the members that this version knows.
 * Never throws. Costs one Ed25519 verification.
 */
export function verifyRecord(signed: SignedRecord): PeerRecord | Refusal {
  const refusal = precheckRecord(signed)
  if (refusal) return refusal
  const { incarnation, recordVersion, joined } = signed
  const publicKey = joined.subarray(0, PUBLIC_KEY_BYTES)
  const signature = joined.subarray(PUBLIC_KEY_BYTES, KEY_AND_SIGNATURE_BYTES)
  const bytes = joined.subarray(KEY_AND_SIGNATURE_BYTES)
  if (!isSignatureValid(publicKey, signature, incarnation, recordVersion, bytes)) return 'bad-signature'
  if (isNestedDeeper(bytes, MAX_NESTING)) return 'bad-record'
  try {
    const record: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
    return isRecord(record) ? knownMembers(record) : 'bad-record'
  } catch {
    return 'bad-record'
  }
}

/** A copy of the members that this version knows. Unchecked members are not stored, compared or shown. */
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

/** Splits a signed record into parts that fit into one datagram each. */
export function splitRecord(joined: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let at = 0; at < joined.length; at += PART_BYTES) parts.push(joined.subarray(at, at + PART_BYTES))
  return parts
}

/**
 * Whether objects and arrays in UTF-8 JSON text are nested more than `limit` levels deep. The result has no meaning if the
 * text is not JSON. Call it before parsing: JSON parsers and writers may recurse for each level.
 */
export function isNestedDeeper(text: Uint8Array, limit: number): boolean {
  let depth = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]
    if (byte === QUOTE) inString = !inString
    else if (inString) at += byte === BACKSLASH ? 1 : 0
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--
    if (depth > limit) return true
  }
  return false
}
