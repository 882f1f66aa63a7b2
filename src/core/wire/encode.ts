import type { Path } from '../link.ts'
import { ID_BYTES, writeId } from './id.ts'
import {
  BEAT_BODY_BYTES,
  BYE_BODY_BYTES,
  HEADER_BYTES,
  MAGIC,
  type Message,
  PATHS,
  PROBE_BODY_BYTES,
  QUERY_PREFIX_BYTES,
  RECORD_PREFIX_BYTES,
  TYPE_NUMBERS,
  VERSION,
} from './messages.ts'

const PATH_OFFSET = 4

/** The datagram that says `message`. */
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

/** The same datagram for another path. */
export function onPath(datagram: Uint8Array, path: Path): Uint8Array {
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
