import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  PART_BYTES,
  REASSEMBLY_BYTES,
  REASSEMBLY_PATIENCE,
  Reassembly,
  type RecordPart,
  readId,
  type SignedRecord,
  split,
} from '../../src/wire/index.ts'

const ID = readId(new Uint8Array(16).fill(7))
const SOURCE = 'eth0 192.0.2.1'

function partsOf(joined: Uint8Array, header: Partial<RecordPart> = {}): RecordPart[] {
  const pieces = split(joined)
  return pieces.map((bytes, part) => ({
    type: 'record',
    path: 'multicast4',
    id: ID,
    incarnation: 1,
    sequence: 0,
    recordVersion: 1,
    part,
    parts: pieces.length,
    bytes,
    ...header,
  }))
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff)
}

const three = pattern(2 * PART_BYTES + 100)
const [first, second, third] = partsOf(three) as [RecordPart, RecordPart, RecordPart]
const whole = { id: ID, incarnation: 1, recordVersion: 1, joined: three }

/** What comes of one unfinished record with the most parts, of the n-th stranger. */
function begin(reassembly: Reassembly, n: number, source: string, now: number): unknown {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(n)
  return reassembly.add({ ...first, id: readId(bytes), parts: 15 }, source, now)
}

describe('reassembly', () => {
  it('hands a record in one part straight on', () => {
    const reassembly = new Reassembly()
    const joined = pattern(200)
    const [only] = partsOf(joined) as [RecordPart]
    expect(reassembly.add(only, SOURCE, 0)).toEqual({ ...whole, joined })
    expect(reassembly.bytes).toBe(0)
  })

  it('joins parts in any order, with any duplicates, once they are all there', () => {
    const job = fc.integer({ min: 2, max: 15 }).chain((parts) => {
      const indexes = Array.from({ length: parts }, (_, i) => i)
      return fc.record({
        length: fc.integer({ min: (parts - 1) * PART_BYTES + 1, max: parts * PART_BYTES }),
        order: fc
          .tuple(fc.shuffledSubarray(indexes, { minLength: parts }), fc.array(fc.constantFrom(...indexes)))
          .chain(([all, again]) => fc.shuffledSubarray([...all, ...again], { minLength: parts + again.length })),
      })
    })
    fc.assert(
      fc.property(job, ({ length, order }) => {
        const joined = pattern(length)
        const parts = partsOf(joined)
        const reassembly = new Reassembly()
        const seen = new Set<number>()
        for (const index of order) {
          const part = parts[index]
          if (!part) throw new Error('no such part')
          const before = seen.size
          seen.add(index)
          const result = reassembly.add(part, SOURCE, 0)
          if (seen.size === before) expect(result).toBe('duplicate')
          else if (seen.size < parts.length) expect(result).toBeUndefined()
          else {
            expect(Buffer.compare((result as SignedRecord).joined, joined)).toBe(0)
            break
          }
        }
        expect(reassembly.bytes).toBe(0)
      }),
    )
  })

  it('copies what it keeps: a receive buffer is used again', () => {
    const reassembly = new Reassembly()
    const bytes = Uint8Array.from(first.bytes)
    reassembly.add({ ...first, bytes }, SOURCE, 0)
    bytes.fill(0)
    reassembly.add(second, SOURCE, 0)
    const last = Uint8Array.from(third.bytes)
    const result = reassembly.add({ ...third, bytes: last }, SOURCE, 0)
    last.fill(0)
    expect(result).toEqual(whole)
  })

  it('waits for a lost part two seconds after the last that came, then forgets', () => {
    const reassembly = new Reassembly()
    reassembly.add(first, SOURCE, 0)
    reassembly.add(second, SOURCE, REASSEMBLY_PATIENCE - 1)
    expect(reassembly.add(third, SOURCE, 2 * REASSEMBLY_PATIENCE - 2)).toEqual(whole)

    reassembly.add(first, SOURCE, 10_000)
    reassembly.add(second, SOURCE, 10_000)
    expect(reassembly.add(third, SOURCE, 10_000 + REASSEMBLY_PATIENCE)).toBeUndefined()
    expect(reassembly.add(first, SOURCE, 12_000)).toBeUndefined()
    expect(reassembly.add(second, SOURCE, 12_000)).toEqual(whole)
    expect(reassembly.bytes).toBe(0)
  })

  it('is not kept waiting by duplicates', () => {
    const reassembly = new Reassembly()
    reassembly.add(first, SOURCE, 0)
    expect(reassembly.add(first, SOURCE, REASSEMBLY_PATIENCE - 1)).toBe('duplicate')
    reassembly.add(second, SOURCE, REASSEMBLY_PATIENCE)
    expect(reassembly.add(third, SOURCE, REASSEMBLY_PATIENCE)).toBeUndefined()
  })

  it('does not mix versions, incarnations, peers or sources', () => {
    const reassembly = new Reassembly()
    reassembly.add(first, SOURCE, 0)
    expect(reassembly.add({ ...second, recordVersion: 2 }, SOURCE, 0)).toBeUndefined()
    expect(reassembly.add({ ...second, incarnation: 2 }, SOURCE, 0)).toBeUndefined()
    expect(reassembly.add({ ...second, id: readId(new Uint8Array(16)) }, SOURCE, 0)).toBeUndefined()
    expect(reassembly.add({ ...second, bytes: pattern(PART_BYTES) }, 'eth0 192.0.2.66', 0)).toBeUndefined()
    expect(reassembly.add(third, SOURCE, 0)).toBeUndefined()
    expect(reassembly.add(second, SOURCE, 0)).toEqual(whole)
  })

  it('loses one attempt to a part poisoned under the same address, and no more', () => {
    const reassembly = new Reassembly()
    const poison = new Uint8Array(PART_BYTES)
    reassembly.add({ ...second, bytes: poison }, SOURCE, 0)
    reassembly.add(first, SOURCE, 0)
    expect(reassembly.add(second, SOURCE, 0)).toBe('duplicate')
    expect((reassembly.add(third, SOURCE, 0) as SignedRecord).joined.subarray(PART_BYTES, 2 * PART_BYTES)).toEqual(
      poison,
    )
    // The signature refuses that one; what is sent again is whole.
    for (const part of [first, second]) reassembly.add(part, SOURCE, 1)
    expect(reassembly.add(third, SOURCE, 1)).toEqual(whole)
  })

  it('takes no part of another number of parts for the same record', () => {
    const reassembly = new Reassembly()
    reassembly.add({ ...first, parts: 4 }, SOURCE, 0)
    expect(reassembly.add(second, SOURCE, 0)).toBe('bad-part')
    expect(reassembly.bytes).toBe(4 * PART_BYTES)
  })

  it('leaves room for others when one address floods', () => {
    const reassembly = new Reassembly()
    let taken = 0
    while (begin(reassembly, taken, SOURCE, 0) === undefined) taken++
    expect(taken).toBe(Math.floor(REASSEMBLY_BYTES / 16 / (15 * PART_BYTES)))
    expect(begin(reassembly, 999, SOURCE, 0)).toBe('reassembly-full')
    expect(reassembly.add(first, 'eth0 192.0.2.2', 0)).toBeUndefined()
    expect(begin(reassembly, 999, SOURCE, REASSEMBLY_PATIENCE)).toBeUndefined()
  })

  it('keeps to 2 MiB when everyone floods, and comes back to nothing', () => {
    const reassembly = new Reassembly()
    for (let n = 0; n < 1000; n++) {
      begin(reassembly, n, `eth0 10.0.0.${n}`, 0)
      expect(reassembly.bytes).toBeLessThanOrEqual(REASSEMBLY_BYTES)
    }
    expect(reassembly.bytes).toBeGreaterThan(REASSEMBLY_BYTES - 15 * PART_BYTES)
    expect(begin(reassembly, 9999, SOURCE, 1)).toBe('reassembly-full')

    for (const part of [first, second, third]) reassembly.add(part, SOURCE, REASSEMBLY_PATIENCE)
    expect(reassembly.bytes).toBe(0)
  })

  it('counts right over any sequence of parts', () => {
    const act = fc.record({
      id: fc.nat({ max: 3 }).map((n) => readId(new Uint8Array(16).fill(n))),
      part: fc.nat({ max: 2 }),
      source: fc.constantFrom('a', 'b'),
      pause: fc.nat({ max: 900 }),
    })
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const reassembly = new Reassembly()
        let now = 0
        for (const { id, part, source, pause } of acts) {
          now += pause
          const piece = [first, second, third][part] ?? first
          reassembly.add({ ...piece, id }, source, now)
          expect(reassembly.bytes % (3 * PART_BYTES)).toBe(0)
          expect(reassembly.bytes).toBeLessThanOrEqual(8 * 3 * PART_BYTES)
        }
        for (const part of [first, second, third]) reassembly.add(part, 'c', now + REASSEMBLY_PATIENCE)
        expect(reassembly.bytes).toBe(0)
      }),
    )
  })
})
