/** Chance that can be repeated: a linear congruential generator is as good as any here, and fast (Numerical Recipes). */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A whole number from 0 to below `bound`. */
  below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * bound)
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let at = 0; at < length; at++) bytes[at] = this.below(256)
    return bytes
  }

  one<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new RangeError('nothing to choose from')
    return item
  }
}

/** What fits into one frame over IPv6. */
const MOST_BYTES = 1452

/** Random bytes; every second datagram begins as one of ours does, so as to get further. */
export function randomDatagram(dice: Dice, mostBytes = MOST_BYTES): Buffer {
  const bytes = dice.bytes(dice.below(mostBytes + 1))
  if (dice.below(2) === 0) return bytes
  Buffer.from([0x45, 0x53, 1, 1 + dice.below(5), dice.below(4), 0, 0, 0]).copy(bytes)
  // Bodies of the length that this type has.
  const body = dice.one([16, 20, 32, 36, 40, 200, 1168])
  return dice.below(2) === 0 ? bytes : bytes.subarray(0, 32 + body)
}

/** A real datagram with mistakes in it: bytes changed, cut, lengthened, a piece twice, or nothing at all. */
export function mutatedDatagram(dice: Dice, real: readonly Uint8Array[], mostBytes = MOST_BYTES): Buffer {
  let bytes: Buffer = Buffer.from(dice.one(real))
  for (let mistakes = dice.below(3); mistakes >= 0; mistakes--) bytes = mistake(dice, bytes)
  return bytes.subarray(0, mostBytes)
}

function mistake(dice: Dice, bytes: Buffer): Buffer {
  const at = dice.below(bytes.length + 1)
  switch (dice.below(6)) {
    case 0:
      return bytes.subarray(0, at)
    case 1:
      return Buffer.concat([bytes, dice.bytes(dice.below(64))])
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes])
    case 3: {
      const copy = Buffer.from(bytes)
      dice.bytes(1 + dice.below(4)).copy(copy, at)
      return copy
    }
    case 4: {
      const copy = Buffer.from(bytes)
      const header = dice.below(Math.min(40, copy.length))
      if (copy.length > 0) copy[header] = (copy[header] ?? 0) ^ (1 << dice.below(8))
      return copy
    }
    default:
      return bytes
  }
}
