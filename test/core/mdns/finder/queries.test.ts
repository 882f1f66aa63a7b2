import { describe, expect, it } from 'vitest'
import type { ResourceRecord } from '../../../../src/core/mdns/dns/records.ts'
import { a, aaaa, Device, ETH0, goodbye, ptr, Stage, service, srv, txt } from './stage.ts'

const TYPE = '_ipp._tcp.local'
const OFFICE = 'Office._ipp._tcp.local'
const PRINTER = 'printer.local'

describe('browsing', () => {
  it('queries after 20 to 120 ms, then after 1, 2, 4 … s up to an hour', () => {
    const stage = new Stage()
    const since = stage.now
    stage.run(4 * 3_600_000)
    const asked = stage.asked('PTR', TYPE, since)
    expect(asked[0]).toBeGreaterThanOrEqual(20)
    expect(asked[0]).toBeLessThanOrEqual(120)
    const gaps = asked.slice(1).map((at, i) => at - (asked[i] ?? 0))
    for (const [i, gap] of gaps.entries()) {
      const wait = Math.min(1000 * 2 ** i, 3_600_000)
      expect(gap).toBeGreaterThanOrEqual(wait)
      expect(gap).toBeLessThan(wait + 400)
    }
    expect(gaps).toHaveLength(14)
  })

  it('queries all types, including the own one, in one message', () => {
    const stage = new Stage()
    stage.run(150)
    expect(stage.sent).toHaveLength(1)
    const questions = stage.sent[0]?.out.message.questions.map(({ name }) => name)
    expect(questions).toEqual(['_earshot._udp.local', '_ipp._tcp.local', '_http._tcp.local'])
    expect(stage.finder.browsing).toEqual(['_earshot._udp', '_ipp._tcp', '_http._tcp'])
  })

  it('sends known answers while more than half of their lifetime is left', () => {
    const stage = new Stage()
    stage.receive(service('Office', PRINTER, '10.0.0.9'))
    stage.run(150)
    expect(stage.sent[0]?.out.message.answers).toMatchObject([{ type: 'PTR', data: OFFICE, flush: false, ttl: 4499 }])
    stage.receive([ptr('Half', '_ipp._tcp', 10), ...service('Half', PRINTER, '10.0.0.9').slice(1)])
    stage.run(3900)
    const known = stage.sent.filter(({ out }) => out.message.answers.length > 0)
    expect(known.at(-1)?.out.message.answers.map(({ ttl }) => ttl)).toEqual([4496, 6])
    stage.run(4000)
    expect(stage.sent.at(-1)?.out.message.answers).toHaveLength(1)
  })

  it('spreads many known answers over several messages, with the TC bit in all but the last', () => {
    const stage = new Stage()
    for (let i = 0; i < 60; i++) stage.receive(service(`Printer number ${i}`, PRINTER, '10.0.0.9'))
    stage.run(150)
    const messages = stage.sent.map(({ out }) => out.message)
    expect(messages.length).toBeGreaterThan(1)
    expect(messages.map(({ truncated }) => truncated)).toEqual(messages.map((_, i) => i < messages.length - 1))
    expect(messages.flatMap(({ answers }) => answers)).toHaveLength(60)
    const asked = messages.flatMap(({ questions }) => questions.map(({ type }) => type))
    expect(asked).toEqual(['PTR', 'PTR', 'PTR', 'AAAA'])
  })

  it('drops a question that another host asks at the same time without knowing more answers', () => {
    const question = { name: TYPE.toUpperCase(), type: 'PTR' as const }
    const stage = new Stage()
    stage.receive([], {}, { kind: 'query', questions: [question] })
    stage.run(150)
    expect(stage.asked('PTR', TYPE)).toEqual([])
    stage.run(1300)
    expect(stage.asked('PTR', TYPE)).toHaveLength(1)
  })

  it('counts queries of other hosts as own ones, at the same intervals', () => {
    const stage = new Stage()
    stage.published = [ptr('Ours')]
    stage.run(60_000)
    const since = stage.now
    const query = { kind: 'query' as const, questions: [{ name: TYPE, type: 'PTR' as const }], answers: [ptr('Ours')] }
    // Without it, the next query would be sent 63 s after the first.
    stage.receive([], {}, query)
    stage.run(60_000)
    expect(stage.asked('PTR', TYPE, since)).toEqual([])
    stage.run(10_000)
    expect(stage.asked('PTR', TYPE, since)).toHaveLength(1)
  })

  it('queries at least every hour, whatever other hosts ask', () => {
    const stage = new Stage()
    const query = { kind: 'query' as const, questions: [{ name: TYPE, type: 'PTR' as const }], answers: [] }
    for (let minute = 0; minute < 600; minute++) {
      stage.receive([], {}, query)
      stage.run(60_000)
    }
    expect(stage.asked('PTR', TYPE).length).toBeGreaterThan(8)
  })

  it('waits for the remaining known answers of another host before its query counts as an own one', () => {
    const ask = (rest: ResourceRecord[]) => {
      const stage = new Stage()
      stage.receive([ptr('Office')])
      stage.receive([], {}, { kind: 'query', questions: [{ name: TYPE, type: 'PTR' }], truncated: true })
      stage.receive([], {}, { kind: 'query', answers: rest })
      stage.run(150)
      return stage.asked('PTR', TYPE).length
    }
    expect(ask([ptr('Office')])).toBe(0)
    expect(ask([ptr('Office'), ptr('Unknown')])).toBe(1)
  })

  it.each([
    ['asks for a unicast answer', { questions: [{ name: TYPE, type: 'PTR', unicast: true }] }, {}],
    ['knows an answer that this host does not', { answers: [ptr('Unknown')] }, {}],
    ['sets the TC bit', { truncated: true }, {}],
    ['is a legacy resolver', {}, { port: 40_000 }],
    ['is on another interface', {}, { interface: 'eth1' }],
  ] as const)('sends its own query if the other host %s', (_, message, from) => {
    const stage = new Stage()
    const query = { kind: 'query' as const, questions: [{ name: TYPE, type: 'PTR' as const }], answers: [], ...message }
    stage.receive([], from, { ...query, questions: [...query.questions], answers: [...query.answers] })
    stage.run(150)
    expect(stage.asked('PTR', TYPE)).toHaveLength(1)
  })

  it('keeps a living device although another host asks this host alone for it', () => {
    const stage = new Stage()
    stage.devices.push(new Device(service('Office', PRINTER, '10.0.0.9')))
    stage.run(1000)
    const [name, type] = ['Office._ipp._tcp.local', TYPE]
    const questions = [
      ...(['SRV', 'TXT'] as const).map((each) => ({ type: each, name })),
      ...(['A', 'AAAA'] as const).map((each) => ({ type: each, name: PRINTER })),
      { type: 'PTR' as const, name: type },
    ]
    for (let ms = 0; ms < 400_000; ms += 20) {
      stage.receive([], { address: '10.0.0.66' }, { kind: 'query', questions })
      stage.run(20)
    }
    expect(stage.reports.filter(({ sighting: { state } }) => state === 'failed' || state === 'left')).toEqual([])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ port: 631, txt: { k: 'v' } }])
  })

  it('finds a device that returns without an announcement soon after it failed', () => {
    const stage = new Stage()
    const device = new Device(service('Office', PRINTER, '10.0.0.9'))
    stage.devices.push(device)
    stage.run(3 * 3_600_000)
    device.alive = false
    stage.run(130_000)
    expect(stage.last(PRINTER)?.state).toBe('failed')
    device.alive = true
    stage.run(20_000)
    expect(stage.last(PRINTER)?.state).toBe('alive')
  })

  it('queries again on an interface that gets one more path', () => {
    const stage = new Stage()
    stage.run(600_000)
    const since = stage.now
    stage.finder.setInterfaces([ETH0], stage.now)
    stage.run(150)
    expect(stage.asked('PTR', TYPE, since)).toHaveLength(0)
    stage.finder.setInterfaces([{ ...ETH0, paths: ['multicast4', 'multicast6'] }], stage.now)
    stage.run(150)
    expect(stage.asked('PTR', TYPE, since)).toHaveLength(1)
  })
})

