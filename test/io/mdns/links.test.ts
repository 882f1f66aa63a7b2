import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Message } from '../../../src/core/mdns/dns/messages.ts'
import type { ResourceRecord } from '../../../src/core/mdns/dns/records.ts'
import { emptyPromise, manyLabels, pointerChain } from '../../core/mdns/tools/hostile.ts'
import { PACKETS, packet } from '../../core/mdns/tools/packets.ts'
import { message, nextTurn, Wire } from '../../core/mdns/tools/wire.ts'

const QUESTION = dnsPacket.encode({ type: 'query', questions: [{ name: '_http._tcp.local', type: 'PTR' }] })
const query = message({ questions: [{ name: '_http._tcp.local', type: 'PTR' }] })

const text = (record: ResourceRecord | undefined) =>
  record?.type === 'TXT' ? record.data.map((string) => Buffer.from(string).toString()) : undefined

test('reads what Avahi and zeroconf send', () => {
  const wire = new Wire()
  for (const name of Object.keys(PACKETS) as (keyof typeof PACKETS)[]) {
    expect(wire.receive(packet(name)), name).toBeDefined()
  }
  const avahi = wire.receive(packet('avahiService'))
  const office = 'Büro. 2._ipp._tcp.local'
  expect(avahi).toMatchObject({ kind: 'response', id: 0, truncated: false, questions: [], additionals: [] })
  expect(avahi?.answers).toMatchObject([
    { name: office, type: 'TXT', ttl: 4500, flush: true },
    { name: '_ipp._tcp.local', type: 'PTR', ttl: 4500, flush: false, data: office },
    { name: office, type: 'SRV', ttl: 120, flush: true, data: { port: 631, target: 'av-host.local' } },
    { name: 'av-host.local', type: 'AAAA', data: 'fe80::54b7:11ff:fe84:de95' },
    { name: 'av-host.local', type: 'A', data: '10.9.9.1' },
    { name: '_services._dns-sd._udp.local', type: 'PTR', data: '_ipp._tcp.local' },
    { name: '_printer._sub._ipp._tcp.local', type: 'PTR', data: office },
  ])
  expect(text(avahi?.answers[0])).toEqual(['rp=x', 'note=', 'flag'])
  expect(wire.receive(packet('avahiGoodbye'))?.answers.some(({ ttl }) => ttl === 0)).toBe(true)
  const zeroconf = wire.receive(packet('zeroconfService'))
  // Its NSEC is none of ours.
  expect(zeroconf?.answers.map(({ type }) => type)).toEqual(['PTR', 'SRV', 'TXT', 'A', 'AAAA'])
  expect(wire.receive(packet('zeroconfQuestions'))).toMatchObject({
    kind: 'query',
    questions: [
      { name: '_http._tcp.local', type: 'PTR' },
      { name: '_ipp._tcp.local', type: 'PTR', unicast: true },
    ],
    answers: [{ data: 'Office v1.5._http._tcp.local' }],
  })
  expect(wire.receive(packet('zeroconfProbe'))).toMatchObject({
    truncated: true,
    questions: [{ name: 'Office v1.5._http._tcp.local', type: 'ANY' }],
    authorities: [{ type: 'PTR' }, { type: 'SRV', data: { port: 8080 } }],
  })
  expect(wire.problems).toEqual([])
})

test('takes from outside the subnet what came to the group, and nothing that came to this machine alone', () => {
  const wire = new Wire()
  const stranger = { address: '169.254.29.54', onLink: false }
  expect(wire.receive(QUESTION, { ...stranger, path: 'multicast4' })).toBeDefined()
  expect(wire.receive(QUESTION, { ...stranger, path: 'unicast' })).toBeUndefined()
  expect(wire.links.dropsByReason['off-link']).toBe(1)
  expect(wire.receive(QUESTION, { path: 'unicast' })).toBeDefined()
})

