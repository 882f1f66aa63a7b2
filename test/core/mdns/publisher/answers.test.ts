import { describe, expect, test } from 'vitest'
import type { Message } from '../../../../src/core/mdns/dns/messages.ts'
import type { ResourceRecord } from '../../../../src/core/mdns/dns/records.ts'
import { lines, type SimulatedHost, Simulation, service } from './simulation.ts'

const PTR: ResourceRecord = {
  name: '_http._tcp.local',
  type: 'PTR',
  ttl: 4500,
  flush: false,
  data: 'Shop._http._tcp.local',
}
const BROWSE = [{ name: '_http._tcp.local', type: 'PTR' as const }]
const RESOLVE = [{ name: 'Shop._http._tcp.local', type: 'SRV' as const }]

/** A host whose services were published long ago. */
function published(...names: string[]): { simulation: Simulation; host: SimulatedHost } {
  const simulation = new Simulation()
  const host = simulation.host(names.map((name) => service(name, { subtypes: ['fine'] })))
  simulation.run(20_000)
  simulation.take()
  return { simulation, host }
}

/** What was sent within a time: when, and with which answers and additionals. */
function within(simulation: Simulation, milliseconds: number) {
  const start = simulation.now
  simulation.run(milliseconds)
  return simulation.take().map(({ at, message }) => ({
    after: at - start,
    answers: lines(message.answers),
    additionals: lines(message.additionals),
  }))
}

describe('questions', () => {
  test('for a type are answered after 20 to 120 ms with all additional records', () => {
    const { simulation, host } = published('Shop')
    simulation.ask(host, [{ name: '_HTTP._tcp.LOCAL', type: 'PTR' }])
    const [said, ...more] = within(simulation, 5000)
    expect(said?.after).toBeGreaterThanOrEqual(20)
    expect(said?.after).toBeLessThanOrEqual(120)
    expect(said?.answers).toEqual(lines([PTR]))
    expect(said?.additionals).toEqual([
      'SRV Shop._http._tcp.local 120 flush 80 host1.local',
      'TXT Shop._http._tcp.local 4500 flush ""',
      'A host1.local 120 flush 10.0.0.1',
      'AAAA host1.local 120 flush fd00::1',
    ])
    expect(more).toEqual([])
  })

  test('for unique records are answered at once', () => {
    const { simulation, host } = published('Shop')
    simulation.ask(host, RESOLVE)
    simulation.ask(host, [{ name: 'HOST1.local', type: 'AAAA' }])
    simulation.ask(host, [{ name: 'nobody.local', type: 'A' }])
    expect(within(simulation, 0)).toEqual([
      {
        after: 0,
        answers: ['SRV Shop._http._tcp.local 120 flush 80 host1.local'],
        additionals: ['A host1.local 120 flush 10.0.0.1', 'AAAA host1.local 120 flush fd00::1'],
      },
    ])
    // The address was sent just before.
    expect(within(simulation, 2000)).toMatchObject([{ after: 1000, answers: ['AAAA host1.local 120 flush fd00::1'] }])
  })

  test('for a missing type of an own name are answered with an NSEC record', () => {
    const simulation = new Simulation()
    const host = simulation.host([service('Shop')])
    const [address] = host.addresses['eth0']?.addresses ?? []
    const only = { name: 'eth0', addresses: address ? [address] : [], paths: ['multicast4' as const] }
    host.publisher.setInterfaces([only], simulation.now)
    simulation.run(20_000)
    simulation.take()
    simulation.ask(host, [{ name: 'host1.local', type: 'AAAA' }])
    const negative = 'NSEC host1.local 120 flush A'
    expect(within(simulation, 0)).toEqual([{ after: 0, answers: [negative], additionals: [] }])
    simulation.run(2000)
    simulation.ask(host, [{ name: 'host1.local', type: 'A' }])
    expect(within(simulation, 0)).toMatchObject([
      { answers: ['A host1.local 120 flush 10.0.0.1'], additionals: [negative] },
    ])
    simulation.run(2000)
    simulation.ask(host, [{ name: 'Shop._http._tcp.local', type: 'A' }])
    expect(within(simulation, 0)).toMatchObject([{ answers: ['NSEC Shop._http._tcp.local 120 flush SRV TXT'] }])
    // Other hosts may have such records.
    simulation.ask(host, [{ name: '_http._tcp.local', type: 'A' }])
    expect(within(simulation, 2000)).toEqual([])
  })

  test('for the list of types, for a subtype and for ANY are answered', () => {
    const { simulation, host } = published('Shop', 'Till')
    const ask = (name: string, type: 'PTR' | 'ANY') => {
      simulation.run(2000)
      simulation.take()
      simulation.ask(host, [{ name, type }])
      return within(simulation, 200).map(({ answers }) => answers)
    }
    expect(ask('_services._dns-sd._udp.local', 'PTR')).toEqual([
      ['PTR _services._dns-sd._udp.local 4500 _http._tcp.local'],
    ])
    expect(ask('_fine._sub._http._tcp.local', 'PTR')).toEqual([
      [
        'PTR _fine._sub._http._tcp.local 4500 Shop._http._tcp.local',
        'PTR _fine._sub._http._tcp.local 4500 Till._http._tcp.local',
      ],
    ])
    expect(ask('Till._http._tcp.local', 'ANY')).toEqual([
      ['SRV Till._http._tcp.local 120 flush 80 host1.local', 'TXT Till._http._tcp.local 4500 flush ""'],
    ])
  })

  test('from several hosts are answered together, and no record twice within a second', () => {
    const { simulation, host } = published('Shop')
    for (let i = 0; i < 50; i++) {
      simulation.ask(host, BROWSE, {}, { address: `10.0.0.${i + 50}` })
      simulation.run(100)
    }
    const times = simulation.take().map(({ at }) => at)
    expect(times.length).toBeGreaterThanOrEqual(5)
    for (const [i, at] of times.entries()) expect(at - (times[i - 1] ?? 0)).toBeGreaterThanOrEqual(999.999)
  })

  test('from outside the subnet are answered by multicast, but a legacy resolver there gets no answer', () => {
    const { simulation, host } = published('Shop')
    simulation.ask(host, RESOLVE, {}, { onLink: false, port: 40_000 })
    expect(within(simulation, 2000)).toEqual([])
    simulation.ask(host, RESOLVE, {}, { onLink: false })
    expect(within(simulation, 2000)).not.toEqual([])
    for (const { to } of simulation.take()) expect(to).toBe('multicast')
  })

  test('on other interfaces are ignored', () => {
    const { simulation, host } = published('Shop')
    simulation.ask(host, RESOLVE, {}, { interface: 'eth7' })
    expect(within(simulation, 2000)).toEqual([])
  })
})

