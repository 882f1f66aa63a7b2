import { NSEC, PacketWalker, PTR, SRV } from './packet-layout.ts'

/** A pointer has 14 bits for the place that it leads to (RFC 1035, section 4.1.4). */
const MAX_POINTER_OFFSET = 0x4000
const POINTER = 0xc000

/**
 * The same message with each name, or end of a name, that stands in it already replaced by a pointer (RFC 1035, section
 * 4.1.4): dns-packet reads pointers, and writes none. Within data, those of PTR, SRV and NSEC records are replaced,
 * which every mDNS program can read (RFC 6762, section 18.14).
 *
 * @param bytes a message whose names are all whole
 */
export function compressNames(bytes: Buffer): Buffer {
  const layout = new PacketWalker(bytes)
  const out = Buffer.alloc(bytes.length)
  /** Where each end of a name was written, by its bytes. */
  const known = new Map<string, number>()
  let written = 0
  let read = 0

  const copyTo = (end: number) => {
    written += bytes.copy(out, written, read, end)
    read = end
  }
  const writeName = () => {
    const end = layout.nameEnd(read)
    while ((bytes[read] ?? 0) > 0) {
      const rest = bytes.toString('latin1', read, end)
      const place = known.get(rest)
      if (place !== undefined) {
        written = out.writeUInt16BE(POINTER | place, written)
        read = end
        return
      }
      if (written < MAX_POINTER_OFFSET) known.set(rest, written)
      copyTo(read + 1 + (bytes[read] ?? 0))
    }
    copyTo(end)
  }

  layout.walk({
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
