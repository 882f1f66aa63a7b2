import { describe, expect, it } from 'vitest'
import { MAX_MDNS_HOSTS } from '../../../../src/core/presence/mdns/mdns-hosts.ts'
import type { Sighting } from '../../../../src/core/presence/peers/types.ts'
import { collectGarbage } from '../../../garbage.ts'
import { idOf, OFFICE, Scene } from './scene.ts'

describe('a flood of invented hosts', () => {
  it('is limited, leaves other peers and their journal entries alone, and makes room for other hosts when it has gone', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    const { index } = scene
    const services = Array.from({ length: 400 }, (_, i) => ({ ...OFFICE, id: `${i}`, txt: { x: 'y'.repeat(250) } }))
    for (let i = 0; i < MAX_MDNS_HOSTS + 500; i++) {
      scene.report(`made-up-${i}.local`, { services: i % 8 === 0 ? services : [OFFICE] })
    }
    expect(scene.peers().length).toBeLessThan(MAX_MDNS_HOSTS)
    for (const { services } of scene.peers()) expect(JSON.stringify(services).length).toBeLessThan(40_000)
    for (let round = 0; round < 100; round++) {
      for (let i = 0; i < 50; i++) scene.report(`made-up-${i}.local`, { services: [{ ...OFFICE, port: round }] })
      scene.network.run(100)
    }
    expect(scene.watcher.presence.changesSince(index)).toBeDefined()
    expect(scene.watcher.presence.self().limits.peers.now).toBe(1)
    expect(scene.watcher.presence.find('kitchen')).toMatchObject([{ id: idOf(kitchen), state: 'alive' }])

    for (let i = 0; i < MAX_MDNS_HOSTS; i++) scene.report(`made-up-${i}.local`, { state: 'left' })
    scene.network.run(120_000)
    scene.report('printer.local')
    scene.network.run(1000)
    expect(scene.watcher.presence.find('printer.local')).toMatchObject([{ state: 'alive' }])
  })

  it('leaves nothing in memory about hosts that come and go while the budget is used up', async () => {
    const scene = new Scene()
    const services = Array.from({ length: 250 }, (_, i) => ({ ...OFFICE, id: `${i}` }))
    for (let i = 0; i < 10; i++) scene.report(`made-up-${i}.local`, { services })
    expect(scene.peers().length).toBeLessThan(10)
    const { presence } = scene.watcher
    const passing = Array.from({ length: 3 * MAX_MDNS_HOSTS }, (_, i) => {
      const hostname = `passing-${i}.local`
      const heardOn = [{ interface: 'eth0', lastHeard: scene.network.now }]
      const facts = { id: hostname, hostname, name: hostname, addresses: [], services: [OFFICE], version: '' }
      const sighting: Sighting = { ...facts, state: 'alive', claim: undefined, lastSeen: scene.network.now, heardOn }
      presence.sight(sighting, scene.network.now)
      presence.sight({ ...sighting, state: 'left' }, scene.network.now)
      return new WeakRef(heardOn)
    })
    await collectGarbage()
    expect(passing.filter((each) => each.deref()).length).toBeLessThanOrEqual(MAX_MDNS_HOSTS)
    expect(presence.hidden()).toEqual([])
  })
})
