import { describe, expect, test } from 'vitest'
import type { Message } from '../../../../src/core/mdns/dns/messages.ts'
import type { ResourceRecord } from '../../../../src/core/mdns/dns/records.ts'
import type { PublishedService } from '../../../../src/core/mdns/publisher/claim.ts'
import { lines, type SimulatedHost, Simulation, service } from './simulation.ts'

/** A message from another mDNS program on the first host. */
const HERE = { address: '10.0.0.1' }

const name = 'Shop._http._tcp.local'
const srv = (port: number, ttl = 120): ResourceRecord => {
  return { name, type: 'SRV', ttl, flush: true, data: { priority: 0, weight: 0, port, target: 'studio.local' } }
}
const address = (data: string): ResourceRecord => ({ name: 'studio.local', type: 'A', ttl: 120, flush: true, data })

function start(services: PublishedService[] = [], machine?: string) {
  const simulation = new Simulation()
  simulation.echoes = false
  return { simulation, host: simulation.host(services, { eth0: 'lan' }, machine) }
}

/** The other program answers each probe while it is alive. */
function runBeside(simulation: Simulation, host: SimulatedHost, ms: number, answers: ResourceRecord[]): void {
  for (const end = simulation.now + ms; simulation.now < end; simulation.run(50)) {
    const isAsked = simulation
      .take()
      .some(({ message }) => message.questions.some((each) => each.name === answers[0]?.name))
    if (isAsked) simulation.deliver(host, { answers }, HERE)
  }
}

const stateOf = ({ publisher }: SimulatedHost) => publisher.publications[0]

describe('a service that another program on this machine publishes', () => {
  test('is left to it, and published after its goodbye', () => {
    const { simulation, host } = start([service('Shop')])
    runBeside(simulation, host, 10_000, [srv(80)])
    expect(stateOf(host)).toMatchObject({ name: 'Shop', state: 'elsewhere' })
    simulation.ask(host, [{ name, type: 'ANY' }])
    simulation.run(1000)
    expect(simulation.take()).toEqual([])
    runBeside(simulation, host, 600_000, [srv(80)])
    expect(stateOf(host)?.state).toBe('elsewhere')
    expect(host.notices).toEqual([])
    simulation.deliver(host, { answers: [srv(80, 0)] }, HERE)
    simulation.run(3000)
    expect(stateOf(host)).toMatchObject({ name: 'Shop', state: 'published' })
  })

  test('is published within two minutes after that program has crashed', () => {
    const { simulation, host } = start([service('Shop')])
    runBeside(simulation, host, 3000, [srv(80)])
    simulation.run(122_000)
    expect(stateOf(host)).toMatchObject({ name: 'Shop', state: 'published' })
    simulation.run(10_000)
    expect(simulation.agenda.next).toBeUndefined()
  })

  test('is left to it even if it starts later, without an answer to its probe and without a goodbye', () => {
    const { simulation, host } = start([service('Shop')])
    simulation.run(20_000)
    simulation.take()
    simulation.ask(host, [{ name, type: 'ANY' }], { authorities: [srv(80)] }, HERE)
    simulation.run(1000)
    expect(stateOf(host)?.state).toBe('elsewhere')
    expect(simulation.take()).toEqual([])
    // After the withdrawal, the other program still has the service.
    host.publisher.publish('host1.local', [], simulation.now)
    simulation.run(10_000)
    expect(simulation.take().flatMap(({ message }) => lines(message.answers))).toEqual([])
  })

  test('is a different service if its port is different or changes', () => {
    const { simulation, host } = start([service('Shop')])
    runBeside(simulation, host, 3000, [srv(81)])
    expect(stateOf(host)).toMatchObject({ name: 'Shop (2)', state: 'published' })
    const later = start([service('Shop')])
    runBeside(later.simulation, later.host, 3000, [srv(80)])
    later.host.publisher.publish('host1.local', [service('Shop', { port: 82 })], later.simulation.now)
    runBeside(later.simulation, later.host, 3000, [srv(80)])
    expect(stateOf(later.host)).toMatchObject({ name: 'Shop (2)', state: 'published' })
  })

  test('is not left to another machine', () => {
    const { simulation, host } = start([service('Shop')])
    simulation.run(400)
    simulation.deliver(host, { answers: [srv(80)] })
    simulation.run(3000)
    expect(stateOf(host)).toMatchObject({ name: 'Shop (2)', state: 'published' })
  })
})

describe("the machine's host name", () => {
  const target = (host: SimulatedHost, simulation: Simulation) => {
    simulation.run(2000)
    simulation.take()
    simulation.ask(host, [{ name, type: 'SRV' }])
    return simulation.take().flatMap(({ message }) => lines([...message.answers, ...message.additionals]))
  }

  test('is used, probed for, and defended against other machines', () => {
    const { simulation, host } = start([service('Shop')], 'studio.local')
    expect(host.publisher.hostname).toBe('studio.local')
    simulation.run(20_000)
    expect(simulation.take()[0]?.message.questions[0]).toEqual({ name: 'studio.local', type: 'ANY' })
    expect(target(host, simulation)).toEqual([
      'SRV Shop._http._tcp.local 120 flush 80 studio.local',
      'A studio.local 120 flush 10.0.0.1',
      'AAAA studio.local 120 flush fd00::1',
    ])
    simulation.ask(host, [{ name: '1.0.0.10.in-addr.arpa', type: 'PTR' }])
    const ipv6 = `1.${'0.'.repeat(29)}d.f.ip6.arpa`
    simulation.ask(host, [{ name: ipv6, type: 'PTR' }])
    expect(simulation.take().flatMap(({ message }) => lines(message.answers))).toEqual([
      'PTR 1.0.0.10.in-addr.arpa 120 flush studio.local',
      `PTR ${ipv6} 120 flush studio.local`,
    ])
    const other = simulation.host([], { eth0: 'lan' }, 'studio.local')
    simulation.run(5000)
    expect([host, other].map(({ publisher }) => publisher.hostname)).toEqual(['studio.local', 'host2.local'])
  })

  test.each([
    ['with the same address', [address('10.0.0.1')]],
    ['with a different address', [address('10.0.0.7')]],
  ])('is left to another program on this machine that has it, %s', (_, answers) => {
    const { simulation, host } = start([service('Shop')], 'studio.local')
    runBeside(simulation, host, 5000, answers)
    expect(host.publisher.hostname).toBe('host1.local')
    expect(target(host, simulation)[0]).toBe('SRV Shop._http._tcp.local 120 flush 80 host1.local')
    simulation.ask(host, [{ name: '1.0.0.10.in-addr.arpa', type: 'PTR' }])
    expect(simulation.take()).toEqual([])
  })

  test('is left to another program on this machine that probes for it later, without a goodbye', () => {
    const { simulation, host } = start([service('Shop')], 'studio.local')
    simulation.run(20_000)
    simulation.take()
    const probe: Partial<Message> = { authorities: [address('10.0.0.1')] }
    simulation.ask(host, [{ name: 'studio.local', type: 'ANY' }], probe, HERE)
    simulation.run(5000)
    const said = simulation.take().flatMap(({ message }) => lines(message.answers))
    expect(said.filter((line) => line.includes('A studio.local'))).toEqual([])
    expect(said).toContain('SRV Shop._http._tcp.local 120 flush 80 host1.local')
    expect(said).toContain('A host1.local 120 flush 10.0.0.1')
  })
})
