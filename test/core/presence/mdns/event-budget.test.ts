import { describe, expect, it } from 'vitest'
import { MAX_MDNS_HOSTS } from '../../../../src/core/presence/mdns/mdns-hosts.ts'
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
})
