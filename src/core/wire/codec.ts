import type { Path } from '../link.ts'
import { ID_BYTES, type PeerId } from './id.ts'
import { readId, writeId } from './id-bytes.ts'
import {
  BEAT_BODY_BYTES,
  BYE_BODY_BYTES,
  HEADER_BYTES,
  KEY_AND_SIGNATURE_BYTES,
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
  type Refusal,
  TYPE_NUMBERS,
  VERSION,
} from './messages.ts'

/** Offset of the path's number in the header. */
const PATH_OFFSET = 4

/**
 * Decodes a datagram. Returns the message, or why it was refused; never throws. It proves nothing: presence checks
 * signatures, hashes and secrets. The byte fields of the message are views into `datagram`.
 */
export function decode(datagram: Uint8Array): Message | Refusal {
  if (datagram.length < HEADER_BYTES) return 'too-short'
  const bytes =
    datagram instanceof Buffer ? datagram : Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length)
  if (bytes.readUInt16BE(0) !== MAGIC) return 'not-earshot'
  if (datagram.length > MAX_DATAGRAM_BYTES) return 'too-long'
  if (bytes[2] !== VERSION) return 'unknown-version'
  const type = MESSAGE_TYPES[(bytes[3] ?? 0) - 1]
  if (type === undefined) return 'unknown-type'
  const path = PATHS[bytes[PATH_OFFSET] ?? 0]
  if (path === undefined) return 'unknown-path'
  // Flags (5) and the reserved bytes (6, 7) are for later versions: they are sent as 0 and ignored.
  const id = readId(bytes, 8)
  const incarnation = bytes.readUInt32BE(24)
  const sequence = bytes.readUInt32BE(28)
  // Most datagrams are beats: no view of the body is made for them.
  if (type === 'beat') {
    const wrong = wrongLength(bytes, HEADER_BYTES + BEAT_BODY_BYTES)
    if (wrong) return wrong
    return {
      type,
      path,
      id,
      incarnation,
      sequence,
      recordVersion: bytes.readUInt32BE(32),
      echo: bytes.readUInt32BE(36),
      number: bytes.readUInt32BE(40),
      sent: bytes.readUInt32BE(44),
      reveal: bytes.subarray(48),
    }
  }
  const body = bytes.subarray(HEADER_BYTES)
  switch (type) {
    case 'record': {
      if (body.length < RECORD_PREFIX_BYTES) return 'too-short'
      const [part = 0, parts = 0] = body
      const content = body.subarray(RECORD_PREFIX_BYTES)
      if (!isPossiblePart(part, parts, content.length)) return 'bad-part'
      return { type, path, id, incarnation, sequence, part, parts, recordVersion: body.readUInt32BE(4), bytes: content }
    }
    case 'query': {
      if (body.length < QUERY_PREFIX_BYTES || (body.length - QUERY_PREFIX_BYTES) % ID_BYTES !== 0) return 'too-short'
      const count = (body.length - QUERY_PREFIX_BYTES) / ID_BYTES
      if (count > MAX_QUERY_IDS) return 'too-long'
      const ids: PeerId[] = []
      for (let i = 0; i < count; i++) ids.push(readId(body, QUERY_PREFIX_BYTES + i * ID_BYTES))
      return { type, path, id, incarnation, sequence, nonce: body.readUInt32BE(0), ids }
    }
    case 'bye': {
      const wrong = wrongLength(body, BYE_BODY_BYTES)
      if (wrong) return wrong
      return { type, path, id, incarnation, sequence, secret: body }
    }
    case 'probe': {
      const wrong = wrongLength(body, PROBE_BODY_BYTES)
      if (wrong) return wrong
      return { type, path, id, incarnation, sequence, nonce: body.readUInt32BE(0), target: readId(body, 4) }
    }
  }
}

function wrongLength(bytes: Uint8Array, length: number): Refusal | undefined {
  if (bytes.length === length) return undefined
  return bytes.length < length ? 'too-short' : 'too-long'
}

/** Every part but the last is full. All parts together hold at least a key, a signature and `{}`. */
function isPossiblePart(part: number, parts: number, length: number): boolean {
  if (parts < 1 || parts > MAX_PARTS || part >= parts || length < 1 || length > PART_BYTES) return false
  if (part < parts - 1) return length === PART_BYTES
  return parts > 1 || length >= KEY_AND_SIGNATURE_BYTES + 2
}

/** Encodes a message as a datagram. */
export function encode(message: Message): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES + bodyBytes(message))
  bytes.writeUInt16BE(MAGIC, 0)
  bytes[2] = VERSION
  bytes[3] = TYPE_NUMBERS[message.type]
  bytes[PATH_OFFSET] = PATHS.indexOf(message.path)
  writeId(message.id, bytes, 8)
  bytes.writeUInt32BE(message.incarnation, 24)
  bytes.writeUInt32BE(message.sequence, 28)
  writeBody(message, bytes)
  return bytes
}

/**
 * Whether a datagram is the copy, for another path, of one that was decoded before. Costs much less than to decode it, and
 * of the datagrams that a peer sends on its paths all but one are copies.
 */
export function isCopyOf(decoded: Uint8Array, datagram: Uint8Array): boolean {
  const { length } = decoded
  if (datagram.length !== length) return false
  const path = datagram[PATH_OFFSET] ?? 0
  for (let at = length - 1; at > PATH_OFFSET; at--) if (datagram[at] !== decoded[at]) return false
  for (let at = 0; at < PATH_OFFSET; at++) if (datagram[at] !== decoded[at]) return false
  return PATHS[path] !== undefined
}

/** A copy of the datagram for another path. */
export function withPath(datagram: Uint8Array, path: Path): Uint8Array {
  const bytes = Uint8Array.from(datagram)
  bytes[PATH_OFFSET] = PATHS.indexOf(path)
  return bytes
}

function bodyBytes(message: Message): number {
  switch (message.type) {
    case 'beat':
      return BEAT_BODY_BYTES
    case 'record':
      return RECORD_PREFIX_BYTES + message.bytes.length
    case 'query':
      return QUERY_PREFIX_BYTES + message.ids.length * ID_BYTES
    case 'bye':
      return BYE_BODY_BYTES
    case 'probe':
      return PROBE_BODY_BYTES
  }
}

function writeBody(message: Message, bytes: Buffer): void {
  let at = HEADER_BYTES
  switch (message.type) {
    case 'beat':
      for (const number of [message.recordVersion, message.echo, message.number, message.sent]) {
        at = bytes.writeUInt32BE(number, at)
      }
      bytes.set(message.reveal, at)
      break
    case 'record':
      bytes[at] = message.part
      bytes[at + 1] = message.parts
      bytes.writeUInt32BE(message.recordVersion, at + 4)
      bytes.set(message.bytes, at + RECORD_PREFIX_BYTES)
      break
    case 'query':
      at = bytes.writeUInt32BE(message.nonce, at)
      for (const id of message.ids) {
        writeId(id, bytes, at)
        at += ID_BYTES
      }
      break
    case 'bye':
      bytes.set(message.secret, at)
      break
    case 'probe':
      at = bytes.writeUInt32BE(message.nonce, at)
      writeId(message.target, bytes, at)
      break
  }
}
