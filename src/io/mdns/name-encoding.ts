import { NSEC, PacketWalker, PTR, SRV } from './packet-layout.ts'

/**
 * dns-packet treats every dot in a name as the end of a label, but instance names may contain dots (RFC 6763, section
 * 4.3). This character replaces those dots while dns-packet encodes the name. In the encoded bytes, a dot then replaces
 * this character.
 */
const STAND_IN = '\u001a'
const STAND_IN_BYTE = 0x1a
const DOT = 0x2e

/** The maximum size of a label, and of a name including length bytes and root (RFC 1035, section 2.3.4). */
const MAX_LABEL_BYTES = 63
const MAX_NAME_BYTES = 255
const INSTANCE = /^(.+?)((?:\._sub)?\._[^.]+\._(?:tcp|udp)\.local)$/is

/** Replaces the dots inside the label of an instance or a subtype. */
export function hideDots(name: string): string {
  const [, instance, type] = INSTANCE.exec(name) ?? []
  return instance === undefined || !instance.includes('.') ? name : instance.replaceAll('.', STAND_IN) + type
}

/** Whether dns-packet encodes a name correctly. It silently changes labels that are too long. */
export function isSendable(name: string): boolean {
  let bytes = 1
  for (const label of hideDots(name).split('.')) {
    const length = Buffer.byteLength(label)
    if (length === 0 || length > MAX_LABEL_BYTES) return false
    bytes += length + 1
  }
  // dns-packet removes dots next to a line break.
  return bytes <= MAX_NAME_BYTES && !name.includes(STAND_IN) && !/[\n\r\u2028\u2029]/.test(name)
}

/** Restores the dots in an encoded message, in place. The names must be uncompressed, as dns-packet writes them. */
export function restoreDots(bytes: Buffer): void {
  if (!bytes.includes(STAND_IN_BYTE)) return
  const restore = (start: number) => {
    for (let at = start, length = bytes[at] ?? 0; length > 0; at += length + 1, length = bytes[at] ?? 0) {
      const label = bytes.subarray(at + 1, at + 1 + length)
      for (let i = label.indexOf(STAND_IN_BYTE); i >= 0; i = label.indexOf(STAND_IN_BYTE, i + 1)) label[i] = DOT
    }
  }
  const walker = new PacketWalker(bytes)
  walker.walk({
    name: restore,
    record: ({ type, dataAt }) => {
      if (type === PTR || type === NSEC) restore(dataAt)
      if (type === SRV) restore(dataAt + 6)
    },
  })
}

/** A compression pointer has 14 bits (RFC 1035, section 4.1.4). */
const MAX_POINTER_OFFSET = 0x4000
const POINTER = 0xc000

/**
 * Compresses the names of a message: replaces each name, or suffix of a name, that occurred before by a pointer (RFC
 * 1035, section 4.1.4). dns-packet reads compressed names but does not write them. In record data, only the names of
 * PTR, SRV and NSEC records are compressed, which all mDNS programs can read (RFC 6762, section 18.14).
 *
 * @param bytes a message with uncompressed names
 */
export function compressNames(bytes: Buffer): Buffer {
  const walker = new PacketWalker(bytes)
  const out = Buffer.alloc(bytes.length)
  /** Where each name suffix was written, by its bytes. */
  const known = new Map<string, number>()
  let written = 0
  let read = 0

  const copyTo = (end: number) => {
    written += bytes.copy(out, written, read, end)
    read = end
  }
  const writeName = () => {
    const end = walker.nameEnd(read)
    while ((bytes[read] ?? 0) > 0) {
      const rest = bytes.toString('latin1', read, end)
      const offset = known.get(rest)
      if (offset !== undefined) {
        written = out.writeUInt16BE(POINTER | offset, written)
        read = end
        return
      }
      if (written < MAX_POINTER_OFFSET) known.set(rest, written)
      copyTo(read + 1 + (bytes[read] ?? 0))
    }
    copyTo(end)
  }

  walker.walk({
    name: (at) => {
      copyTo(at)
      writeName()
    },
    record: ({ type, dataAt, dataEnd }) => {
      copyTo(dataAt)
      const start = written
      if (type === SRV) copyTo(dataAt + 6)
      if (type === PTR || type === SRV || type === NSEC) writeName()
      copyTo(dataEnd)
      out.writeUInt16BE(written - start, start - 2)
    },
  })
  copyTo(bytes.length)
  return out.subarray(0, written)
}
