import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ResourceRecord } from '../../../src/core/mdns/dns/records.ts'
import { compressNames } from '../../../src/io/mdns/name-encoding.ts'
import { packetFromMessage } from '../../../src/io/mdns/packet-conversion.ts'
import { encoded, whole } from '../../core/mdns/tools/encoded.ts'
import { message } from '../../core/mdns/tools/transport-harness.ts'

const common = { ttl: 120, flush: true }
const name = 'Office._ipp._tcp.local'
const OFFICE: ResourceRecord[] = [
  { ...common, name: '_ipp._tcp.local', type: 'PTR', data: name },
  { ...common, name, type: 'SRV', data: { priority: 0, weight: 0, port: 631, target: 'k3vq7m2xa4.local' } },
  { ...common, name, type: 'TXT', data: [Buffer.from('ipp.local=1')] },
  { ...common, name: 'k3vq7m2xa4.local', type: 'A', data: '192.168.1.5' },
  { ...common, name: 'k3vq7m2xa4.local', type: 'NSEC', data: ['A'] },
]

test('names that occur before are replaced by pointers and read the same', () => {
  const question = { name: '_ipp._tcp.local', type: 'PTR' as const }
  const response = message({ kind: 'response', questions: [question], answers: OFFICE })
  const [long, short] = [whole(response), encoded(response)]
  expect(dnsPacket.decode(short)).toEqual(dnsPacket.decode(long))
  expect([long.length, short.length]).toEqual([269, 142])
})

test('a dot inside a label does not end the label', () => {
  const names = ['v1.5._ipp._tcp.local', '5._ipp._tcp.local']
  const answers: ResourceRecord[] = names.map((each) => ({ ...common, name: each, type: 'TXT', data: [] }))
  const bytes = encoded(message({ kind: 'response', answers }))
  expect(bytes.indexOf(Buffer.from('\u00045._ipp'))).toBe(-1)
  expect(bytes.includes(Buffer.from('\u00015\u00c0', 'latin1'))).toBe(true)
})

test('names keep their case', () => {
  const answers: ResourceRecord[] = ['a.LOCAL', 'b.local'].map((each) => ({
    ...common,
    name: each,
    type: 'TXT',
    data: [],
  }))
  expect(dnsPacket.decode(encoded(message({ kind: 'response', answers }))).answers?.map((each) => each.name)).toEqual([
    'a.LOCAL',
    'b.local',
  ])
})

test('any compressed message reads the same as the uncompressed one and is not longer', () => {
  const label = fc.oneof(fc.constantFrom('a', 'b', '_http', 'local'), fc.stringMatching(/^[a-z]{1,63}$/))
  const anyName = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'))
  const record: fc.Arbitrary<ResourceRecord> = fc.oneof(
    fc.record({ name: anyName, ttl: fc.nat(), flush: fc.boolean(), type: fc.constant('PTR' as const), data: anyName }),
    fc.record({
      name: anyName,
      ttl: fc.nat(),
      flush: fc.boolean(),
      type: fc.constant('SRV' as const),
      data: fc.record({ priority: fc.nat(9), weight: fc.nat(9), port: fc.nat(65_535), target: anyName }),
    }),
    fc.record({
      name: anyName,
      ttl: fc.nat(),
      flush: fc.boolean(),
      type: fc.constant('TXT' as const),
      data: fc.array(fc.uint8Array({ maxLength: 255 }), { maxLength: 20 }),
    }),
  )
  const records = fc.array(record, { maxLength: 40 })
  fc.assert(
    fc.property(records, records, (answers, additionals) => {
      const bytes = dnsPacket.encode(packetFromMessage(message({ kind: 'response', answers, additionals })))
      const short = compressNames(bytes)
      expect(short.length).toBeLessThanOrEqual(bytes.length)
      expect(dnsPacket.decode(short)).toEqual(dnsPacket.decode(bytes))
    }),
    { numRuns: 300 },
  )
})