describe('browsing for all types', () => {
  const SERVICES = '_services._dns-sd._udp.local'
  const offered = (type: string, ttl = 4500) =>
    ({ name: SERVICES, type: 'PTR', ttl, flush: false, data: `${type}.local` }) as const

  it('browses for each announced type until nobody announces it', () => {
    const stage = new Stage(['*'])
    const thing = service('Thing', 'thing.local', '10.0.0.9', '_odd._tcp')
    const device = new Device([offered('_Odd._tcp'), ...thing])
    stage.devices.push(device)
    stage.run(1000)
    expect(stage.finder.browsing).toEqual(['_earshot._udp', '_odd._tcp'])
    expect(stage.last('thing.local')).toMatchObject({ services: [{ type: '_odd._tcp' }] })
    device.records = thing
    stage.receive([offered('_odd._tcp', 0)])
    stage.run(1100)
    expect(stage.finder.browsing).toEqual(['_earshot._udp', '_odd._tcp'])
    device.records = []
    stage.receive(goodbye(thing))
    stage.run(1100)
    expect(stage.finder.browsing).toEqual(['_earshot._udp'])
    const since = stage.now
    stage.run(60_000)
    expect(stage.asked('PTR', '_odd._tcp.local', since)).toEqual([])
  })

  it('accepts only valid types, up to the quota', () => {
    const stage = new Stage(['*'])
    const bad = ['_bad type._tcp', 'x', '_x._sctp', '', '_._tcp', `_${'x'.repeat(63)}._tcp`, '_sub._x._tcp']
    stage.receive(bad.map((type) => offered(type)))
    stage.receive(bad.map((type) => ptr('Thing', type)))
    expect(stage.finder.browsing).toEqual(['_earshot._udp'])
    for (let i = 0; i < 1000; i++) stage.receive([offered(`_t${i}._tcp`)])
    expect(stage.finder.browsing).toHaveLength(1 + 64)
    for (let i = 0; i < 1000; i++) stage.receive([offered(`_t${i}._tcp`)], { address: `10.0.0.${i % 200}` })
    expect(stage.finder.browsing).toHaveLength(1 + 256)
    stage.run(4_600_000)
    expect(stage.finder.browsing).toEqual(['_earshot._udp'])
  })

  it('also browses for the configured types and for types with unusual names', () => {
    const stage = new Stage(['*', '_ipp._tcp'])
    const types = [
      '_androidtvremote2._tcp',
      '_zigate-zigbee-gateway._tcp',
      '_nvstream_dbd._tcp',
      `_${'x'.repeat(62)}._udp`,
    ]
    stage.receive(types.map((type) => offered(type)))
    expect(stage.finder.browsing).toEqual(['_earshot._udp', '_ipp._tcp', ...types])
  })

  it('learns a type from an announcement, in its spelling, and browses for it until its services are gone', () => {
    const stage = new Stage(['*'])
    const device = new Device(service('Thing', 'thing.local', '10.0.0.9', '_Odd._tcp'))
    stage.devices.push(device)
    stage.receive(device.records)
    stage.run(4 * 3_600_000)
    expect(stage.states('thing.local').map(({ state }) => state)).toEqual(['alive'])
    const names = stage.sent.flatMap(({ out }) => out.message.questions.map(({ name }) => name))
    expect(new Set(names.filter((name) => /odd/i.test(name)))).toEqual(
      new Set(['_Odd._tcp.local', 'Thing._Odd._tcp.local']),
    )
    device.alive = false
    stage.receive(goodbye(device.records))
    stage.run(1100)
    expect(stage.finder.browsing).toEqual(['_earshot._udp'])
  })

  it('learns types from announcements up to the quota, and forgets them', () => {
    const stage = new Stage(['*'])
    for (let i = 0; i < 300; i++) stage.receive([ptr('Thing', `_t${i}._tcp`)])
    expect(stage.finder.browsing).toHaveLength(1 + 64)
    expect(stage.finder.limits.services.now).toBe(64)
    for (let i = 0; i < 2000; i++) stage.receive([ptr(`Thing ${i}`, '_t0._tcp')])
    expect(stage.finder.limits.services.now).toBe(1024)
    stage.run(30_000)
    expect(stage.finder.browsing).toEqual(['_earshot._udp'])
    expect(stage.finder.limits.services.now).toBe(0)
  })

  it('learns no types if only certain types are configured', () => {
    const stage = new Stage(['_ipp._tcp'])
    stage.receive([offered('_odd._tcp'), ptr('Thing', '_odd._tcp')])
    expect(stage.finder.browsing).toEqual(['_earshot._udp', '_ipp._tcp'])
  })
})

