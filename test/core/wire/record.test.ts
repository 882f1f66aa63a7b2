import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode, encode } from '../../../src/core/wire/codec.ts'
import { decodeDigest, encodeDigest } from '../../../src/core/wire/hash-chain.ts'
import { createIdentity, signRecordBytes } from '../../../src/core/wire/identity.ts'
import { KEY_AND_SIGNATURE_BYTES, MAX_DATAGRAM_BYTES, MAX_RECORD_BYTES } from '../../../src/core/wire/messages.ts'
import { Reassembly } from '../../../src/core/wire/reassembly.ts'
import {
  InvalidRecord,
  type SignedRecord,
  signRecord,
  splitRecord,
  verifyRecord,
} from '../../../src/core/wire/record.ts'
import type { PeerRecord } from '../../../src/core/wire/record-schema.ts'
import { record as anyRecord } from './arbitrary.ts'

// vectors/refused-records.json covers the limits of single members. These tests cover all records.
const identity = createIdentity()
const record: PeerRecord = {
  name: 'böse',
  hostname: 'host',
  addresses: ['192.0.2.1'],
  interval: 1000,
  services: [],
  attributes: { kind: 'test' },
  version: 'earshot/0.1.0',
  anchor: { sequence: 0, value: encodeDigest(new Uint8Array(16)) },
  goodbye: encodeDigest(new Uint8Array(16).fill(255)),
}
const sealed = signRecord(identity, 3, 4, record)

/** Signs a text, valid or not. */
function signed(json: string | Uint8Array): SignedRecord {
  const bytes = Buffer.from(json)
  const joined = Buffer.concat([identity.publicKey, signRecordBytes(identity, 3, 4, bytes), bytes])
  return { id: identity.id, incarnation: 3, recordVersion: 4, joined }
}

/** Sends a record through the codec and back. */
function sent({ joined, ...header }: SignedRecord): SignedRecord {
  const parts = splitRecord(joined)
  const reassembly = new Reassembly()
  for (const [part, bytes] of parts.entries()) {
    const datagram = encode({
      type: 'record',
      path: 'unicast',
      sequence: 0,
      ...header,
      part,
      parts: parts.length,
      bytes,
    })
    expect(datagram.length).toBeLessThanOrEqual(MAX_DATAGRAM_BYTES)
    const heard = decode(datagram)
    if (typeof heard === 'string' || heard.type !== 'record') throw new Error('not heard')
    const result = reassembly.add(heard, '192.0.2.1', 0)
    if (typeof result === 'object') return result
  }
  throw new Error('not whole')
}

