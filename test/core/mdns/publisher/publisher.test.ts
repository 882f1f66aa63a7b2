import { describe, expect, test } from 'vitest'
import { encoded } from '../tools/encoded.ts'
import { interfaceOf, lines, type SentMessage, Simulation, service } from './simulation.ts'

const HOST = ['A host1.local 120 flush 10.0.0.1', 'AAAA host1.local 120 flush fd00::1']
const SHOP = [
  'PTR _http._tcp.local 4500 Shop._http._tcp.local',
  'SRV Shop._http._tcp.local 120 flush 80 host1.local',
  'TXT Shop._http._tcp.local 4500 flush ""',
  'PTR _services._dns-sd._udp.local 4500 _http._tcp.local',
]

/** When something was sent, and its answers. */
const answers = (said: SentMessage[], since: number) =>
  said
    .filter(({ message }) => message.kind === 'response')
    .map(({ at, message }) => ({
      at: Math.round(at - since),
      answers: lines(message.answers),
    }))

describe('a publisher', () => {
  test('probes three times, 250 ms apart, within a second after the start', () => {
    const simulation = new Simulation()
    simulation.host([service('Shop')])
    const start = simulation.now
    simulation.run(749)
    const probes = simulation.take()
    expect(probes[0]?.at).toBeLessThan(start + 250)
    expect(probes.map(({ at }) => Math.round(at - (probes[0]?.at ?? 0)))).toEqual([0, 250, 500])
    for (const { message } of probes) {
      expect(message.questions).toEqual([
        { name: 'host1.local', type: 'ANY' },
        { name: 'Shop._http._tcp.local', type: 'ANY' },
      ])
      expect(lines(message.authorities)).toEqual([
        'A host1.local 120 10.0.0.1',
        'AAAA host1.local 120 fd00::1',
        'SRV Shop._http._tcp.local 120 80 host1.local',
        'TXT Shop._http._tcp.local 4500 ""',
      ])
    }
  })

  test('announces all its records at 0, 1, 3 and 7 s, and is silent after that', () => {
    const simulation = new Simulation()
    const { publisher } = simulation.host([service('Shop')])
    expect(publisher.publications).toEqual([{ id: 'Shop', name: 'Shop', type: '_http._tcp', state: 'probing' }])
    simulation.run(60_000)
    const said = answers(simulation.take(), 0)
    const first = said[0]?.at ?? 0
    expect(said.map(({ at }) => at - first)).toEqual([0, 1000, 3000, 7000])
    for (const each of said) expect(each.answers).toEqual([...HOST, ...SHOP])
    expect(publisher.publications).toEqual([{ id: 'Shop', name: 'Shop', type: '_http._tcp', state: 'published' }])
  })

  test('announces an update at once and again after 1 s, without probing, under the same name', () => {
    const simulation = new Simulation()
    const { publisher } = simulation.host([service('Shop')])
    simulation.run(20_000)
    simulation.take()
    publisher.publish('host1.local', [service('Shop', { txt: { open: 'yes' } })], simulation.now)
    simulation.run(5000)
    const said = simulation.take()
    expect(said.every(({ message }) => message.kind === 'response')).toBe(true)
    const txt = 'TXT Shop._http._tcp.local 4500 flush "open=yes"'
    expect(answers(said, simulation.now - 5000)).toEqual([
      { at: 0, answers: [txt] },
      { at: 1000, answers: [txt] },
    ])
    expect(publisher.publications[0]?.state).toBe('published')
  })

  test('limits how often updates are announced, and always announces the last', () => {
    const simulation = new Simulation()
    const { publisher } = simulation.host([service('Shop')])
    simulation.run(20_000)
    simulation.take()
    for (let n = 1; n <= 200; n++) {
      publisher.publish('host1.local', [service('Shop', { txt: { n: `${n}` } })], simulation.now)
      simulation.run(10)
    }
    simulation.run(5000)
    const said = simulation.take()
    expect(said.length).toBeLessThan(12)
    expect(lines(said.at(-1)?.message.answers ?? [])).toEqual(['TXT Shop._http._tcp.local 4500 flush "n=200"'])
    expect(simulation.hosts[0]?.notices).toEqual([])
  })

  test('sends five goodbyes, only for records that no other service needs', () => {
    const simulation = new Simulation()
    const { publisher } = simulation.host([service('Shop'), service('Till')])
    simulation.run(20_000)
    simulation.take()
    publisher.publish('host1.local', [service('Till')], simulation.now)
    simulation.run(5000)
    const bye = SHOP.slice(0, 3).map((line) => line.replace(/local (120|4500)/, 'local 0'))
    expect(answers(simulation.take(), simulation.now - 5000)).toEqual(
      [0, 50, 1500, 2500, 4000].map((at) => ({ at, answers: bye })),
    )
    publisher.publish('host1.local', [], simulation.now)
    simulation.run(2000)
    expect(answers(simulation.take(), 0)[2]?.answers).toContain('PTR _services._dns-sd._udp.local 0 _http._tcp.local')
    simulation.ask(simulation.hosts[0] ?? expect.fail(), [{ name: 'host1.local', type: 'A' }])
    expect(answers(simulation.take(), simulation.now)).toEqual([{ at: 0, answers: [HOST[0]] }])
  })

  test('announces new subtypes and sends goodbyes for removed ones', () => {
    const simulation = new Simulation()
    const { publisher } = simulation.host([service('Shop', { subtypes: ['old', 'both'] })])
    simulation.run(20_000)
    simulation.take()
    publisher.publish('host1.local', [service('Shop', { subtypes: ['both', 'new'] })], simulation.now)
    simulation.run(40)
    expect(answers(simulation.take(), simulation.now - 40)).toEqual([
      { at: 0, answers: ['PTR _new._sub._http._tcp.local 4500 Shop._http._tcp.local'] },
      { at: 0, answers: ['PTR _old._sub._http._tcp.local 0 Shop._http._tcp.local'] },
    ])
  })

  test('sends goodbyes for all records within 100 ms when it leaves, and nothing after that', () => {
    const simulation = new Simulation()
    const host = simulation.host([service('Shop')])
    simulation.run(3500)
    simulation.take()
    host.publisher.leave(simulation.now)
    simulation.run(100)
    const bye = [...HOST, ...SHOP].map((line) => line.replace(/local (120|4500)/, 'local 0'))
    expect(answers(simulation.take(), simulation.now - 100)).toEqual([0, 50, 100].map((at) => ({ at, answers: bye })))
    simulation.ask(host, [{ name: 'Shop._http._tcp.local', type: 'ANY' }])
    host.publisher.publish('host1.local', [service('Till')], simulation.now)
    simulation.run(20_000)
    expect(simulation.take()).toEqual([])
  })

  test('appends a number to the second of two own services with the same name, without a conflict', () => {
    const simulation = new Simulation()
    const { publisher, notices } = simulation.host([
      service('Shop', { id: 'a' }),
      service('shop', { id: 'b' }),
      service('Shop', { id: 'c', type: '_ipp._tcp' }),
    ])
    simulation.run(20_000)
    expect(publisher.publications.map(({ id, name, state }) => [id, name, state])).toEqual([
      ['a', 'Shop', 'published'],
      ['b', 'shop (2)', 'published'],
      ['c', 'Shop', 'published'],
    ])
    publisher.publish('host1.local', [service('shop', { id: 'b' })], simulation.now)
    expect(publisher.publications[0]?.name).toBe('shop (2)')
    expect(notices).toEqual([])
  })

  test('publishes a service with another name or type as a new one', () => {
    const simulation = new Simulation()
    const { publisher } = simulation.host([service('Shop', { id: 'a' })])
    simulation.run(20_000)
    simulation.take()
    publisher.publish('host1.local', [service('Till', { id: 'a' })], simulation.now)
    expect(publisher.publications).toEqual([{ id: 'a', name: 'Till', type: '_http._tcp', state: 'probing' }])
    simulation.run(2000)
    const said = simulation.take()
    expect(lines(said[0]?.message.answers ?? [])).toContain('SRV Shop._http._tcp.local 0 flush 80 host1.local')
    expect(lines(said.at(-1)?.message.answers ?? [])).toContain('SRV Till._http._tcp.local 120 flush 80 host1.local')
  })

  test('changes the host name, and updates the SRV records of its services', () => {
    const simulation = new Simulation()
    const { publisher } = simulation.host([service('Shop')])
    simulation.run(20_000)
    simulation.take()
    publisher.publish('other.local', [service('Shop')], simulation.now)
    expect(publisher.hostname).toBe('other.local')
    simulation.run(900)
    const said = simulation.take().flatMap(({ message }) => lines(message.answers))
    expect(said).toContain('A host1.local 0 flush 10.0.0.1')
    expect(said).toContain('SRV Shop._http._tcp.local 120 flush 80 other.local')
    simulation.run(1100)
    said.push(...simulation.take().flatMap(({ message }) => lines(message.answers)))
    expect(said).toContain('A other.local 120 flush 10.0.0.1')
  })

  test('keeps messages below 1400 bytes', () => {
    const simulation = new Simulation()
    const many = Array.from({ length: 100 }, (_, i) => service(`Shop ${i}`, { txt: { about: 'x'.repeat(i * 2) } }))
    simulation.host(many)
    simulation.run(20_000)
    const said = simulation.take()
    const records = said.flatMap(({ message }) => [...message.answers, ...message.authorities])
    expect(new Set(lines(records).filter((line) => line.startsWith('SRV'))).size).toBe(200) // with and without the cache-flush bit
    for (const { message } of said) {
      expect(encoded(message).length).toBeLessThanOrEqual(1400)
      expect(message.answers.length + message.questions.length).toBeGreaterThan(1)
    }
  })
})

