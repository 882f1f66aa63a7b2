import fc from 'fast-check'
import { expect, test } from 'vitest'
import { messageOf } from '../tools/arbitrary.ts'
import { Simulation, service } from './simulation.ts'

const name = fc.oneof(
  fc.constantFrom(
    'host1.local',
    'HOST1.local',
    'Shop._http._tcp.local',
    'Shop (2)._http._tcp.local',
    '_http._tcp.local',
    '_fine._sub._http._tcp.local',
    '_services._dns-sd._udp.local',
    '',
  ),
  fc.string({ maxLength: 80 }),
)
const message = messageOf({
  name,
  priority: fc.constantFrom(0, 9),
  port: fc.constantFrom(0, 80),
  ipv4: fc.oneof(fc.constant('10.0.0.1'), fc.ipV4()),
  ipv6: fc.oneof(fc.constant('fe80::1'), fc.ipV6()),
})
const step = fc.record({
  message,
  address: fc.constantFrom('10.0.0.7', '10.0.0.8', 'fe80::7'),
  port: fc.constantFrom(5353, 5353, 40_000),
  wait: fc.constantFrom(0, 1, 100, 1000),
})

test('any messages cause no exception, few messages, and silence in the end', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const simulation = new Simulation()
      const { publisher } = simulation.host([service('Shop', { subtypes: ['fine'] })])
      for (const { message, address, port, wait } of steps) {
        simulation.deliver(simulation.hosts[0] ?? expect.fail(), message, { address, port })
        simulation.run(wait)
      }
      simulation.run(30_000)
      expect(publisher.publications[0]?.state).toBe('published')
      expect(simulation.sent.length).toBeLessThan(20 + steps.length * 10)
      expect(simulation.agenda.next).toBeUndefined()
      publisher.leave(simulation.now)
    }),
    { numRuns: 150 },
  )
})