describe('resolving', () => {
  it('queries the records that an announcement left out, step by step', () => {
    const stage = new Stage()
    const device = new Device(service('Office', PRINTER, '10.0.0.9'))
    stage.devices.push(device)
    stage.run(1000)
    expect(stage.asked('SRV', OFFICE)).toHaveLength(1)
    expect(stage.asked('TXT', OFFICE)).toHaveLength(1)
    expect(stage.asked('A', PRINTER)).toHaveLength(1)
    expect(stage.last(PRINTER)).toMatchObject({ services: [{ name: 'Office', txt: { k: 'v' } }] })
  })

  it('retries after 1, 2, 4 and 8 s, then gives up', () => {
    const stage = new Stage()
    const since = stage.now
    stage.receive([ptr('Office')])
    stage.run(60_000)
    const asked = stage.asked('SRV', OFFICE, since)
    const gaps = asked.slice(1).map((at, i) => Math.round((at - (asked[i] ?? 0)) / 1000))
    expect(gaps).toEqual([1, 2, 4, 8])
    expect(stage.finder.limits.services.now).toBe(0)
  })

  it('gives up a host without an address', () => {
    const stage = new Stage()
    stage.receive([ptr('Office'), srv('Office', PRINTER), txt('Office', [])])
    stage.run(60_000)
    expect(stage.asked('A', PRINTER)).toHaveLength(5)
    expect(stage.asked('AAAA', PRINTER)).toHaveLength(5)
    expect(stage.reports).toEqual([])
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 0 }, services: { now: 0 } })
  })

  it('queries nothing that an announcement contained', () => {
    const stage = new Stage()
    stage.receive([...service('Office', PRINTER, '10.0.0.9'), aaaa(PRINTER, 'fe80::9')])
    stage.run(90_000)
    expect(new Set(stage.sent.flatMap(({ out }) => out.message.questions.map(({ type }) => type)))).toEqual(
      new Set(['PTR']),
    )
  })
})