test('sends to everyone by each IP version that is open, to one by its own', async () => {
  const wire = new Wire([
    { name: 'eth0', paths: ['multicast4', 'multicast6'] },
    { name: 'eth1', paths: ['broadcast', 'multicast4'] },
  ])
  for (const name of ['eth0', 'eth1', 'eth2']) wire.links.send({ interface: name, to: 'multicast', message: query })
  for (const address of ['192.0.2.1', 'fe80::1']) {
    const answer = message({ kind: 'response', id: 77, answers: [] })
    wire.links.send({ interface: 'eth0', to: { address, port: 40_000 }, message: answer })
  }
  await nextTurn()
  expect(wire.sent.map(({ interface: name, to }) => `${name} ${to}`)).toEqual([
    'eth0 multicast4',
    'eth0 multicast6',
    'eth1 multicast4',
    'eth0 192.0.2.1 40000',
    'eth0 fe80::1 40000',
  ])
  expect(wire.sent[0]?.bytes).toEqual(QUESTION)
  expect(dnsPacket.decode(wire.sent[3]?.bytes ?? Buffer.alloc(0))).toMatchObject({
    type: 'response',
    id: 77,
    flag_aa: true,
  })
  expect(wire.links.counters).toEqual({ received: 0, sent: 5, dropped: 0 })
})

test('interfaces come and go, and nothing is sent after close', async () => {
  const wire = new Wire()
  wire.links.setInterfaces([{ name: 'eth1', paths: ['multicast6'] }])
  expect(wire.receive(QUESTION)).toBeUndefined()
  expect(wire.receive(QUESTION, { interface: 'eth1', address: 'fe80::2' })).toBeDefined()
  wire.links.send({ interface: 'eth1', to: 'multicast', message: query })
  await wire.links.close()
  expect(wire.sent).toHaveLength(1)
  wire.links.send({ interface: 'eth1', to: 'multicast', message: query })
  await nextTurn()
  expect(wire.sent).toHaveLength(1)
  expect(wire.receive(QUESTION, { interface: 'eth1', address: 'fe80::2' })).toBeUndefined()
})

test('own messages that come back are dropped, equal ones of another program are not', async () => {
  const wire = new Wire([
    { name: 'eth0', paths: ['multicast4', 'multicast6'] },
    { name: 'eth1', paths: ['multicast4', 'multicast6'] },
  ])
  const own = { own: true, address: '192.168.1.5' }
  wire.links.send({ interface: 'eth0', to: 'multicast', message: query })
  await nextTurn()
  const bytes = wire.sent[0]?.bytes ?? Buffer.alloc(0)
  expect(wire.receive(bytes, own)).toBeUndefined()
  expect(wire.receive(bytes, { own: true, address: 'fe80::5' })).toBeUndefined()
  // Heard on another interface in the same network.
  expect(wire.receive(bytes, { ...own, interface: 'eth1' })).toBeUndefined()
  expect(wire.links.counters).toMatchObject({ received: 0, dropped: 0 })
  expect(wire.links.loopedBack).toBe(3)
  expect(wire.receive(bytes, own)).toBeDefined()
  wire.links.send({ interface: 'eth0', to: 'multicast', message: query })
  await nextTurn()
  expect(wire.receive(bytes, { address: '192.168.1.6' })).toBeDefined()
  wire.now += 2001
  expect(wire.receive(bytes, own)).toBeDefined()
})

test('what would cost too much is dropped before it is decoded', () => {
  const wire = new Wire()
  const foreign = Buffer.from(QUESTION)
  foreign.writeUInt16BE(0x2800, 2)
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(11), Buffer.alloc(9001)]) wire.receive(bytes)
  expect(wire.links.dropsByReason).toMatchObject({ size: 3 })
  expect(wire.receive(foreign)).toBeUndefined()
  expect(wire.links.dropsByReason).toMatchObject({ opcode: 1 })
  for (const bytes of [emptyPromise(), pointerChain(9000, 2200), pointerChain(1472, 350), manyLabels(9000, 126)]) {
    expect(wire.receive(bytes)).toBeUndefined()
  }
  expect(wire.links.dropsByReason).toMatchObject({ layout: 4 })
  expect(wire.links.counters).toMatchObject({ received: 8, dropped: 8 })
  expect(wire.receive(manyLabels(9000, 4))?.questions).toHaveLength(1496)
})

