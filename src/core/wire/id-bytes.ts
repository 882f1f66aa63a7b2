import { ID_BYTES, type PeerId } from './id.ts'

/*
 * Ids in datagrams. They are apart from `id.ts`, because a command that only shows ids would otherwise create the daemon's memory
 * of ids.
 */

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const LETTERS = Buffer.from(ALPHABET, 'latin1')

/** How many ids that were read are remembered, a power of two. */
const REMEMBERED = 4096
const rememberedBytes = new Uint8Array(REMEMBERED * ID_BYTES)
const remembered = new Array<PeerId | undefined>(REMEMBERED)

/**
 * Reads an id from the 16 bytes at `offset`. An id that was read before is mostly returned as the same string: that costs less
 * than to make it, and also to look for it in a map.
 */
export function readId(bytes: Uint8Array, offset = 0): PeerId {
  // Each id has two places, so that a thousand ids rarely displace each other.
  const first = placeOf(bytes, offset)
  const second = placeOf(bytes, offset + 2)
  return (
    rememberedAt(first, bytes, offset) ?? rememberedAt(second, bytes, offset) ?? remember(first, second, bytes, offset)
  )
}

/** Ids are hashes, so any of their bits choose places evenly. */
function placeOf(bytes: Uint8Array, offset: number): number {
  return (((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0)) % REMEMBERED
}

function rememberedAt(place: number, bytes: Uint8Array, offset: number): PeerId | undefined {
  const at = place * ID_BYTES
  for (let i = 0; i < ID_BYTES; i++) if (rememberedBytes[at + i] !== bytes[offset + i]) return undefined
  return remembered[place]
}

function remember(first: number, second: number, bytes: Uint8Array, offset: number): PeerId {
  const id = encodeId(bytes, offset)
  const place = remembered[first] === undefined ? first : second
  for (let i = 0; i < ID_BYTES; i++) rememberedBytes[place * ID_BYTES + i] = bytes[offset + i] ?? 0
  remembered[place] = id
  return id
}

/** The letters of the id that is being encoded. */
const letters = Buffer.alloc(26)

function encodeId(bytes: Uint8Array, offset: number): PeerId {
  let at = 0
  let bits = 0
  let held = 0
  for (let i = offset; i < offset + ID_BYTES; i++) {
    held = ((held << 8) | (bytes[i] ?? 0)) & 0xfff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      letters[at++] = LETTERS[(held >> bits) & 31] ?? 0
    }
  }
  letters[at] = LETTERS[(held << (5 - bits)) & 31] ?? 0
  return letters.toString('latin1') as PeerId
}

/** Writes the 16 bytes of an id at `offset`. */
export function writeId(id: PeerId, bytes: Uint8Array, offset: number): void {
  let bits = 0
  let held = 0
  let at = offset
  for (let i = 0; i < id.length && at < offset + ID_BYTES; i++) {
    held = ((held << 5) | ALPHABET.indexOf(id.charAt(i))) & 0xfff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = (held >> bits) & 0xff
    }
  }
}
