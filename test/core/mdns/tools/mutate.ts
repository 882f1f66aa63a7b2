/** Reproducible random integers below a bound: Marsaglia's xorshift32. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/** Mutates a message once or twice. Most results pass the first checks of a decoder. */
export function mutate(originals: readonly Buffer[], random: (below: number) => number): Buffer {
  const pick = () => originals[random(originals.length)] ?? Buffer.alloc(0)
  let bytes: Buffer = Buffer.from(pick())
  for (let left = 1 + random(2); left > 0; left--) bytes = accident(bytes, pick(), random)
  return bytes
}

function accident(bytes: Buffer, other: Buffer, random: (below: number) => number): Buffer {
  const at = random(bytes.length + 1)
  const length = random(24)
  switch (random(20)) {
    case 0:
      return bytes.subarray(0, at)
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at)])
    case 3: {
      const from = random(other.length)
      return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + 2 * length), bytes.subarray(at)])
    }
    case 4:
      // Appends the records of another message and counts them.
      if (bytes.length < 12) return bytes
      bytes.writeUInt16BE((bytes.readUInt16BE(10) + random(4)) & 0xffff, 10)
      return Buffer.concat([bytes, other.subarray(12)])
    case 5:
      // A pointer to any earlier offset.
      if (at + 2 <= bytes.length) bytes.writeUInt16BE(0xc000 | random(at + 1), at)
      return bytes
    case 6:
      if (at + 2 <= bytes.length) bytes.writeUInt16BE([1, 12, 16, 28, 33, 41, 47, 255][random(8)] ?? 0, at)
      return bytes
    case 7:
      if (bytes.length >= 12) bytes[4 + random(8)] = random(6)
      return bytes
    case 8:
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8))
      return bytes
    default:
      if (at < bytes.length) bytes[at] = random(256)
      return bytes
  }
}
