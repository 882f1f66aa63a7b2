import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Simulation, service } from './simulation.ts'

/** Hosts that want the same name, their start times, and the state of the network. */
const story = fc.record({
  seed: fc.integer(),
  starts: fc.array(fc.integer({ min: 0, max: 4000 }), { minLength: 2, maxLength: 6 }),
  loss: fc.constantFrom(0, 0.1, 0.3),
  cut: fc.constantFrom(0, 3000, 10_000),
})

test('of all hosts that want the same name, each gets its own name in the end and keeps it', () => {
  fc.assert(
    fc.property(story, ({ seed, starts, loss, cut }) => {
      const simulation = new Simulation(`${seed}`)
      simulation.loss = loss
      if (cut > 0) simulation.cut.add('lan')
      const end = simulation.now + 15_000
      for (const start of starts) {
        simulation.agenda.add(simulation.now + start, () => simulation.host([service('Shop')]))
      }
      simulation.run(cut)
      simulation.cut.clear()
      // Another host sends queries now and then.
      const look = () => {
        for (const host of simulation.hosts) simulation.ask(host, [{ name: '_http._tcp.local', type: 'PTR' }])
      }
      while (simulation.now < end + 45_000) {
        simulation.run(5000)
        if (simulation.now >= end) simulation.loss = 0
        look()
      }
      const publications = () => simulation.hosts.map(({ publisher }) => publisher.publications[0])
      const settled = publications()
      expect(settled.every((each) => each?.state === 'published')).toBe(true)
      const wanted = starts.map((_, i) => (i === 0 ? 'Shop' : `Shop (${i + 1})`))
      if (loss === 0 && cut === 0) expect(settled.map((each) => each?.name).sort()).toEqual(wanted.sort())
      else expect(new Set(settled.map((each) => each?.name)).size).toBe(starts.length)
      for (let i = 0; i < 6; i++) {
        look()
        simulation.run(10_000)
        expect(publications()).toEqual(settled)
      }
    }),
    { numRuns: 40 },
  )
})