test('a probe for the reverse names of many IPv6 addresses is none of that', () => {
  const nibbles = Array.from({ length: 32 }, () => '1.').join('')
  const [first, ...others] = Array.from({ length: 12 }, (_, i) => 'abcdef012345'[i] ?? '')
  const whole = dnsPacket.encode({ questions: [{ name: `${first}.${nibbles.slice(2)}ip6.arpa`, type: 'PTR' }] })
  const more = others.map((digit) => Buffer.from(`\u0001${digit}\xc0\x0e\0\xff\0\x01`, 'latin1'))
  const record = Buffer.from('\xc0\x0c\0\x0c\0\x01\0\0\0\x78\0\x02\xc0\x0c', 'latin1')
  const bytes = Buffer.concat([whole, ...more, ...more.map(() => record)])
  bytes.writeUInt16BE(1 + more.length, 4)
  bytes.writeUInt16BE(more.length, 8)
  const { questions, authorities } = new Wire().receive(bytes) ?? {}
  expect(questions).toHaveLength(12)
  expect(questions?.[11]?.name).toMatch(/^5(\.1){31}\.ip6\.arpa$/)
  expect(authorities).toHaveLength(11)
})

test('one sender that sends too much is not decoded for a while, others are; it is told once', () => {
  const wire = new Wire()
  const answered = (count: number, address: string, bytes = QUESTION) =>
    Array.from({ length: count }, () => wire.receive(bytes, { address })).filter((one) => one !== undefined).length
  expect(answered(5000, '192.0.2.1')).toBe(1000)
  expect(answered(100, '192.0.2.2')).toBe(100)
  expect(wire.notices).toEqual([{ type: 'limit', limit: 'packets', most: 500 }])
  wire.now += 1000
  expect(answered(5000, '192.0.2.1')).toBe(500)
  // A large one counts for as many as would fill it.
  const large = Buffer.concat([QUESTION, Buffer.alloc(8900)])
  expect(answered(1000, '192.0.2.3', large)).toBe(166)
  wire.now += 10_000
  let all = 0
  for (let sender = 0; sender < 20; sender++) all += answered(2000, `192.0.2.1${sender}`)
  expect(all).toBe(8000)
  expect(wire.notices).toHaveLength(1)
  wire.now += 70_000
  answered(2000, '192.0.2.1')
  expect(wire.notices).toHaveLength(2)
})

test('a record that is not what its type says, or of another type, costs nobody else', () => {
  const wire = new Wire()
  const good = Buffer.from('\x01a\x05local\0\0\x01\0\x01\0\0\0x\0\x04\xc0\0\x02\x01', 'latin1')
  const record = (type: number, data: number[]) =>
    Buffer.from([1, 0x78, 0, type >> 8, type & 255, 0, 1, 0, 0, 0, 9, 0, data.length, ...data])
  const odd = [
    record(1, [1, 2, 3]),
    record(28, [1, 2, 3, 4]),
    record(12, []),
    record(12, [1, 0x79, 0, 0]),
    record(33, [0, 0, 0]),
    record(33, [0, 0, 0, 0, 0, 80, 1, 0x79]),
    record(16, [3, 0x61]),
    record(47, [0, 0, 200, 1]),
    record(41, [0, 4, 0, 200]),
    record(46, [1]),
    record(17, [5]),
    record(12, [0]),
    record(33, [0, 0, 0, 0, 0, 80, 0]),
  ]
  const bytes = Buffer.concat([Buffer.alloc(12), ...odd, good, record(16, [])])
  bytes.writeUInt16BE(0x8400, 2)
  bytes.writeUInt16BE(odd.length + 2, 6)
  const before = Buffer.from(bytes)
  expect(wire.receive(bytes)?.answers).toEqual([
    { name: 'a.local', type: 'A', ttl: 120, flush: false, data: '192.0.2.1' },
    { name: 'x', type: 'TXT', ttl: 9, flush: false, data: [] },
  ])
  expect(bytes).toEqual(before)
})

