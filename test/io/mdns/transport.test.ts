import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Message } from '../../../src/core/mdns/dns/messages.ts'
import type { ResourceRecord } from '../../../src/core/mdns/dns/records.ts'
import { emptyPromise, manyLabels, pointerChain } from '../../core/mdns/tools/hostile.ts'
import { PACKETS, packet } from '../../core/mdns/tools/packets.ts'
import { message, nextTurn, TransportHarness } from '../../core/mdns/tools/transport-harness.ts'

const QUESTION = dnsPacket.encode({ type: 'query', questions: [{ name: '_http._tcp.local', type: 'PTR' }] })
const query = message({ questions: [{ name: '_http._tcp.local', type: 'PTR' }] })

const text = (record: ResourceRecord | undefined) =>
  record?.type === 'TXT' ? record.data.map((string) => Buffer.from(string).toString()) : undefined

test('reads messages from Avahi and zeroconf', () => {
  const harness = new TransportHarness()
  for (const name of Object.keys(PACKETS) as (keyof typeof PACKETS)[]) {
    expect(harness.receive(packet(name)), name).toBeDefined()
  }
  const avahi = harness.receive(packet('avahiService'))
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
  expect(harness.receive(packet('avahiGoodbye'))?.answers.some(({ ttl }) => ttl === 0)).toBe(true)
  const zeroconf = harness.receive(packet('zeroconfService'))
  // Without its NSEC record.
  expect(zeroconf?.answers.map(({ type }) => type)).toEqual(['PTR', 'SRV', 'TXT', 'A', 'AAAA'])
  expect(harness.receive(packet('zeroconfQuestions'))).toMatchObject({
    kind: 'query',
    questions: [
      { name: '_http._tcp.local', type: 'PTR' },
      { name: '_ipp._tcp.local', type: 'PTR', unicast: true },
    ],
    answers: [{ data: 'Office v1.5._http._tcp.local' }],
  })
  expect(harness.receive(packet('zeroconfProbe'))).toMatchObject({
    truncated: true,
    questions: [{ name: 'Office v1.5._http._tcp.local', type: 'ANY' }],
    authorities: [{ type: 'PTR' }, { type: 'SRV', data: { port: 8080 } }],
  })
  expect(harness.problems).toEqual([])
})

test('accepts multicast from outside the subnet, but no unicast', () => {
  const harness = new TransportHarness()
  const stranger = { address: '169.254.29.54', onLink: false }
  expect(harness.receive(QUESTION, { ...stranger, path: 'multicast4' })).toBeDefined()
  expect(harness.receive(QUESTION, { ...stranger, path: 'unicast' })).toBeUndefined()
  expect(harness.transport.dropsByReason['off-link']).toBe(1)
  expect(harness.receive(QUESTION, { path: 'unicast' })).toBeDefined()
})

test('sends multicast over each open IP version, and unicast over one', async () => {
  const harness = new TransportHarness([
    { name: 'eth0', paths: ['multicast4', 'multicast6'] },
    { name: 'eth1', paths: ['broadcast', 'multicast4'] },
  ])
  for (const name of ['eth0', 'eth1', 'eth2'])
    harness.transport.send({ interface: name, to: 'multicast', message: query })
  for (const address of ['192.0.2.1', 'fe80::1']) {
    const answer = message({ kind: 'response', id: 77, answers: [] })
    harness.transport.send({ interface: 'eth0', to: { address, port: 40_000 }, message: answer })
  }
  await nextTurn()
  expect(harness.sent.map(({ interface: name, to }) => `${name} ${to}`)).toEqual([
    'eth0 multicast4',
    'eth0 multicast6',
    'eth1 multicast4',
    'eth0 192.0.2.1 40000',
    'eth0 fe80::1 40000',
  ])
  expect(harness.sent[0]?.bytes).toEqual(QUESTION)
  expect(dnsPacket.decode(harness.sent[3]?.bytes ?? Buffer.alloc(0))).toMatchObject({
    type: 'response',
    id: 77,
    flag_aa: true,
  })
  expect(harness.transport.counters).toEqual({ received: 0, sent: 5, dropped: 0 })
})

