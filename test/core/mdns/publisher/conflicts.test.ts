import { describe, expect, test } from 'vitest'
import type { ResourceRecord } from '../../../../src/core/mdns/dns/records.ts'
import { lines, type SimulatedHost, Simulation, service } from './simulation.ts'

const names = (...hosts: SimulatedHost[]) => hosts.map(({ publisher }) => publisher.publications[0]?.name)

/** An SRV record of another host under an own name. */
const foreign = (name = 'Shop', target = 'zzz.local'): ResourceRecord => ({
  name: `${name}._http._tcp.local`,
  type: 'SRV',
  ttl: 120,
  flush: true,
  data: { priority: 0, weight: 0, port: 80, target },
})

describe('a name that another host has', () => {
  test('is left to it, and a number is appended', () => {
    const simulation = new Simulation()
    const holder = simulation.host([service('Shop')])
    simulation.run(20_000)
    const late = simulation.host([service('Shop', { id: 'mine' })])
    simulation.run(3000)
    expect(names(holder, late)).toEqual(['Shop', 'Shop (2)'])
    expect(late.publisher.publications[0]?.state).toBe('published')
    expect(late.notices).toEqual([{ type: 'renamed', id: 'mine', service: '_http._tcp', from: 'Shop', to: 'Shop (2)' }])
    expect(holder.notices).toEqual([])
    const third = simulation.host([service('SHOP')])
    simulation.run(5000)
    expect(names(holder, late, third)).toEqual(['Shop', 'Shop (2)', 'SHOP (3)'])
  })

  test('gets a number that fits the label, and keeps it after an update and after the other host is gone', () => {
    const simulation = new Simulation()
    const name = 'ä'.repeat(31)
    const holder = simulation.host([service(name)])
    simulation.run(10_000)
    const late = simulation.host([service(name)])
    simulation.run(3000)
    expect(names(late)).toEqual([`${'ä'.repeat(29)} (2)`])
    holder.publisher.leave(simulation.now)
    simulation.run(3000)
    late.publisher.publish('host2.local', [service(name, { port: 81 })], simulation.now)
    simulation.run(3000)
    expect(names(late)).toEqual([`${'ä'.repeat(29)} (2)`])
  })

  test('is tried again by a service that is published anew', () => {
    const simulation = new Simulation()
    const holder = simulation.host([service('Shop')])
    simulation.run(10_000)
    const { publisher } = simulation.host([service('Shop')])
    simulation.run(3000)
    publisher.publish('host2.local', [], simulation.now)
    holder.publisher.publish('host1.local', [], simulation.now)
    simulation.run(3000)
    publisher.publish('host2.local', [service('Shop')], simulation.now)
    simulation.run(3000)
    expect(publisher.publications[0]?.name).toBe('Shop')
  })

  test('is probed for on every interface and given up on all', () => {
    const simulation = new Simulation()
    simulation.host([service('Shop')], { eth0: 'dmz' })
    simulation.run(10_000)
    const { publisher, addresses } = simulation.host([service('Shop')], { eth0: 'lan', eth1: 'dmz' })
    const [eth0, eth1] = [addresses['eth0'], addresses['eth1']]
    if (!eth0 || !eth1) throw new Error('no interfaces')
    publisher.setInterfaces([eth0], simulation.now)
    simulation.run(10_000)
    expect(publisher.publications[0]?.name).toBe('Shop')
    simulation.take()
    publisher.setInterfaces([eth0, eth1], simulation.now)
    simulation.run(6000)
    expect(publisher.publications[0]).toMatchObject({ name: 'Shop (2)', state: 'published' })
    const goodbyes = simulation.take().filter(({ message }) => message.answers.some(({ ttl }) => ttl === 0))
    expect(goodbyes.map(({ network }) => network)).toEqual(Array(5).fill('lan'))
  })

  test('is not given up for a loopback, a goodbye, or a record received before the first probe', () => {
    const simulation = new Simulation()
    const host = simulation.host([service('Shop')])
    simulation.deliver(host, { answers: [foreign()] })
    simulation.run(500)
    simulation.deliver(host, { answers: [{ ...foreign(), ttl: 0 }, foreign('Shop', 'host1.local')] })
    simulation.deliver(host, { answers: [foreign('Other')] })
    simulation.run(3000)
    expect(names(host)).toEqual(['Shop'])
  })
})