test('addresses are written as the system writes them; a TTL above all bounds is none', () => {
  const wire = new Wire()
  const bytes = dnsPacket.encode({
    type: 'response',
    answers: [
      { name: 'a.local', type: 'AAAA', ttl: 0xffffffff, data: '2001:0:0:1::e' },
      { name: 'a.local', type: 'A', class: 'CH', ttl: 1, data: '192.0.2.1' },
    ],
  })
  const { answers } = wire.receive(bytes) ?? {}
  expect(answers).toEqual([{ name: 'a.local', type: 'AAAA', ttl: 0, flush: false, data: '2001:0:0:1::e' }])
})

test('TXT strings hold no more memory than they need', () => {
  const [, , txt] = new Wire().receive(packet('zeroconfService'))?.answers ?? []
  if (txt?.type !== 'TXT') throw new Error('no TXT')
  expect(text(txt)).toEqual(['path=/', 'flag'])
  expect(txt.data[0]?.buffer.byteLength).toBe(10)
})

const names = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }).map((instance) => `${instance}._http._tcp.local`),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.constantFrom('.', '', 'Dr. Smith._http._tcp.local', 'host.local', '\ud800._http._tcp.local', '\n.\n.local'),
)
const numbers = fc.oneof(fc.nat(70_000), fc.integer(), fc.double())
const records: fc.Arbitrary<ResourceRecord> = fc
  .record({ name: names, ttl: fc.oneof(fc.constant(120), numbers), flush: fc.boolean() })
  .chain((common) =>
    fc.oneof(
      names.map((data) => ({ ...common, type: 'PTR' as const, data })),
      fc
        .record({ priority: numbers, weight: numbers, port: numbers, target: names })
        .map((data) => ({ ...common, type: 'SRV' as const, data })),
      fc
        .array(fc.uint8Array({ maxLength: 260 }), { maxLength: 4 })
        .map((data) => ({ ...common, type: 'TXT' as const, data })),
      fc
        .record({ type: fc.constantFrom('A' as const, 'AAAA' as const), data: fc.oneof(fc.ipV4(), fc.ipV6(), names) })
        .map((address) => ({ ...common, ...address })),
    ),
  )
const list = fc.array(records, { maxLength: 4 })
const messages: fc.Arbitrary<Message> = fc.record({
  kind: fc.constantFrom('query' as const, 'response' as const),
  id: fc.nat(65_535),
  truncated: fc.boolean(),
  questions: fc.array(fc.record({ name: names, type: fc.constantFrom('PTR' as const, 'ANY' as const) }), {
    maxLength: 4,
  }),
  answers: list,
  authorities: list,
  additionals: list,
})

// The library encodes in a turn of its own: what it threw there would fail this file as an uncaught exception.
test('whatever is to be sent, nothing is thrown, and what is sent is read again', async () => {
  await fc.assert(
    fc.asyncProperty(messages, async (one) => {
      const wire = new Wire([{ name: 'eth0', paths: ['multicast4'] }])
      wire.links.send({ interface: 'eth0', to: 'multicast', message: one })
      await nextTurn()
      expect(wire.problems).toEqual([])
      const [sent] = wire.sent
      if (sent === undefined) throw new Error('not sent')
      const read = wire.receive(sent.bytes)
      if (read === undefined) throw new Error('not read')
      expect(read).toMatchObject({ kind: one.kind, id: one.id, truncated: one.truncated })
      // Half of a surrogate pair cannot be written in UTF-8.
      const said = new Set(one.answers.map(({ name }) => Buffer.from(name).toString()))
      for (const { name } of read.answers) expect(said).toContain(name)
    }),
    { numRuns: 500 },
  )
})
