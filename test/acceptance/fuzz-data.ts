/** Repeatable random numbers from a fast linear congruential generator (constants of Numerical Recipes). */
export class SeededRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** An integer from 0 to `bound` - 1. */
  below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * bound)
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let at = 0; at < length; at++) bytes[at] = this.below(256)
    return bytes
  }

  choose<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new RangeError('there are no items to choose from')
    return item
  }
}

/** Maximum UDP payload of an Ethernet frame over IPv6. */
const MAX_BYTES = 1452

/** Random bytes. Half of the datagrams have a valid header, to pass the first checks. */
export function randomDatagram(random: SeededRandom, maxBytes = MAX_BYTES): Buffer {
  const bytes = random.bytes(random.below(maxBytes + 1))
  if (random.below(2) === 0) return bytes
  Buffer.from([0x45, 0x53, 1, 1 + random.below(5), random.below(4), 0, 0, 0]).copy(bytes)
  // Valid body lengths of the message types.
  const body = random.choose([16, 20, 32, 36, 40, 200, 1168])
  return random.below(2) === 0 ? bytes : bytes.subarray(0, 32 + body)
}

/** A real datagram with mutations: changed bytes, truncated, extended, a repeated piece, or unchanged. */
export function mutatedDatagram(random: SeededRandom, real: readonly Uint8Array[], maxBytes = MAX_BYTES): Buffer {
  let bytes: Buffer = Buffer.from(random.choose(real))
  for (let mutations = random.below(3); mutations >= 0; mutations--) bytes = mutate(random, bytes)
  return bytes.subarray(0, maxBytes)
}

function mutate(random: SeededRandom, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1)
  switch (random.below(6)) {
    case 0:
      return bytes.subarray(0, at)
    case 1:
      return Buffer.concat([bytes, random.bytes(random.below(64))])
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes])
    case 3: {
      const copy = Buffer.from(bytes)
      random.bytes(1 + random.below(4)).copy(copy, at)
      return copy
    }
    case 4: {
      const copy = Buffer.from(bytes)
      const header = random.below(Math.min(40, copy.length))
      if (copy.length > 0) copy[header] = (copy[header] ?? 0) ^ (1 << random.below(8))
      return copy
    }
    default:
      return bytes
  }
}
