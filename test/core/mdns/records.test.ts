import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ResourceRecord } from '../../../src/core/mdns/dns/records.ts'
import { compareProbes, rdata, recordKey } from '../../../src/core/mdns/dns/records.ts'
import { recordsByType } from './tools/arbitrary.ts'

const name = 'x.local'
const { SRV, TXT, A, AAAA } = recordsByType({
  name: fc.constant(name),
  ttl: fc.constant(120),
  target: fc.stringMatching(/^[a-z]{1,9}\.local$/),
})
const record: fc.Arbitrary<ResourceRecord> = fc.oneof(SRV, TXT, A, AAAA)
const set = fc.uniqueArray(record, { selector: recordKey, minLength: 1, maxLength: 5 })
const a = (data: string): ResourceRecord => ({ name, ttl: 120, flush: false, type: 'A', data })

describe('rdata', () => {
  test('is the wire format', () => {
    expect(rdata({ type: 'PTR', data: 'a.bc' }).toString('latin1')).toBe('\x01a\x02bc\x00')
    expect([...rdata({ type: 'SRV', data: { priority: 1, weight: 2, port: 0x1234, target: 'h' } })]).toEqual([
      0, 1, 0, 2, 0x12, 0x34, 1, 104, 0,
    ])
    expect(rdata({ type: 'TXT', data: [Buffer.from('a=1'), Buffer.from('b')] }).toString('latin1')).toBe('\x03a=1\x01b')
    expect([...rdata({ type: 'A', data: '10.0.0.255' })]).toEqual([10, 0, 0, 255])
    expect(rdata({ type: 'AAAA', data: 'fe80::1:20' }).toString('hex')).toBe('fe800000000000000000000000010020')
    expect(rdata({ type: 'AAAA', data: '::' }).toString('hex')).toBe('0'.repeat(32))
    expect(rdata({ type: 'AAAA', data: '::ffff:10.0.0.1' }).toString('hex')).toBe(`${'0'.repeat(20)}ffff0a000001`)
  })

  test('of an empty TXT record is one empty string, in every form', () => {
    expect([...rdata({ type: 'TXT', data: [] })]).toEqual([0])
    expect([...rdata({ type: 'TXT', data: [new Uint8Array(0)] })]).toEqual([0])
  })

  test('of an address always has the length of an address', () => {
    fc.assert(fc.property(fc.ipV6(), (data) => rdata({ type: 'AAAA', data }).length === 16))
  })
})

describe('the key of a record', () => {
  test('ignores the case of names and the spelling of addresses', () => {
    const ptr = (data: string): ResourceRecord => ({ name: 'X.LOCAL', ttl: 1, flush: true, type: 'PTR', data })
    expect(recordKey(ptr('A.local'))).toBe(recordKey({ ...ptr('a.LOCAL'), name, ttl: 9 }))
    const aaaa = (data: string): ResourceRecord => ({ name, ttl: 1, flush: true, type: 'AAAA', data })
    expect(recordKey(aaaa('fe80:0::0001'))).toBe(recordKey(aaaa('FE80::1')))
    expect(recordKey(aaaa('fe80::2'))).not.toBe(recordKey(aaaa('fe80::1')))
  })
})

describe('simultaneous probes', () => {
  test('are compared as in the example of RFC 6762', () => {
    expect(compareProbes([a('169.254.99.200')], [a('169.254.200.50')])).toBeLessThan(0)
    expect(compareProbes([a('10.0.0.1')], [a('10.0.0.1'), a('10.0.0.2')])).toBeLessThan(0)
    expect(compareProbes([{ ...a('10.0.0.9') }], [{ name, ttl: 1, flush: false, type: 'TXT', data: [] }])).toBeLessThan(
      0,
    )
  })

  test('have one loser and one winner, unless they are equal', () => {
    fc.assert(
      fc.property(set, set, (one, other) => {
        const order = compareProbes(one, other)
        expect(Math.sign(compareProbes(other, one)) + Math.sign(order)).toBe(0)
        const keys = (records: ResourceRecord[]) => records.map(recordKey).sort()
        const isSame = JSON.stringify(keys(one)) === JSON.stringify(keys(other))
        expect(order === 0).toBe(isSame)
        expect(compareProbes(one, [...one].reverse())).toBe(0)
      }),
    )
  })

  test('of three hosts have a winner', () => {
    fc.assert(
      fc.property(set, set, set, (one, two, three) => {
        const [least, middle, most] = [one, two, three].sort(compareProbes)
        fc.pre(least !== undefined && middle !== undefined && most !== undefined)
        expect(compareProbes(least, middle)).toBeLessThanOrEqual(0)
        expect(compareProbes(middle, most)).toBeLessThanOrEqual(0)
        expect(compareProbes(least, most)).toBeLessThanOrEqual(0)
      }),
    )
  })
})