describe('a record', () => {
  it('is read as it was signed', () => {
    fc.assert(
      fc.property(anyRecord, fc.nat({ max: 0xffffffff }), fc.nat({ max: 0xffffffff }), (any, incarnation, version) => {
        const whole = sent(signRecord(identity, incarnation, version, any))
        expect(whole).toMatchObject({ id: identity.id, incarnation, recordVersion: version })
        expect(verifyRecord(whole)).toEqual(JSON.parse(JSON.stringify(any)))
      }),
      { numRuns: 300 },
    )
  })

  it('is refused if any byte is changed', () => {
    fc.assert(
      fc.property(fc.nat({ max: sealed.joined.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const joined = Uint8Array.from(sealed.joined)
        joined[at] = (joined[at] ?? 0) ^ flip
        expect(verifyRecord({ ...sealed, joined })).toBe(at < 32 ? 'bad-identity' : 'bad-signature')
      }),
      { numRuns: 300 },
    )
  })

  it('is refused with the id, version or incarnation of another record', () => {
    const other = createIdentity()
    expect(verifyRecord({ ...sealed, id: other.id })).toBe('bad-identity')
    expect(verifyRecord({ ...sealed, recordVersion: 5 })).toBe('bad-signature')
    expect(verifyRecord({ ...sealed, incarnation: 4 })).toBe('bad-signature')
    const stolen = Buffer.concat([other.publicKey, sealed.joined.subarray(32)])
    expect(verifyRecord({ ...sealed, id: other.id, joined: stolen })).toBe('bad-signature')
  })

  it('is refused if it is cut or extended', () => {
    for (const length of [0, 31, 32, 95, KEY_AND_SIGNATURE_BYTES, sealed.joined.length - 1]) {
      expect(verifyRecord({ ...sealed, joined: sealed.joined.subarray(0, length) })).toMatch(
        /^bad-(identity|signature)$/,
      )
    }
    expect(verifyRecord({ ...sealed, joined: Buffer.concat([sealed.joined, Buffer.from(' ')]) })).toBe('bad-signature')
  })

  it('may have 16 KiB and not one byte more', () => {
    const room = MAX_RECORD_BYTES - Buffer.byteLength(JSON.stringify({ ...record, padding: '' }))
    const largest = { ...record, padding: 'p'.repeat(room) }
    expect(verifyRecord(sent(signRecord(identity, 3, 4, largest)))).toEqual(record)
    const larger = { ...record, padding: 'p'.repeat(room + 1) }
    expect(() => signRecord(identity, 3, 4, larger)).toThrow(
      new InvalidRecord('the record has 16385 bytes, and the limit is 16384', 16385),
    )
    expect(verifyRecord(sent(signed(JSON.stringify(larger))))).toBe('bad-record')
  })

  it('may be any JSON text with the same content: white space, order, escapes, unknown members', () => {
    const { name, ...rest } = record
    const text = JSON.stringify({ ...rest, later: { a: [null, {}] }, name }, null, '\t').replace('ö', '\\u00f6')
    expect(verifyRecord(signed(text))).toEqual(record)
  })

  it('may have unknown members in every object, which are dropped', () => {
    const service = { id: 'a', name: 'a', type: '_a._tcp', port: 1, txt: {}, subtypes: [] }
    const known = { ...record, services: [service] }
    const more = { ...known, services: [{ ...service, weight: [3] }], anchor: { ...record.anchor, more: { a: true } } }
    expect(verifyRecord(signed(JSON.stringify(more)))).toEqual(known)
  })

  it('does not change any prototype', () => {
    const text = JSON.stringify(record).replace('{', '{"__proto__":{"polluted":true},"constructor":{"prototype":{}},')
    const opened = verifyRecord(signed(text))
    expect(opened).toMatchObject({ name: record.name })
    expect(Object.getPrototypeOf(opened)).toBe(Object.prototype)
    expect(Object.hasOwn({}, 'polluted') || 'polluted' in {}).toBe(false)
    for (const members of ['"attributes":{"__proto__":"x"', '"attributes":{"__proto__":1,"a":2']) {
      expect(verifyRecord(signed(JSON.stringify(record).replace('"attributes":{"kind":"test"', members)))).toBe(
        'bad-record',
      )
    }
    const inherited = `{"__proto__":${JSON.stringify(record)}}`
    expect(verifyRecord(signed(inherited))).toBe('bad-record')
  })

  it('has no control character in any text that is shown to people', () => {
    const service = { id: 'a', name: 'a', type: '_a._tcp', port: 1, txt: {}, subtypes: [] as string[] }
    for (const control of ['\0', '\n', '\r', '\t', '\u001b', '\u007f', '\u0085', '\u009b']) {
      const text = `a${control}b`
      for (const members of [
        { name: text },
        { hostname: text },
        { version: text },
        { services: [{ ...service, name: text }] },
        { services: [{ ...service, id: text }] },
        { services: [{ ...service, type: `_a._tcp${control}` }] },
        { services: [{ ...service, subtypes: [text] }] },
        { services: [{ ...service, txt: { [text]: '' } }] },
        { attributes: { [text]: '' } },
        { addresses: [text] },
      ]) {
        expect(verifyRecord(signed(JSON.stringify({ ...record, ...members })))).toBe('bad-record')
      }
    }
  })

  it('never throws for signed random data', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json().map(Buffer.from), fc.uint8Array({ maxLength: 200 })), (bytes) => {
        expect(verifyRecord(signed(bytes))).toBe('bad-record')
      }),
      { numRuns: 300 },
    )
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(record)), fc.jsonValue(), (member, value) => {
        const opened = verifyRecord(signed(JSON.stringify({ ...record, [member]: value })))
        expect(typeof opened === 'object' || opened === 'bad-record').toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

it('writes digests in 22 characters', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      expect(encodeDigest(bytes)).toMatch(/^[A-Za-z0-9_-]{22}$/)
      expect(Buffer.compare(decodeDigest(encodeDigest(bytes)), bytes)).toBe(0)
    }),
  )
})