test('follows the interfaces, and sends nothing after close', async () => {
  const harness = new TransportHarness()
  harness.transport.setInterfaces([{ name: 'eth1', paths: ['multicast6'] }])
  expect(harness.receive(QUESTION)).toBeUndefined()
  expect(harness.receive(QUESTION, { interface: 'eth1', address: 'fe80::2' })).toBeDefined()
  harness.transport.send({ interface: 'eth1', to: 'multicast', message: query })
  await harness.transport.close()
  expect(harness.sent).toHaveLength(1)
  harness.transport.send({ interface: 'eth1', to: 'multicast', message: query })
  await nextTurn()
  expect(harness.sent).toHaveLength(1)
  expect(harness.receive(QUESTION, { interface: 'eth1', address: 'fe80::2' })).toBeUndefined()
})

test('reports each problem once, and sixteen of them', () => {
  const harness = new TransportHarness()
  for (let round = 0; round < 2; round++) {
    for (let number = 0; number < 20; number++) harness.transport.failed(new Error(`problem ${number}`))
  }
  expect(harness.problems.map(({ message: text }) => text)).toEqual(
    Array.from({ length: 16 }, (_, number) => `problem ${number}`),
  )
})

test('remembers the last 512 messages that it has sent', async () => {
  const harness = new TransportHarness([{ name: 'eth0', paths: ['multicast4'] }])
  const named = (number: number) =>
    message({ questions: [{ ...query.questions[0], name: `n${number}.local` } as never] })
  for (let number = 0; number <= 512; number++) {
    harness.transport.send({ interface: 'eth0', to: 'multicast', message: named(number) })
  }
  await nextTurn()
  const own = { own: true, address: '192.168.1.5' }
  const [first, second] = harness.sent
  if (!first || !second) throw new Error('nothing was sent')
  expect(harness.sent).toHaveLength(513)
  expect(harness.receive(first.bytes, own)).toBeDefined()
  expect(harness.receive(second.bytes, own)).toBeUndefined()
})

test('drops own messages that loop back, but not equal ones of another program', async () => {
  const harness = new TransportHarness([
    { name: 'eth0', paths: ['multicast4', 'multicast6'] },
    { name: 'eth1', paths: ['multicast4', 'multicast6'] },
  ])
  const own = { own: true, address: '192.168.1.5' }
  harness.transport.send({ interface: 'eth0', to: 'multicast', message: query })
  await nextTurn()
  const bytes = harness.sent[0]?.bytes ?? Buffer.alloc(0)
  expect(harness.receive(bytes, own)).toBeUndefined()
  expect(harness.receive(bytes, { own: true, address: 'fe80::5' })).toBeUndefined()
  // Received on another interface in the same network.
  expect(harness.receive(bytes, { ...own, interface: 'eth1' })).toBeUndefined()
  expect(harness.transport.counters).toMatchObject({ received: 0, dropped: 0 })
  expect(harness.transport.loopedBack).toBe(3)
  expect(harness.receive(bytes, own)).toBeDefined()
  harness.transport.send({ interface: 'eth0', to: 'multicast', message: query })
  await nextTurn()
  expect(harness.receive(bytes, { address: '192.168.1.6' })).toBeDefined()
  harness.now += 2001
  expect(harness.receive(bytes, own)).toBeDefined()
})

test('drops messages that are too expensive before decoding them', () => {
  const harness = new TransportHarness()
  const foreign = Buffer.from(QUESTION)
  foreign.writeUInt16BE(0x2800, 2)
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(11), Buffer.alloc(9001)]) harness.receive(bytes)
  expect(harness.transport.dropsByReason).toMatchObject({ size: 3 })
  expect(harness.receive(foreign)).toBeUndefined()
  expect(harness.transport.dropsByReason).toMatchObject({ opcode: 1 })
  for (const bytes of [emptyPromise(), pointerChain(9000, 2200), pointerChain(1472, 350), manyLabels(9000, 126)]) {
    expect(harness.receive(bytes)).toBeUndefined()
  }
  expect(harness.transport.dropsByReason).toMatchObject({ layout: 4 })
  expect(harness.transport.counters).toMatchObject({ received: 8, dropped: 8 })
  expect(harness.receive(manyLabels(9000, 4))?.questions).toHaveLength(1496)
})