describe('known answers', () => {
  const ask = (known: Partial<ResourceRecord>) => {
    const { simulation, host } = published('Shop')
    simulation.ask(host, BROWSE, { answers: [{ ...PTR, ...known } as ResourceRecord] })
    return within(simulation, 2000).length
  }

  test('are not sent while more than half of their TTL is left', () => {
    expect(ask({})).toBe(0)
    expect(ask({ ttl: 2250, name: '_HTTP._TCP.local' })).toBe(0)
    expect(ask({ ttl: 2249 })).toBe(1)
    expect(ask({ data: 'Other._http._tcp.local' })).toBe(1)
  })

  test('of a truncated query are waited for', () => {
    const { simulation, host } = published('Shop', 'Till')
    simulation.ask(host, BROWSE, { truncated: true })
    simulation.run(200)
    simulation.ask(host, [], { answers: [PTR], truncated: true })
    simulation.run(200)
    simulation.ask(host, [], { answers: [{ ...PTR, data: 'x' }] }, { address: '10.0.0.77' })
    const [said, ...more] = within(simulation, 5000)
    // 400 to 500 ms after the last truncated message.
    expect(said?.after).toBeGreaterThanOrEqual(200)
    expect(said?.after).toBeLessThanOrEqual(300)
    expect(said?.answers).toEqual(['PTR _http._tcp.local 4500 Till._http._tcp.local'])
    expect(more).toEqual([])
  })

  test('are waited for from a limited number of hosts; others are answered at once', () => {
    const { simulation, host } = published('Shop')
    for (let i = 0; i < 1000; i++) {
      simulation.ask(host, BROWSE, { truncated: true }, { address: `10.0.${i >> 8}.${i & 255}` })
    }
    expect(within(simulation, 130)).toHaveLength(1)
    expect(simulation.agenda.next).toBeLessThan(simulation.now + 500)
    expect(within(simulation, 5000).length).toBeLessThanOrEqual(2)
    expect(simulation.agenda.next).toBeUndefined()
  })
})

