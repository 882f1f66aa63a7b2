import { completeRecords, PacketTooComplex, PacketWalker } from './packet-layout.ts'

/** A type of records that nobody has (RFC 6895, section 3.1), for what dns-packet is not to look into. */
const UNASSIGNED_TYPE = 0xff00

/**
 * A message as dns-packet can read it, which would give up the whole of it for one record. Of a response that breaks off,
 * the whole records are left: some devices miscount their records, or send half of the last one. A query that breaks off
 * is none: answers that we know of may be missing from it.
 * @throws BadLayout when nothing of it can be read, or not soon enough
 */
export function sanitizePacket(bytes: Buffer): Buffer {
  try {
    return maskForeignRecords(bytes)
  } catch (error) {
    if (error instanceof PacketTooComplex || !isResponse(bytes)) throw error
    return maskForeignRecords(completeRecords(bytes))
  }
}

/**
 * The message with every record that is not of DNS-SD, or not what its type says, made one that dns-packet passes over.
 * @throws BadLayout
 */
function maskForeignRecords(bytes: Buffer): Buffer {
  const layout = new PacketWalker(bytes)
  const foreign: number[] = []
  layout.walk({
    name: () => {},
    record: (place) => {
      if (!layout.fits(place)) foreign.push(place.typeAt)
    },
  })
  if (foreign.length === 0) return bytes
  const copy = Buffer.from(bytes)
  for (const typeAt of foreign) copy.writeUInt16BE(UNASSIGNED_TYPE, typeAt)
  return copy
}

function isResponse(bytes: Buffer): boolean {
  return ((bytes[2] ?? 0) & 0x80) !== 0
}