test('an announcement contains all that is needed to connect', () => {
  const simulation = new Simulation()
  simulation.host(Array.from({ length: 100 }, (_, i) => service(`Shop ${i}`, { txt: { about: 'x'.repeat(i * 2) } })))
  simulation.run(20_000)
  for (const { message } of simulation.take().filter((each) => each.message.kind === 'response')) {
    const all = lines([...message.answers, ...message.additionals])
    expect(new Set(all).size).toBe(all.length)
    expect(all).toEqual(expect.arrayContaining(HOST))
    for (const { name } of message.answers.filter(({ type }) => type === 'SRV')) {
      expect(all.some((line) => line.startsWith('PTR _http._tcp.local') && line.endsWith(name))).toBe(true)
      expect(all.some((line) => line.startsWith(`TXT ${name}`))).toBe(true)
    }
  }
})

describe('interfaces', () => {
  test('are announced with their own addresses only', () => {
    const simulation = new Simulation()
    simulation.host([service('Shop')], { eth0: 'lan', eth1: 'dmz' })
    simulation.run(20_000)
    const addresses = (network: string) => {
      const said = simulation.sent.filter((each) => each.network === network).flatMap(({ message }) => message.answers)
      return new Set(said.flatMap(({ type, data }) => (type === 'A' ? [data] : [])))
    }
    expect(addresses('lan')).toEqual(new Set(['10.0.0.1']))
    expect(addresses('dmz')).toEqual(new Set(['10.0.1.1']))
  })

  test('that appear later are probed and announced on; those that are gone are not used', () => {
    const simulation = new Simulation()
    const { publisher } = simulation.host([service('Shop')])
    simulation.run(20_000)
    simulation.take()
    publisher.setInterfaces([], simulation.now)
    expect(publisher.publications[0]?.state).toBe('waiting')
    publisher.setInterfaces([interfaceOf('eth1', '10.9.0.1', 7)], simulation.now)
    expect(publisher.publications[0]?.state).toBe('probing')
    simulation.run(2500)
    const said = simulation.take()
    expect(said.map(({ message }) => message.kind)).toEqual(['query', 'query', 'query', 'response', 'response'])
    expect(lines(said.at(-1)?.message.answers ?? [])).toEqual([
      'A host1.local 120 flush 10.9.0.1',
      'AAAA host1.local 120 flush fd00::7',
      ...SHOP,
    ])
    publisher.setInterfaces([], simulation.now)
    simulation.run(20_000)
    expect(simulation.take()).toEqual([])
  })

  test('whose addresses change are announced with the whole new set', () => {
    const simulation = new Simulation()
    const { publisher } = simulation.host([service('Shop')])
    simulation.run(20_000)
    simulation.take()
    const changed = interfaceOf('eth0', '10.0.0.1', 1)
    changed.addresses.push({ address: 'fd00::99', family: 'ipv6' })
    publisher.setInterfaces([changed], simulation.now)
    const aaaa = ['AAAA host1.local 120 flush fd00::1', 'AAAA host1.local 120 flush fd00::99']
    expect(answers(simulation.take(), simulation.now)).toEqual([{ at: 0, answers: aaaa }])
    publisher.setInterfaces([{ ...changed, addresses: changed.addresses.slice(1) }], simulation.now)
    expect(answers(simulation.take(), simulation.now)).toEqual([{ at: 0, answers: ['A host1.local 0 flush 10.0.0.1'] }])
    simulation.run(5000)
    expect(simulation.take().every(({ message }) => message.kind === 'response')).toBe(true)
  })

  test('in the same network cause no conflict', () => {
    const simulation = new Simulation()
    const { publisher, notices } = simulation.host([service('Shop')], { eth0: 'lan', wlan0: 'lan' })
    simulation.run(60_000)
    expect(publisher.hostname).toBe('host1.local')
    expect(publisher.publications[0]).toMatchObject({ name: 'Shop', state: 'published' })
    expect(notices).toEqual([])
    expect(simulation.sent).toHaveLength(14)
  })
})