describe('two hosts that start together', () => {
  test('resolve the conflict: one keeps the name, the other gets a number', () => {
    for (let seed = 0; seed < 20; seed++) {
      const simulation = new Simulation(`${seed}`)
      const [a, b] = [simulation.host([service('Shop')]), simulation.host([service('Shop')])]
      simulation.run(5000)
      expect(names(a, b).sort()).toEqual(['Shop', 'Shop (2)'])
      expect([...a.notices, ...b.notices]).toHaveLength(1)
      const settled = names(a, b)
      simulation.run(120_000)
      expect(names(a, b)).toEqual(settled)
    }
  })

  test('and publish the same records have no conflict', () => {
    const simulation = new Simulation()
    const host = simulation.host([service('Shop')])
    simulation.run(400)
    const probe = simulation.take()[0]?.message
    simulation.deliver(host, probe ?? expect.fail())
    simulation.run(700)
    expect(host.publisher.publications[0]).toMatchObject({ name: 'Shop', state: 'published' })
  })

  test('wait a second after losing, and take the name if no host has it', () => {
    const simulation = new Simulation()
    const host = simulation.host([service('Shop')])
    simulation.run(300)
    simulation.take()
    const at = simulation.now
    simulation.ask(host, [{ name: 'Shop._http._tcp.local', type: 'ANY' }], { authorities: [foreign()] })
    simulation.run(5000)
    const said = simulation.take()
    expect(said.find(({ message }) => lines(message.authorities).some((line) => line.startsWith('SRV')))?.at).toBe(
      at + 1000,
    )
    expect(host.publisher.publications[0]).toMatchObject({ name: 'Shop', state: 'published' })
    expect(host.notices).toEqual([])
  })
})

describe('an own name', () => {
  test('is defended at once against a probe', () => {
    const simulation = new Simulation()
    const host = simulation.host([service('Shop')])
    simulation.run(20_000)
    simulation.take()
    const probe = () =>
      simulation.ask(host, [{ name: 'Shop._http._tcp.local', type: 'ANY' }], { authorities: [foreign()] })
    probe()
    expect(lines(simulation.take()[0]?.message.answers ?? [])).toContain(
      'SRV Shop._http._tcp.local 120 flush 80 host1.local',
    )
    simulation.run(250)
    probe()
    expect(simulation.take()).toHaveLength(1)
  })

  test('is probed for again after another host announces it, and kept if that host does not answer', () => {
    const simulation = new Simulation()
    const host = simulation.host([service('Shop')])
    simulation.run(20_000)
    simulation.take()
    simulation.deliver(host, { answers: [foreign()] })
    simulation.deliver(host, { answers: [foreign()] })
    expect(host.publisher.publications[0]?.state).toBe('probing')
    simulation.run(3000)
    expect(host.publisher.publications[0]).toMatchObject({ name: 'Shop', state: 'published' })
    expect(simulation.take().map(({ message }) => message.kind)).toEqual([
      'query',
      'query',
      'query',
      'response',
      'response',
    ])
  })

  test('on two networks that are joined goes to one of the two hosts for good', () => {
    for (let seed = 0; seed < 20; seed++) {
      const simulation = new Simulation(`${seed}`)
      simulation.cut.add('lan')
      const [a, b] = [simulation.host([service('Shop')]), simulation.host([service('Shop')])]
      simulation.run(20_000)
      expect(names(a, b)).toEqual(['Shop', 'Shop'])
      simulation.cut.clear()
      for (const host of [a, b]) simulation.ask(host, [{ name: '_http._tcp.local', type: 'PTR' }])
      simulation.run(10_000)
      expect(names(a, b).sort()).toEqual(['Shop', 'Shop (2)'])
      const settled = names(a, b)
      simulation.run(60_000)
      expect(names(a, b)).toEqual(settled)
    }
  })

  test('is not contested by own earlier records', () => {
    const simulation = new Simulation()
    const host = simulation.host([service('Shop')])
    simulation.run(20_000)
    host.publisher.publish('host1.local', [service('Shop', { txt: { n: '1' } })], simulation.now)
    const echo = simulation.take().at(-1)?.message
    host.publisher.publish('host1.local', [service('Shop', { txt: { n: '2' } })], simulation.now)
    simulation.deliver(host, echo ?? expect.fail())
    expect(host.publisher.publications[0]?.state).toBe('published')
  })
})

