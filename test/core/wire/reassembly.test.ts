import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readId } from '../../../src/core/wire/id-bytes.ts'
import { PART_BYTES, type RecordPart } from '../../../src/core/wire/messages.ts'
import { MAX_REASSEMBLY_BYTES, REASSEMBLY_TIMEOUT, Reassembly } from '../../../src/core/wire/reassembly.ts'
import { type SignedRecord, splitRecord } from '../../../src/core/wire/record.ts'

const ID = readId(new Uint8Array(16).fill(7))
const SOURCE = 'eth0 192.0.2.1'

function partsOf(joined: Uint8Array, header: Partial<RecordPart> = {}): RecordPart[] {
  const pieces = splitRecord(joined)
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

/** Begins an incomplete record of another peer: adds its first part of 15. */
function begin(reassembly: Reassembly, n: number, source: string, now: number): unknown {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(n)
  return reassembly.add({ ...first, id: readId(bytes), parts: 15 }, source, now)
}

describe('reassembly', () => {
  it('returns a record of one part at once', () => {
    const reassembly = new Reassembly()
    const joined = pattern(200)
    const [only] = partsOf(joined) as [RecordPart]
    expect(reassembly.add(only, SOURCE, 0)).toEqual({ ...whole, joined })
    expect(reassembly.bytes).toBe(0)
  })

  it('joins parts in any order and with duplicates, once all have arrived', () => {
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

  it('copies the parts it keeps, since the receive buffer is reused', () => {
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

  it('waits two seconds after the last part for a lost one, then drops the record', () => {
    const reassembly = new Reassembly()
    reassembly.add(first, SOURCE, 0)
    reassembly.add(second, SOURCE, REASSEMBLY_TIMEOUT - 1)
    expect(reassembly.add(third, SOURCE, 2 * REASSEMBLY_TIMEOUT - 2)).toEqual(whole)

    reassembly.add(first, SOURCE, 10_000)
    reassembly.add(second, SOURCE, 10_000)
    expect(reassembly.add(third, SOURCE, 10_000 + REASSEMBLY_TIMEOUT)).toBeUndefined()
    expect(reassembly.add(first, SOURCE, 12_000)).toBeUndefined()
    expect(reassembly.add(second, SOURCE, 12_000)).toEqual(whole)
    expect(reassembly.bytes).toBe(0)
  })

  it('does not wait longer because of duplicates', () => {
    const reassembly = new Reassembly()
    reassembly.add(first, SOURCE, 0)
    expect(reassembly.add(first, SOURCE, REASSEMBLY_TIMEOUT - 1)).toBe('duplicate')
    reassembly.add(second, SOURCE, REASSEMBLY_TIMEOUT)
    expect(reassembly.add(third, SOURCE, REASSEMBLY_TIMEOUT)).toBeUndefined()
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

  it('replaces an earlier part by a later one, so that a forged part sent first does no harm', () => {
    const reassembly = new Reassembly()
    const poison = new Uint8Array(PART_BYTES)
    for (const part of [first, second, third]) {
      reassembly.add({ ...second, bytes: poison }, SOURCE, 0)
      reassembly.add({ ...first, bytes: poison }, SOURCE, 0)
      expect(reassembly.add({ ...part, parts: 4, bytes: poison }, SOURCE, 0)).toBeOneOf([undefined, 'duplicate'])
    }
    reassembly.add(first, SOURCE, 0)
    reassembly.add(second, SOURCE, 0)
    expect(reassembly.add(third, SOURCE, 0)).toEqual(whole)
  })

  it('loses only one attempt to a forged part between the real ones', () => {
    const reassembly = new Reassembly()
    const poison = new Uint8Array(PART_BYTES)
    reassembly.add(first, SOURCE, 0)
    reassembly.add({ ...first, bytes: poison }, SOURCE, 0)
    reassembly.add(second, SOURCE, 0)
    expect((reassembly.add(third, SOURCE, 0) as SignedRecord).joined.subarray(0, PART_BYTES)).toEqual(poison)
    // That record fails the signature check. When it is sent again, it is complete.
    for (const part of [first, second]) reassembly.add(part, SOURCE, 1)
    expect(reassembly.add(third, SOURCE, 1)).toEqual(whole)
  })

  it('joins the real parts although forged ones state another number of parts', () => {
    const reassembly = new Reassembly()
    for (const part of [first, second, third]) {
      for (const parts of [2, 4, 15]) reassembly.add({ ...first, parts }, SOURCE, 0)
      if (part !== third) expect(reassembly.add(part, SOURCE, 0)).toBeUndefined()
    }
    expect(reassembly.add(third, SOURCE, 0)).toEqual(whole)
  })

  it('uses at most 2 MiB during a flood, and drops the oldest parts for a record that arrives meanwhile', () => {
    const reassembly = new Reassembly()
    let n = 0
    const flood = (count: number, source: string) => {
      for (const end = n + count; n < end; n++) {
        begin(reassembly, n, source, 0)
        expect(reassembly.bytes).toBeLessThanOrEqual(MAX_REASSEMBLY_BYTES)
      }
    }
    for (const source of [SOURCE, 'eth0 192.0.2.2']) {
      flood(5000, source)
      expect(reassembly.bytes).toBeGreaterThan(MAX_REASSEMBLY_BYTES - 2 * PART_BYTES)
      expect(reassembly.add(first, SOURCE, 0)).toBeUndefined()
      flood(500, source)
      expect(reassembly.add(second, SOURCE, 0)).toBeUndefined()
      flood(500, source)
      expect(reassembly.add(third, SOURCE, 0)).toEqual(whole)
    }
    for (const part of [first, second, third]) reassembly.add(part, SOURCE, REASSEMBLY_TIMEOUT)
    expect(reassembly.bytes).toBe(0)
  })

  it('counts the memory of the smallest parts too', () => {
    const reassembly = new Reassembly()
    for (let n = 0; n < 20_000; n++) {
      const bytes = Buffer.alloc(16)
      bytes.writeUInt32BE(n)
      reassembly.add({ ...third, id: readId(bytes), bytes: pattern(1) }, SOURCE, 0)
    }
    expect(reassembly.bytes).toBeGreaterThan(MAX_REASSEMBLY_BYTES - 1024)
    expect(reassembly.bytes).toBeLessThanOrEqual(MAX_REASSEMBLY_BYTES)
  })

  it('counts its memory correctly over any sequence of parts', () => {
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
          expect(reassembly.bytes).toBeLessThanOrEqual(8 * (2 * PART_BYTES + 512))
        }
        for (const part of [first, second, third]) reassembly.add(part, 'c', now + REASSEMBLY_TIMEOUT)
        expect(reassembly.bytes).toBe(0)
      }),
    )
  })
})
