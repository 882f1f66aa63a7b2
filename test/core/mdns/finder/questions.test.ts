import { describe, expect, it } from 'vitest'
import type { ResourceRecord } from '../../../../src/core/mdns/dns/records.ts'
import { a, aaaa, Device, ETH0, goodbye, ptr, Stage, service, srv, txt } from './stage.ts'

const TYPE = '_ipp._tcp.local'
const OFFICE = 'Office._ipp._tcp.local'
const PRINTER = 'printer.local'

describe('browsing', () => {
  it('asks after 20 to 120 ms, then after 1, 2, 4 … s up to an hour', () => {
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

  it('asks for all types in one message, own type included', () => {
    const stage = new Stage()
    stage.run(150)
    expect(stage.sent).toHaveLength(1)
    const questions = stage.sent[0]?.out.message.questions.map(({ name }) => name)
    expect(questions).toEqual(['_earshot._udp.local', '_ipp._tcp.local', '_http._tcp.local'])
    expect(stage.finder.browsing).toEqual(['_earshot._udp', '_ipp._tcp', '_http._tcp'])
  })

  it('tells along what it knows, for as long as more than half of its life is left', () => {
    const stage = new Stage()
    stage.hear(service('Office', PRINTER, '10.0.0.9'))
    stage.run(150)
    expect(stage.sent[0]?.out.message.answers).toMatchObject([{ type: 'PTR', data: OFFICE, flush: false, ttl: 4499 }])
    stage.hear([ptr('Half', '_ipp._tcp', 10), ...service('Half', PRINTER, '10.0.0.9').slice(1)])
    stage.run(3900)
    const known = stage.sent.filter(({ out }) => out.message.answers.length > 0)
    expect(known.at(-1)?.out.message.answers.map(({ ttl }) => ttl)).toEqual([4496, 6])
    stage.run(4000)
    expect(stage.sent.at(-1)?.out.message.answers).toHaveLength(1)
  })

  it('spreads many known answers over several messages, all but the last marked', () => {
    const stage = new Stage()
    for (let i = 0; i < 60; i++) stage.hear(service(`Printer number ${i}`, PRINTER, '10.0.0.9'))
    stage.run(150)
    const messages = stage.sent.map(({ out }) => out.message)
    expect(messages.length).toBeGreaterThan(1)
    expect(messages.map(({ truncated }) => truncated)).toEqual(messages.map((_, i) => i < messages.length - 1))
    expect(messages.flatMap(({ answers }) => answers)).toHaveLength(60)
    const asked = messages.flatMap(({ questions }) => questions.map(({ type }) => type))
    expect(asked).toEqual(['PTR', 'PTR', 'PTR', 'AAAA'])
  })

  it('leaves a question out that another host asks at that moment, knowing no more', () => {
    const question = { name: TYPE.toUpperCase(), type: 'PTR' as const }
    const stage = new Stage()
    stage.hear([], {}, { kind: 'query', questions: [question] })
    stage.run(150)
    expect(stage.asked('PTR', TYPE)).toEqual([])
    stage.run(1300)
    expect(stage.asked('PTR', TYPE)).toHaveLength(1)
  })

  it("takes others' questions for its own, and each one for as long", () => {
    const stage = new Stage()
    stage.published = [ptr('Ours')]
    stage.run(60_000)
    const since = stage.now
    const query = { kind: 'query' as const, questions: [{ name: TYPE, type: 'PTR' as const }], answers: [ptr('Ours')] }
    // The next would be 63 s after the first.
    stage.hear([], {}, query)
    stage.run(60_000)
    expect(stage.asked('PTR', TYPE, since)).toEqual([])
    stage.run(10_000)
    expect(stage.asked('PTR', TYPE, since)).toHaveLength(1)
  })

  it("asks every hour, whatever others' questions say", () => {
    const stage = new Stage()
    const query = { kind: 'query' as const, questions: [{ name: TYPE, type: 'PTR' as const }], answers: [] }
    for (let minute = 0; minute < 600; minute++) {
      stage.hear([], {}, query)
      stage.run(60_000)
    }
    expect(stage.asked('PTR', TYPE).length).toBeGreaterThan(8)
  })

  it('waits for the rest of what another knows before it takes its question for ours', () => {
    const ask = (rest: ResourceRecord[]) => {
      const stage = new Stage()
      stage.hear([ptr('Office')])
      stage.hear([], {}, { kind: 'query', questions: [{ name: TYPE, type: 'PTR' }], truncated: true })
      stage.hear([], {}, { kind: 'query', answers: rest })
      stage.run(150)
      return stage.asked('PTR', TYPE).length
    }
    expect(ask([ptr('Office')])).toBe(0)
    expect(ask([ptr('Office'), ptr('Unknown')])).toBe(1)
  })

  it.each([
    ['asks for an answer to itself', { questions: [{ name: TYPE, type: 'PTR', unicast: true }] }, {}],
    ['knows an answer that we do not', { answers: [ptr('Unknown')] }, {}],
    ['has more to tell', { truncated: true }, {}],
    ['is a simple resolver', {}, { port: 40_000 }],
    ['is on another interface', {}, { interface: 'eth1' }],
  ] as const)('asks nevertheless when the other %s', (_, message, heard) => {
    const stage = new Stage()
    const query = { kind: 'query' as const, questions: [{ name: TYPE, type: 'PTR' as const }], answers: [], ...message }
    stage.hear([], heard, { ...query, questions: [...query.questions], answers: [...query.answers] })
    stage.run(150)
    expect(stage.asked('PTR', TYPE)).toHaveLength(1)
  })

  it('loses no living device to somebody who asks us alone, so that we do not ask', () => {
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
      stage.hear([], { address: '10.0.0.66' }, { kind: 'query', questions })
      stage.run(20)
    }
    expect(stage.told.filter(({ sighting: { state } }) => state === 'failed' || state === 'left')).toEqual([])
    expect(stage.last(PRINTER)?.services).toMatchObject([{ port: 631, txt: { k: 'v' } }])
  })

  it('finds a device that returns without a word soon after it failed', () => {
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

  it('asks again on an interface that has one more way to speak', () => {
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

describe('browsing for everything', () => {
  const SERVICES = '_services._dns-sd._udp.local'
  const offered = (type: string, ttl = 4500) =>
    ({ name: SERVICES, type: 'PTR', ttl, flush: false, data: `${type}.local` }) as const

  it('looks for each type that is told of, and no longer when nobody does', () => {
    const stage = new Stage(['*'])
    const thing = service('Thing', 'thing.local', '10.0.0.9', '_odd._tcp')
    const device = new Device([offered('_Odd._tcp'), ...thing])
    stage.devices.push(device)
    stage.run(1000)
    expect(stage.finder.browsing).toEqual(['_earshot._udp', '_odd._tcp'])
    expect(stage.last('thing.local')).toMatchObject({ services: [{ type: '_odd._tcp' }] })
    device.records = thing
    stage.hear([offered('_odd._tcp', 0)])
    stage.run(1100)
    expect(stage.finder.browsing).toEqual(['_earshot._udp', '_odd._tcp'])
    device.records = []
    stage.hear(goodbye(thing))
    stage.run(1100)
    expect(stage.finder.browsing).toEqual(['_earshot._udp'])
    const since = stage.now
    stage.run(60_000)
    expect(stage.asked('PTR', '_odd._tcp.local', since)).toEqual([])
  })

  it('takes only types, and not more than there is room for', () => {
    const stage = new Stage(['*'])
    const bad = ['_bad type._tcp', 'x', '_x._sctp', '', '_._tcp', `_${'x'.repeat(63)}._tcp`, '_sub._x._tcp']
    stage.hear(bad.map((type) => offered(type)))
    stage.hear(bad.map((type) => ptr('Thing', type)))
    expect(stage.finder.browsing).toEqual(['_earshot._udp'])
    for (let i = 0; i < 1000; i++) stage.hear([offered(`_t${i}._tcp`)])
    expect(stage.finder.browsing).toHaveLength(1 + 64)
    for (let i = 0; i < 1000; i++) stage.hear([offered(`_t${i}._tcp`)], { address: `10.0.0.${i % 200}` })
    expect(stage.finder.browsing).toHaveLength(1 + 256)
    stage.run(4_600_000)
    expect(stage.finder.browsing).toEqual(['_earshot._udp'])
  })

  it('looks for the types that are named, too, and for types as they are in the wild', () => {
    const stage = new Stage(['*', '_ipp._tcp'])
    const types = [
      '_androidtvremote2._tcp',
      '_zigate-zigbee-gateway._tcp',
      '_nvstream_dbd._tcp',
      `_${'x'.repeat(62)}._udp`,
    ]
    stage.hear(types.map((type) => offered(type)))
    expect(stage.finder.browsing).toEqual(['_earshot._udp', '_ipp._tcp', ...types])
  })

  it('learns a type from an announcement, in its letter case, and asks for it until its services have gone', () => {
    const stage = new Stage(['*'])
    const device = new Device(service('Thing', 'thing.local', '10.0.0.9', '_Odd._tcp'))
    stage.devices.push(device)
    stage.hear(device.records)
    stage.run(4 * 3_600_000)
    expect(stage.states('thing.local').map(({ state }) => state)).toEqual(['alive'])
    const names = stage.sent.flatMap(({ out }) => out.message.questions.map(({ name }) => name))
    expect(new Set(names.filter((name) => /odd/i.test(name)))).toEqual(
      new Set(['_Odd._tcp.local', 'Thing._Odd._tcp.local']),
    )
    device.alive = false
    stage.hear(goodbye(device.records))
    stage.run(1100)
    expect(stage.finder.browsing).toEqual(['_earshot._udp'])
  })

  it('learns from announcements no more types than there is room for, and forgets them', () => {
    const stage = new Stage(['*'])
    for (let i = 0; i < 300; i++) stage.hear([ptr('Thing', `_t${i}._tcp`)])
    expect(stage.finder.browsing).toHaveLength(1 + 64)
    expect(stage.finder.limits.services.now).toBe(64)
    for (let i = 0; i < 2000; i++) stage.hear([ptr(`Thing ${i}`, '_t0._tcp')])
    expect(stage.finder.limits.services.now).toBe(1024)
    stage.run(30_000)
    expect(stage.finder.browsing).toEqual(['_earshot._udp'])
    expect(stage.finder.limits.services.now).toBe(0)
  })

  it('does not listen to such tales when types were chosen', () => {
    const stage = new Stage(['_ipp._tcp'])
    stage.hear([offered('_odd._tcp'), ptr('Thing', '_odd._tcp')])
    expect(stage.finder.browsing).toEqual(['_earshot._udp', '_ipp._tcp'])
  })
})

describe('following up', () => {
  it('asks for what a pointer leaves out, once it was answered for the next thing', () => {
    const stage = new Stage()
    const device = new Device(service('Office', PRINTER, '10.0.0.9'))
    stage.devices.push(device)
    stage.run(1000)
    expect(stage.asked('SRV', OFFICE)).toHaveLength(1)
    expect(stage.asked('TXT', OFFICE)).toHaveLength(1)
    expect(stage.asked('A', PRINTER)).toHaveLength(1)
    expect(stage.last(PRINTER)).toMatchObject({ services: [{ name: 'Office', txt: { k: 'v' } }] })
  })

  it('retries after 1, 2, 4, 8 s and gives up in the end', () => {
    const stage = new Stage()
    const since = stage.now
    stage.hear([ptr('Office')])
    stage.run(60_000)
    const asked = stage.asked('SRV', OFFICE, since)
    const gaps = asked.slice(1).map((at, i) => Math.round((at - (asked[i] ?? 0)) / 1000))
    expect(gaps).toEqual([1, 2, 4, 8])
    expect(stage.finder.limits.services.now).toBe(0)
  })

  it('gives up a host that has no address', () => {
    const stage = new Stage()
    stage.hear([ptr('Office'), srv('Office', PRINTER), txt('Office', [])])
    stage.run(60_000)
    expect(stage.asked('A', PRINTER)).toHaveLength(5)
    expect(stage.asked('AAAA', PRINTER)).toHaveLength(5)
    expect(stage.told).toEqual([])
    expect(stage.finder.limits).toMatchObject({ hosts: { now: 0 }, services: { now: 0 } })
  })

  it('asks for nothing that an announcement held', () => {
    const stage = new Stage()
    stage.hear([...service('Office', PRINTER, '10.0.0.9'), aaaa(PRINTER, 'fe80::9')])
    stage.run(90_000)
    expect(new Set(stage.sent.flatMap(({ out }) => out.message.questions.map(({ type }) => type)))).toEqual(
      new Set(['PTR']),
    )
  })
})

describe('asking for a host', () => {
  it('finds the addresses of one that is not browsed for', () => {
    const stage = new Stage()
    stage.devices.push(new Device([a('nas.local', '10.0.0.7'), aaaa('nas.local', 'fd00::7')]))
    stage.finder.queryHost('NAS.local', stage.now)
    stage.run(200)
    expect(stage.finder.addressesOf('nas.LOCAL')).toEqual([
      { address: '10.0.0.7', family: 'ipv4', interface: 'eth0' },
      { address: 'fd00::7', family: 'ipv6', interface: 'eth0' },
    ])
    expect(stage.told).toEqual([])
    stage.run(125_000)
    expect(stage.finder.addressesOf('nas.local')).toEqual([])
    expect(stage.asked('A', 'nas.local')).toHaveLength(1)
  })

  it('asks at 0, 1 and 3 s, however often it is wanted', () => {
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

  it('takes no addresses that nobody wants to know', () => {
    const stage = new Stage()
    stage.hear([a('nas.local', '10.0.0.7')])
    expect(stage.finder.addressesOf('nas.local')).toEqual([])
  })
})

describe('a host whose beacons tell the same', () => {
  const KITCHEN = 'k3vq7m2xa4.local'
  const records = [
    ...service('Kitchen', KITCHEN, '10.0.0.9', '_earshot._udp'),
    ...service('Web', KITCHEN, '10.0.0.9', '_http._tcp'),
  ]

  it('is not asked for what they tell, and asked again when they stop', () => {
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

  it('is asked for what they do not tell', () => {
    const stage = new Stage()
    stage.devices.push(new Device(records))
    stage.isConfirmedByBeacon = (_, assertion) => 'address' in assertion || assertion.type === undefined
    stage.run(20_000)
    const since = stage.now
    stage.run(110_000)
    expect(stage.asked('SRV', 'Web._http._tcp.local', since).length).toBeGreaterThan(0)
    expect(stage.asked('SRV', 'Kitchen._earshot._udp.local', since)).toEqual([])
  })

  it('has failed five seconds after it was asked for in vain', () => {
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

  it('unlike one without an earshotd', () => {
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
