import dnsPacket, { type Packet } from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TransportHarness } from '../../core/mdns/tools/transport-harness.ts'

const ANSWERS: Packet['answers'] = [
  { name: '_http._tcp.local', type: 'PTR', ttl: 4500, data: 'Office._http._tcp.local' },
  { name: 'Office._http._tcp.local', type: 'SRV', ttl: 120, data: { port: 80, target: 'office.local' } },
  { name: 'Office._http._tcp.local', type: 'TXT', ttl: 4500, data: ['x=1'] },
  { name: 'office.local', type: 'A', ttl: 120, data: '10.0.0.9' },
]
const WHOLE = dnsPacket.encode({ type: 'response', answers: ANSWERS })
const TYPES = ['PTR', 'SRV', 'TXT', 'A']

/** Appends another record to the message. */
function plus(record: Buffer, section = 6): Buffer {
  const bytes = Buffer.concat([WHOLE, record])
  bytes.writeUInt16BE(bytes.readUInt16BE(section) + 1, section)
  return bytes
}

function typesOf(bytes: Buffer): string[] | undefined {
  const harness = new TransportHarness()
  const message = harness.receive(bytes)
  expect(harness.problems).toEqual([])
  return message && [...message.answers, ...message.authorities, ...message.additionals].map(({ type }) => type)
}

describe('the complete records of a malformed response are read', () => {
  it.each([
    ['that declares one record too many', plus(Buffer.alloc(0))],
    ['that declares one additional record too many', plus(Buffer.alloc(0), 10)],
    ['whose last record is cut off', plus(Buffer.from('\u0003esp\0\0\x0d\0\x01\0\0\0\x78\0\x08\x03ESP', 'latin1'))],
    ['whose last name is cut off', plus(Buffer.from('\u0009esp', 'latin1'))],
    ['whose last name points forward', plus(Buffer.from('\xff\xff\0\x01\0\x01\0\0\0\x78\0\x04\x0a\0\0\x09', 'latin1'))],
    ['whose last record lacks one byte', plus(Buffer.from('0000001c8001000000780010fe80', 'hex'))],
    ['with more behind its end', Buffer.concat([WHOLE, Buffer.from('garbage')])],
    ['with an invalid name in its data', plus(Buffer.from('0000210001000000780008000000000050ffff', 'hex'))],
  ])('%s', (_, bytes) => {
    expect(typesOf(bytes)).toEqual(TYPES)
  })

  it('if it is cut off anywhere', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: WHOLE.length }), (length) => {
        const types = typesOf(WHOLE.subarray(0, length))
        if (types) expect(TYPES.slice(0, types.length)).toEqual(types)
        // Each record is smaller than 70 bytes.
        expect((types ?? []).length).toBeGreaterThanOrEqual(Math.floor((length - 12) / 70))
      }),
    )
  })
})

describe('nothing is read', () => {
  it('of a response without a complete record', () => {
    expect(typesOf(WHOLE.subarray(0, 40))).toBeUndefined()
  })

  it('of a query that is cut off, because known answers may be missing', () => {
    const query = dnsPacket.encode({ questions: [{ name: '_http._tcp.local', type: 'PTR' }], answers: ANSWERS })
    expect(typesOf(query)).toEqual(TYPES)
    expect(typesOf(query.subarray(0, -1))).toBeUndefined()
  })
})
