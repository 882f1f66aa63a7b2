import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SharedPath } from '../../../src/core/link.ts'
import { decode, encode, isCopyOf, withPath } from '../../../src/core/wire/codec.ts'
import { readId } from '../../../src/core/wire/id-bytes.ts'
import {
  HEADER_BYTES,
  MAX_DATAGRAM_BYTES,
  MAX_PARTS,
  MAX_RECORD_BYTES,
  MESSAGE_TYPES,
  type Message,
  PATHS,
  REFUSALS,
} from '../../../src/core/wire/messages.ts'
import { message } from './arbitrary.ts'

const FUZZED = 100_000
const vectors = JSON.parse(readFileSync(new URL('./vectors/messages.json', import.meta.url), 'utf8')) as {
  bytes: string
}[]
const real = vectors.map(({ bytes }) => Buffer.from(bytes, 'hex'))

/** Converts byte fields to one class, to compare messages. */
function plain(message: Message): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(message).map(([key, value]) => [key, value instanceof Uint8Array ? [...value] : value]),
  )
}

/** Marsaglia's xorshift32, for repeatable random numbers. fast-check is too slow for two hundred thousand datagrams. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/** The type of the message or the reason for refusal. Throws if it is neither, or if the message cannot be encoded. */
function judge(datagram: Uint8Array): string {
  const said = decode(datagram)
  if (typeof said === 'string') {
    if (!Object.hasOwn(REFUSALS, said)) throw new Error(`unknown reason ${said}`)
    return said
  }
  if (!MESSAGE_TYPES.includes(said.type)) throw new Error('unknown type')
  const again = Buffer.from(datagram)
  again.fill(0, 5, 8) // flags and reserved bytes are not looked at
  if (said.type === 'record') again.fill(0, HEADER_BYTES + 2, HEADER_BYTES + 4)
  if (!again.equals(encode(said))) throw new Error(`says something else: ${again.toString('hex')}`)
  return said.type
}

describe('messages', () => {
  it('are recognized as copies if they differ only in the path', () => {
    for (const datagram of real) {
      for (const path of PATHS) expect(isCopyOf(datagram, withPath(datagram, path))).toBe(true)
      for (let at = 0; at < datagram.length; at++) {
        const other = Buffer.from(datagram)
        // The path becomes a number that no path has.
        other[at] = (other[at] ?? 0) ^ 0x80
        expect(isCopyOf(datagram, other)).toBe(false)
      }
      expect(isCopyOf(datagram, datagram.subarray(1))).toBe(false)
      expect(isCopyOf(datagram, Buffer.concat([datagram, Buffer.of(0)]))).toBe(false)
    }
  })

  it('are decoded as they were encoded, in at most 1,200 bytes', () => {
    fc.assert(
      fc.property(message, (sent) => {
        const datagram = encode(sent)
        expect(datagram.length).toBeLessThanOrEqual(MAX_DATAGRAM_BYTES)
        const heard = decode(datagram)
        expect(typeof heard === 'string' ? heard : plain(heard)).toEqual(plain(sent))
      }),
      { numRuns: 1000 },
    )
  })

  it('are read from the middle of a larger buffer', () => {
    for (const datagram of real) {
      const around = Buffer.concat([Buffer.alloc(3, 0xff), datagram, Buffer.alloc(5, 0xff)])
      expect(decode(new Uint8Array(around.buffer, around.byteOffset + 3, datagram.length))).toEqual(decode(datagram))
    }
  })

  it('differ in one byte from path to path', () => {
    fc.assert(
      fc.property(message, fc.constantFrom<SharedPath>('broadcast', 'multicast4', 'multicast6'), (sent, path) => {
        const datagram = encode(sent)
        const before = Uint8Array.from(datagram)
        expect(withPath(datagram, path)).toEqual(new Uint8Array(encode({ ...sent, path })))
        expect(datagram).toEqual(Buffer.from(before))
        expect(PATHS[withPath(datagram, path)[4] ?? 0]).toBe(path)
      }),
    )
  })

  it('are decoded whatever flags and reserved bytes later versions set', () => {
    for (const datagram of real) {
      const changed = Buffer.from(datagram)
      changed.fill(0xff, 5, 8)
      expect(decode(changed)).toEqual(decode(datagram))
    }
  })

  it('have the length that the protocol defines', () => {
    const lengths = real.map((datagram) => {
      const said = decode(datagram)
      return typeof said === 'string' ? said : `${said.type} ${datagram.length}`
    })
    expect(lengths).toContain('beat 64')
    expect(lengths).toContain('bye 48')
    expect(lengths).toContain('probe 52')
    expect(lengths).toContain('query 36')
    expect(lengths).toContain('query 1060')
    expect(lengths).toContain('record 1200')
    expect(MAX_PARTS).toBe(15)
    expect(MAX_RECORD_BYTES).toBe(16_384)
  })
})

describe('decode', () => {
  it('does not throw for random bytes', () => {
    const below = randomFrom(0x5eed)
    const seen = new Set<string>()
    const header = Buffer.from('455301', 'hex')
    for (let i = 0; i < FUZZED; i++) {
      const datagram = Uint8Array.from({ length: below(i % 10 === 0 ? 1300 : 80) }, () => below(256))
      // Entirely random bytes would rarely begin with the magic number.
      if (i % 2 === 0) {
        datagram.set(header.subarray(0, datagram.length))
        if (datagram.length > 4) datagram.set([below(7), below(5)], 3)
      }
      seen.add(judge(datagram))
    }
    for (const expected of ['too-short', 'too-long', 'not-earshot', 'unknown-type', 'unknown-path', 'bad-part']) {
      expect(seen).toContain(expected)
    }
  })

  it('does not throw for valid datagrams with random changes', () => {
    const below = randomFrom(0xbeac0)
    const seen = new Set<string>()
    for (let i = 0; i < FUZZED; i++) {
      const datagram = Buffer.from(real[below(real.length)] ?? [])
      for (let mistakes = 1 + below(4); mistakes > 0; mistakes--) {
        // Half of the changes are in the bytes that determine how the rest is decoded.
        const at = below(2) === 0 ? below(Math.min(36, datagram.length)) : below(datagram.length)
        datagram[at] = below(256)
      }
      const cut = below(4)
      if (cut === 0) seen.add(judge(datagram.subarray(0, below(datagram.length + 1))))
      else if (cut === 1) seen.add(judge(Buffer.concat([datagram, Buffer.alloc(below(40), below(256))])))
      else seen.add(judge(datagram))
    }
    for (const expected of [...MESSAGE_TYPES, 'unknown-version', 'bad-part', 'too-long', 'too-short']) {
      expect(seen).toContain(expected)
    }
  })

  it('returns views, so that a flood costs no copies', () => {
    const datagram = real[0] ?? Buffer.alloc(0)
    const beat = decode(datagram)
    expect(typeof beat === 'object' && beat.type === 'beat' && beat.reveal.buffer).toBe(datagram.buffer)
    expect(typeof beat === 'object' && beat.id).toBe(readId(datagram, 8))
  })
})
