import { ID_BYTES, type PeerId, readId } from './id.ts'
import {
  BEAT_BODY_BYTES,
  BYE_BODY_BYTES,
  HEADER_BYTES,
  MAGIC,
  MAX_DATAGRAM_BYTES,
  MAX_PARTS,
  MAX_QUERY_IDS,
  MESSAGE_TYPES,
  type Message,
  PART_BYTES,
  PATHS,
  PROBE_BODY_BYTES,
  QUERY_PREFIX_BYTES,
  RECORD_PREFIX_BYTES,
  SEAL_BYTES,
  VERSION,
} from './messages.ts'
import type { Refusal } from './refusal.ts'

/**
 * What a datagram says, or why it says nothing. Never throws; proves nothing: signatures, hashes and secrets
 * are checked by whoever knows the sender. The message's byte fields are views into `datagram`.
 */
export function decode(datagram: Uint8Array): Message | Refusal {
  if (datagram.length < HEADER_BYTES) return 'too-short'
  const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength)
  if (bytes.readUInt16BE(0) !== MAGIC) return 'not-earshot'
  if (datagram.length > MAX_DATAGRAM_BYTES) return 'too-long'
  if (bytes[2] !== VERSION) return 'unknown-version'
  const type = MESSAGE_TYPES[(bytes[3] ?? 0) - 1]
  if (type === undefined) return 'unknown-type'
  const path = PATHS[bytes[4] ?? 0]
  if (path === undefined) return 'unknown-path'
  // Flags (5) and the reserved bytes (6, 7) are for versions to come: sent as 0, not looked at.
  const header = { path, id: readId(bytes, 8), incarnation: bytes.readUInt32BE(24), sequence: bytes.readUInt32BE(28) }
  const body = bytes.subarray(HEADER_BYTES)

  switch (type) {
    case 'beat': {
      const wrong = wrongLength(body, BEAT_BODY_BYTES)
      if (wrong) return wrong
      return {
        type,
        ...header,
        recordVersion: body.readUInt32BE(0),
        echo: body.readUInt32BE(4),
        number: body.readUInt32BE(8),
        sent: body.readUInt32BE(12),
        reveal: body.subarray(16, 32),
      }
    }
    case 'record': {
      if (body.length < RECORD_PREFIX_BYTES) return 'too-short'
      const [part = 0, parts = 0] = body
      const content = body.subarray(RECORD_PREFIX_BYTES)
      if (!isPossiblePart(part, parts, content.length)) return 'bad-part'
      return { type, ...header, part, parts, recordVersion: body.readUInt32BE(4), bytes: content }
    }
    case 'query': {
      if (body.length < QUERY_PREFIX_BYTES || (body.length - QUERY_PREFIX_BYTES) % ID_BYTES !== 0) return 'too-short'
      const count = (body.length - QUERY_PREFIX_BYTES) / ID_BYTES
      if (count > MAX_QUERY_IDS) return 'too-long'
      const ids: PeerId[] = []
      for (let i = 0; i < count; i++) ids.push(readId(body, QUERY_PREFIX_BYTES + i * ID_BYTES))
      return { type, ...header, nonce: body.readUInt32BE(0), ids }
    }
    case 'bye': {
      const wrong = wrongLength(body, BYE_BODY_BYTES)
      if (wrong) return wrong
      return { type, ...header, secret: body }
    }
    case 'probe': {
      const wrong = wrongLength(body, PROBE_BODY_BYTES)
      if (wrong) return wrong
      return { type, ...header, nonce: body.readUInt32BE(0), target: readId(body, 4) }
    }
  }
}

function wrongLength(body: Uint8Array, length: number): Refusal | undefined {
  if (body.length === length) return undefined
  return body.length < length ? 'too-short' : 'too-long'
}

/** Every part but the last is full, and the whole holds at least a key, a signature and `{}`. */
function isPossiblePart(part: number, parts: number, length: number): boolean {
  if (parts < 1 || parts > MAX_PARTS || part >= parts || length < 1 || length > PART_BYTES) return false
  if (part < parts - 1) return length === PART_BYTES
  return parts > 1 || length >= SEAL_BYTES + 2
}