describe('a name that was given up', () => {
  const goodbyesOf = (simulation: Simulation, host: string) =>
    simulation
      .take()
      .filter(({ from, message }) => from === host && message.answers.some(({ ttl }) => ttl === 0))
      .flatMap(({ message }) => lines(message.answers.filter(({ ttl }) => ttl === 0)))

  test('gets no more goodbyes once another host probes for it', () => {
    const simulation = new Simulation()
    const first = simulation.host([service('Shop'), service('Till')])
    const next = simulation.host([])
    simulation.run(20_000)
    first.publisher.publish('host1.local', [], simulation.now)
    simulation.run(60)
    expect(goodbyesOf(simulation, 'host1')).toContain('PTR _http._tcp.local 0 Shop._http._tcp.local')
    next.publisher.publish('host2.local', [service('Shop')], simulation.now)
    simulation.run(10_000)
    const said = goodbyesOf(simulation, 'host1')
    expect(said.filter((line) => line.includes('Shop'))).toEqual([])
    expect(said).toContain('PTR _http._tcp.local 0 Till._http._tcp.local')
    expect(names(next)).toEqual(['Shop'])
  })

  test('gets no more goodbyes once another host announces it, with whatever records', () => {
    const simulation = new Simulation()
    const host = simulation.host([service('Shop')])
    simulation.run(20_000)
    host.publisher.publish('host1.local', [], simulation.now)
    simulation.run(60)
    simulation.take()
    simulation.deliver(host, { answers: [foreign('SHOP', 'host1.local')] })
    simulation.run(10_000)
    expect(goodbyesOf(simulation, 'host1').filter((line) => line.includes('Shop'))).toEqual([])
  })

  test('gets goodbyes although an own announcement loops back late', () => {
    const simulation = new Simulation()
    const host = simulation.host([service('Shop')])
    simulation.run(20_000)
    host.publisher.publish('host1.local', [service('Shop', { txt: { n: '1' } })], simulation.now)
    const echo = simulation.take().at(-1)?.message
    host.publisher.publish('host1.local', [], simulation.now)
    simulation.deliver(host, echo ?? expect.fail())
    simulation.run(10_000)
    expect(goodbyesOf(simulation, 'host1').filter((line) => line.startsWith('SRV'))).toHaveLength(5)
  })
})

describe('a hostile host', () => {
  test('that claims every name is probed less and less often', () => {
    const simulation = new Simulation()
    const host = simulation.host([service('Shop')])
    for (let i = 0; i < 12_000; i++) {
      simulation.deliver(host, { answers: [foreign(names(host)[0])] })
      simulation.run(10)
    }
    expect(host.notices.length).toBeGreaterThan(15)
    expect(host.notices.length).toBeLessThan(15 + 120 / 5 + 2)
    simulation.run(10_000)
    expect(host.publisher.publications[0]?.state).toBe('published')
    simulation.run(10_000)
    expect(simulation.agenda.next).toBeUndefined()
  })
})

test('a host name of another host gets a number, and the SRV records point to the new name', () => {
  const simulation = new Simulation()
  const host = simulation.host([service('Shop')])
  simulation.run(20_000)
  const claimed: ResourceRecord = { name: 'host1.local', type: 'A', ttl: 120, flush: true, data: '10.0.0.99' }
  simulation.deliver(host, { answers: [claimed] })
  simulation.run(400)
  simulation.deliver(host, { answers: [claimed] })
  simulation.run(3000)
  expect(host.publisher.hostname).toBe('host1-2.local')
  simulation.take()
  simulation.ask(host, [{ name: 'Shop._http._tcp.local', type: 'SRV' }])
  simulation.run(1000)
  expect(lines(simulation.take().flatMap(({ message }) => [...message.answers, ...message.additionals]))).toEqual([
    'SRV Shop._http._tcp.local 120 flush 80 host1-2.local',
    'A host1-2.local 120 flush 10.0.0.1',
    'AAAA host1-2.local 120 flush fd00::1',
  ])
})
