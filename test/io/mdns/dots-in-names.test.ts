import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hideDots, isSendable, restoreDots } from '../../../src/io/mdns/name-encoding.ts'

/** The labels of the name at an offset in the bytes. */
function labelsAt(bytes: Buffer, start: number): string[] {
  const labels: string[] = []
  for (let at = start, length = bytes[at] ?? 0; length > 0; at += length + 1, length = bytes[at] ?? 0) {
    labels.push(bytes.toString('utf8', at + 1, at + 1 + length))
  }
  return labels
}

function encode(name: string): Buffer {
  const bytes = dnsPacket.encode({ type: 'query', questions: [{ name: hideDots(name), type: 'SRV' }] })
  restoreDots(bytes)
  return bytes
}

test.each([
  ['Dr. Smith v1.5._http._tcp.local', ['Dr. Smith v1.5', '_http', '_tcp', 'local']],
  ['.hidden.._osc._udp.local', ['.hidden.', '_osc', '_udp', 'local']],
  ['a._b._tcp.local._http._TCP.Local', ['a._b._tcp.local', '_http', '_TCP', 'Local']],
  ['v1.5._sub._http._tcp.local', ['v1.5', '_sub', '_http', '_tcp', 'local']],
  ['_printer._sub._http._tcp.local', ['_printer', '_sub', '_http', '_tcp', 'local']],
  ['_services._dns-sd._udp.local', ['_services', '_dns-sd', '_udp', 'local']],
  ['_http._tcp.local', ['_http', '_tcp', 'local']],
  ['a.host.local', ['a', 'host', 'local']],
  ['1.0.168.192.in-addr.arpa', ['1', '0', '168', '192', 'in-addr', 'arpa']],
])('%s is sent with the labels that it has', (name, labels) => {
  const bytes = encode(name)
  expect(labelsAt(bytes, 12)).toEqual(labels)
  expect(dnsPacket.decode(bytes).questions?.[0]?.name).toBe(name)
})

test('dots are restored in owners, PTR and SRV, and nothing else changes', () => {
  const name = 'Dr. Smith._http._tcp.local'
  const txt = Buffer.from('x=\u001a.')
  const bytes = dnsPacket.encode({
    type: 'response',
    answers: [
      { name: '_http._tcp.local', type: 'PTR', ttl: 26, data: hideDots(name) },
      { name: hideDots(name), type: 'TXT', ttl: 26, data: [txt] },
      { name: hideDots(name), type: 'SRV', ttl: 26, data: { port: 26, target: hideDots('b.c._x._udp.local') } },
      { name: 'host.local', type: 'A', ttl: 26, data: '26.26.26.26' },
    ],
  })
  restoreDots(bytes)
  expect(dnsPacket.decode(bytes).answers).toMatchObject([
    { ttl: 26, data: name },
    { name, data: [txt] },
    { name, data: { port: 26, target: 'b.c._x._udp.local' } },
    { ttl: 26, data: '26.26.26.26' },
  ])
  expect(labelsAt(bytes, 12 + 18 + 10)).toEqual(['Dr. Smith', '_http', '_tcp', 'local'])
})

test('any sendable name reads as it was written', () => {
  const part = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 70 }), fc.constantFrom('.', '\n', '\u001a', 'a.b'))
  const names = fc.oneof(
    fc.array(part, { maxLength: 6 }).map((parts) => `${parts.join('')}._http._tcp.local`),
    fc.array(part, { maxLength: 6 }).map((parts) => parts.join('.')),
  )
  fc.assert(
    fc.property(names, (name) => {
      if (!isSendable(name)) return
      expect(dnsPacket.decode(encode(name)).questions?.[0]?.name).toBe(name)
    }),
    { numRuns: 2000 },
  )
})

test('names that dns-packet would change are not sendable', () => {
  for (const name of [
    '',
    '.',
    'a..local',
    `${'x'.repeat(64)}._http._tcp.local`,
    `${'ü'.repeat(32)}.local`,
    'a\u001a.b',
  ]) {
    expect(isSendable(name)).toBe(false)
  }
  const label = 'x'.repeat(63)
  expect(isSendable([label, label, label, 'y'.repeat(61)].join('.'))).toBe(true)
  expect(isSendable([label, label, label, 'y'.repeat(62)].join('.'))).toBe(false)
})