describe('querying a host', () => {
  it('finds the addresses of a host that offers no browsed service', () => {
    const stage = new Stage()
    stage.devices.push(new Device([a('nas.local', '10.0.0.7'), aaaa('nas.local', 'fd00::7')]))
    stage.finder.queryHost('NAS.local', stage.now)
    stage.run(200)
    expect(stage.finder.addressesOf('nas.LOCAL')).toEqual([
      { address: '10.0.0.7', family: 'ipv4', interface: 'eth0' },
      { address: 'fd00::7', family: 'ipv6', interface: 'eth0' },
    ])
    expect(stage.reports).toEqual([])
    stage.run(125_000)
    expect(stage.finder.addressesOf('nas.local')).toEqual([])
    expect(stage.asked('A', 'nas.local')).toHaveLength(1)
  })

  it('queries at 0, 1 and 3 s, however often it is requested', () => {
    const stage = new Stage()
    const since = stage.now
    for (let i = 0; i < 10; i++) stage.finder.queryHost('nas.local', stage.now)
    stage.run(9000)
    const asked = stage.asked('A', 'nas.local', since)
    expect(asked.map((at) => Math.floor(at / 1000))).toEqual([0, 1, 3])
    stage.run(2000)
    stage.finder.queryHost('nas.local', stage.now)
    stage.run(200)
    expect(stage.asked('A', 'nas.local', since)).toHaveLength(4)
  })

  it('is done for at most 256 hosts at once, and for the next ones ten seconds later', () => {
    const stage = new Stage()
    const queryAll = () => {
      const since = stage.now
      for (let i = 0; i < 258; i++) stage.finder.queryHost(`host${i}.local`, stage.now)
      stage.run(200)
      return [0, 255, 256, 257].map((i) => stage.asked('A', `host${i}.local`, since).length)
    }
    expect(queryAll()).toEqual([1, 1, 0, 0])
    stage.run(10_000)
    stage.finder.queryHost('host256.local', stage.now)
    expect(queryAll()).toEqual([1, 0, 1, 0])
  })

  it('stores no addresses that were not requested', () => {
    const stage = new Stage()
    stage.receive([a('nas.local', '10.0.0.7')])
    expect(stage.finder.addressesOf('nas.local')).toEqual([])
  })
})