describe('a query sent over IPv4 and IPv6', () => {
  const ipv6 = { address: 'fe80::250' }

  test('is answered once, and again when it is repeated', () => {
    const { simulation, host } = published('Shop')
    for (const questions of [RESOLVE, BROWSE]) {
      simulation.ask(host, questions)
      simulation.run(10)
      simulation.ask(host, questions, {}, ipv6)
      expect(within(simulation, 1500)).toHaveLength(1)
      simulation.ask(host, questions)
      expect(within(simulation, 1500)).toHaveLength(1)
    }
  })

  test('by two hosts within a second is answered to the second host too, a second after the first', () => {
    const { simulation, host } = published('Shop')
    simulation.ask(host, RESOLVE)
    simulation.ask(host, RESOLVE, {}, ipv6)
    simulation.run(500)
    simulation.ask(host, RESOLVE, {}, { address: '10.0.0.251' })
    simulation.ask(host, RESOLVE, {}, { address: 'fe80::251' })
    expect(within(simulation, 3000).map(({ after }) => after)).toEqual([-500, 500])
  })

  test.each([
    [999, 1],
    [0, 2],
  ])('is remembered up to a limit: of 1000, query number %i is answered %i times', (number, times) => {
    const { simulation, host } = published('Shop')
    const questions = (i: number) => [...RESOLVE, { name: `${i}.local`, type: 'A' as const }]
    for (let i = 0; i < 1000; i++) simulation.ask(host, questions(i))
    simulation.run(1)
    simulation.ask(host, questions(number), {}, ipv6)
    expect(within(simulation, 3000)).toHaveLength(times)
  })
})

test('an answer that an announcement contains is not sent again', () => {
  const simulation = new Simulation()
  const host = simulation.host([service('Shop')])
  simulation.run(20_000)
  host.publisher.publish('host1.local', [service('Shop', { port: 81 })], simulation.now)
  simulation.run(950)
  simulation.take()
  // The update is announced again after a second.
  simulation.ask(host, BROWSE)
  simulation.ask(host, RESOLVE)
  expect(
    within(simulation, 3000)
      .flatMap(({ answers }) => answers)
      .filter((line) => line.startsWith('SRV')),
  ).toHaveLength(1)
})

describe('a question for a unicast answer', () => {
  const ALONE = RESOLVE.map((each) => ({ ...each, unicast: true as const }))

  test('is answered to the sender alone, in full', () => {
    const { simulation, host } = published('Shop')
    simulation.ask(host, ALONE)
    const [said, ...more] = simulation.take()
    expect(more).toEqual([])
    expect(said?.to).toEqual({ address: '10.0.0.250', port: 5353 })
    expect(said?.message).toMatchObject({ id: 0, questions: [] })
    expect(lines(said?.message.answers ?? [])).toEqual(['SRV Shop._http._tcp.local 120 flush 80 host1.local'])
    expect(within(simulation, 3000)).toEqual([])
  })

  test('is answered by multicast if the last multicast is a quarter of the TTL ago', () => {
    const { simulation, host } = published('Shop')
    simulation.run(30_000)
    simulation.ask(host, ALONE)
    simulation.run(2000)
    simulation.ask(host, ALONE)
    expect(simulation.take().map(({ to }) => to)).toEqual(['multicast', { address: '10.0.0.250', port: 5353 }])
  })

  test('is answered by multicast if another question wants that, and not answered off the link', () => {
    const { simulation, host } = published('Shop')
    simulation.ask(host, [...ALONE, ...RESOLVE])
    simulation.run(2000)
    expect(simulation.take().map(({ to }) => to)).toEqual(['multicast'])
    simulation.ask(host, ALONE, {}, { address: '10.0.0.1' })
    expect(simulation.take().map(({ to }) => to)).toEqual(['multicast'])
    simulation.run(2000)
    simulation.ask(host, ALONE, {}, { onLink: false })
    expect(simulation.take().filter(({ to }) => to !== 'multicast')).toEqual([])
  })

  test('is answered a limited number of times per second, whoever asks', () => {
    const { simulation, host } = published('Shop')
    for (let i = 0; i < 1000; i++) simulation.ask(host, ALONE, {}, { address: `10.0.${i >> 8}.${i & 255}` })
    expect(simulation.take().filter(({ to }) => to !== 'multicast')).toHaveLength(100)
  })
})