test('accepts a probe for the reverse names of many IPv6 addresses', () => {
  const nibbles = Array.from({ length: 32 }, () => '1.').join('')
  const [first, ...others] = Array.from({ length: 12 }, (_, i) => 'abcdef012345'[i] ?? '')
  const whole = dnsPacket.encode({ questions: [{ name: `${first}.${nibbles.slice(2)}ip6.arpa`, type: 'PTR' }] })
  const more = others.map((digit) => Buffer.from(`\u0001${digit}\xc0\x0e\0\xff\0\x01`, 'latin1'))
  const record = Buffer.from('\xc0\x0c\0\x0c\0\x01\0\0\0\x78\0\x02\xc0\x0c', 'latin1')
  const bytes = Buffer.concat([whole, ...more, ...more.map(() => record)])
  bytes.writeUInt16BE(1 + more.length, 4)
  bytes.writeUInt16BE(more.length, 8)
  const { questions, authorities } = new TransportHarness().receive(bytes) ?? {}
  expect(questions).toHaveLength(12)
  expect(questions?.[11]?.name).toMatch(/^5(\.1){31}\.ip6\.arpa$/)
  expect(authorities).toHaveLength(11)
})

test('limits the messages of one sender but not of others, and reports that once', () => {
  const harness = new TransportHarness()
  const answered = (count: number, address: string, bytes = QUESTION) =>
    Array.from({ length: count }, () => harness.receive(bytes, { address })).filter((one) => one !== undefined).length
  expect(answered(5000, '192.0.2.1')).toBe(1000)
  expect(answered(100, '192.0.2.2')).toBe(100)
  expect(harness.notices).toEqual([{ type: 'limit', limit: 'packets', most: 500 }])
  harness.now += 1000
  expect(answered(5000, '192.0.2.1')).toBe(500)
  // A large message counts as several.
  const large = Buffer.concat([QUESTION, Buffer.alloc(8900)])
  expect(answered(1000, '192.0.2.3', large)).toBe(166)
  harness.now += 10_000
  let all = 0
  for (let sender = 0; sender < 20; sender++) all += answered(2000, `192.0.2.1${sender}`)
  expect(all).toBe(8000)
  expect(harness.notices).toHaveLength(1)
  harness.now += 70_000
  answered(2000, '192.0.2.1')
  expect(harness.notices).toHaveLength(2)
})

test('skips records of other types and with invalid data, and keeps the others', () => {
  const harness = new TransportHarness()
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
  expect(harness.receive(bytes)?.answers).toEqual([
    { name: 'a.local', type: 'A', ttl: 120, flush: false, data: '192.0.2.1' },
    { name: 'x', type: 'TXT', ttl: 9, flush: false, data: [] },
  ])
  expect(bytes).toEqual(before)
})

test('formats addresses as the system does, and treats a TTL above the maximum as 0', () => {
  const harness = new TransportHarness()
  const bytes = dnsPacket.encode({
    type: 'response',
    answers: [
      { name: 'a.local', type: 'AAAA', ttl: 0xffffffff, data: '2001:0:0:1::e' },
      { name: 'a.local', type: 'A', class: 'CH', ttl: 1, data: '192.0.2.1' },
    ],
  })
  const { answers } = harness.receive(bytes) ?? {}
  expect(answers).toEqual([{ name: 'a.local', type: 'AAAA', ttl: 0, flush: false, data: '2001:0:0:1::e' }])
})

test('TXT strings use no more memory than they need', () => {
  const [, , txt] = new TransportHarness().receive(packet('zeroconfService'))?.answers ?? []
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

// The library encodes in a later turn: an exception there would fail this file as uncaught.
test('any message can be sent without an exception, and what is sent can be read', async () => {
  await fc.assert(
    fc.asyncProperty(messages, async (one) => {
      const harness = new TransportHarness([{ name: 'eth0', paths: ['multicast4'] }])
      harness.transport.send({ interface: 'eth0', to: 'multicast', message: one })
      await nextTurn()
      expect(harness.problems).toEqual([])
      const [sent] = harness.sent
      if (sent === undefined) throw new Error('not sent')
      const read = harness.receive(sent.bytes)
      if (read === undefined) throw new Error('not read')
      expect(read).toMatchObject({ kind: one.kind, id: one.id, truncated: one.truncated })
      // Half of a surrogate pair cannot be encoded in UTF-8.
      const said = new Set(one.answers.map(({ name }) => Buffer.from(name).toString()))
      for (const { name } of read.answers) expect(said).toContain(name)
    }),
    { numRuns: 500 },
  )
})