describe('a host that is confirmed by beacons', () => {
  const KITCHEN = 'k3vq7m2xa4.local'
  const records = [
    ...service('Kitchen', KITCHEN, '10.0.0.9', '_earshot._udp'),
    ...service('Web', KITCHEN, '10.0.0.9', '_http._tcp'),
  ]

  it('is not queried for confirmed records, and queried again when the beacons stop', () => {
    const stage = new Stage()
    const device = new Device(records)
    stage.devices.push(device)
    stage.isConfirmedByBeacon = (host) => host === KITCHEN
    stage.run(20_000)
    const since = stage.now
    stage.run(3_600_000)
    const asked = stage.sent.filter(({ at }) => at >= since).flatMap(({ out }) => out.message.questions)
    expect(asked.filter(({ type }) => type !== 'PTR')).toEqual([])
    expect(stage.last(KITCHEN)?.state).toBe('alive')
    device.alive = false
    stage.isConfirmedByBeacon = () => false
    stage.run(150_000)
    expect(stage.last(KITCHEN)?.state).toBe('failed')
  })

  it('is queried for records that the beacons do not confirm', () => {
    const stage = new Stage()
    stage.devices.push(new Device(records))
    stage.isConfirmedByBeacon = (_, assertion) => 'address' in assertion || assertion.type === undefined
    stage.run(20_000)
    const since = stage.now
    stage.run(110_000)
    expect(stage.asked('SRV', 'Web._http._tcp.local', since).length).toBeGreaterThan(0)
    expect(stage.asked('SRV', 'Kitchen._earshot._udp.local', since)).toEqual([])
  })

  it('fails five seconds after a query without an answer', () => {
    const stage = new Stage()
    const device = new Device(records)
    stage.devices.push(device)
    stage.run(20_000)
    stage.finder.queryHost(KITCHEN, stage.now)
    stage.run(10_000)
    expect(stage.last(KITCHEN)?.state).toBe('alive')
    device.alive = false
    stage.finder.queryHost(KITCHEN, stage.now)
    stage.run(5100)
    expect(stage.last(KITCHEN)?.state).toBe('failed')
  })

  it('only fails after a query without an answer if it runs earshotd', () => {
    const stage = new Stage()
    const device = new Device(service('Office', PRINTER, '10.0.0.9'))
    stage.devices.push(device)
    stage.run(20_000)
    device.alive = false
    stage.finder.queryHost(PRINTER, stage.now)
    stage.run(10_000)
    expect(stage.last(PRINTER)?.state).toBe('alive')
  })
})