describe('answers of other hosts', () => {
  test('replace own answers', () => {
    const { simulation, host } = published('Shop')
    simulation.ask(host, BROWSE)
    simulation.deliver(host, { answers: [{ ...PTR, ttl: 2250 }] })
    expect(within(simulation, 2000)).toEqual([])
  })

  test('with a TTL that is too low are corrected', () => {
    const { simulation, host } = published('Shop')
    const types = { ...PTR, name: '_services._dns-sd._udp.local', data: '_http._tcp.local' }
    simulation.deliver(host, { answers: [{ ...types, ttl: 0 }] })
    expect(within(simulation, 2000).map(({ answers }) => answers)).toEqual([lines([types])])
    simulation.deliver(host, { answers: [{ ...types, ttl: 120 }] })
    expect(within(simulation, 2000)).toHaveLength(1)
    simulation.deliver(host, { answers: [{ ...types, ttl: 2250 }] })
    expect(within(simulation, 2000)).toEqual([])
  })
})

describe('a legacy resolver', () => {
  test('gets a unicast answer with its id and question, TTLs of 10 s and no cache-flush bits', () => {
    const { simulation, host } = published('Shop')
    simulation.ask(host, RESOLVE, { id: 77 }, { port: 40_000 })
    const [said] = simulation.take()
    expect(said?.to).toEqual({ address: '10.0.0.250', port: 40_000 })
    expect(said?.message).toMatchObject({ kind: 'response', id: 77, questions: RESOLVE })
    expect(lines(said?.message.answers ?? [])).toEqual(['SRV Shop._http._tcp.local 10 80 host1.local'])
    expect(lines(said?.message.additionals ?? [])).toEqual(['A host1.local 10 10.0.0.1', 'AAAA host1.local 10 fd00::1'])
  })

  test('gets at most one message, and a flood of queries gets few', () => {
    const { simulation, host } = published(...Array.from({ length: 40 }, (_, i) => `Shop ${i} ${'x'.repeat(50)}`))
    simulation.ask(host, BROWSE, { id: 1 }, { port: 40_000 })
    expect(simulation.take()).toHaveLength(1)
    for (let i = 0; i < 5000; i++) {
      simulation.ask(host, BROWSE, { id: 1 }, { port: 40_000 })
      simulation.run(0.2)
    }
    expect(simulation.take().length).toBeLessThanOrEqual(151)
  })

  test('takes no part in probing, and its records are ignored', () => {
    const { simulation, host } = published('Shop')
    const srv: ResourceRecord = {
      name: 'Shop._http._tcp.local',
      type: 'SRV',
      ttl: 120,
      flush: true,
      data: { priority: 9, weight: 9, port: 9, target: 'z.local' },
    }
    simulation.deliver(host, { answers: [srv] }, { port: 40_000 })
    expect(host.publisher.publications[0]?.state).toBe('published')
    expect(within(simulation, 2000)).toEqual([])
  })
})

test('a flood of questions causes few answers and few tasks', () => {
  const { simulation, host } = published('Shop', 'Till')
  const questions: Message['questions'] = [
    ...BROWSE,
    ...RESOLVE,
    { name: 'host1.local', type: 'ANY' },
    { name: '_services._dns-sd._udp.local', type: 'PTR' },
  ]
  for (let i = 0; i < 10_000; i++) {
    simulation.ask(host, questions, {}, { address: `10.1.${(i >> 8) & 255}.${i & 255}` })
    simulation.run(0.5)
  }
  simulation.run(1000)
  expect(simulation.take().length).toBeLessThan(40)
  simulation.run(1)
  expect(simulation.agenda.next).toBeUndefined()
})
