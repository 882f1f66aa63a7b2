import { describe, expect, it } from 'vitest'
import { MDNS_HOST_RETENTION } from '../../../../src/core/presence/mdns/mdns-hosts.ts'
import { addressesOf, idOf, OFFICE, Scene } from './scene.ts'

describe('a host that mDNS finds', () => {
  it('is listed under its host name, with its services', () => {
    const scene = new Scene()
    scene.report('Printer.local')
    expect(scene.peers()).toEqual([
      {
        id: 'printer.local',
        name: 'Printer',
        state: 'alive',
        source: 'mdns',
        hostname: 'Printer.local',
        addresses: [{ address: '10.9.9.9', family: 'ipv4', interface: 'eth0' }],
        services: [{ ...OFFICE, source: 'mdns' }],
        attributes: {},
        version: '',
        incarnation: 0,
        recordVersion: 0,
        interval: 0,
        firstSeen: 1000,
        lastSeen: 1000,
        paths: [{ interface: 'eth0', path: 'mdns', lastHeard: 1000 }],
        beacons: { heard: 0, lost: 0 },
        jitter: 0,
        rtt: undefined,
        flapping: false,
        history: [{ at: 1000, state: 'alive' }],
      },
    ])
    expect(scene.changes()).toEqual(['peer-up printer.local', 'service-up Office'])
  })

  it('causes events when it changes, and none when it was only heard again', () => {
    const scene = new Scene()
    scene.report('printer.local')
    const { index } = scene
    scene.network.run(5000)
    scene.report('printer.local')
    expect(scene.index).toBe(index)
    expect(scene.peers()[0]).toMatchObject({ lastSeen: 6000, firstSeen: 1000, paths: [{ lastHeard: 6000 }] })
    scene.report('printer.local', { services: [{ ...OFFICE, txt: { rp: 'other' } }] })
    scene.report('printer.local', { addresses: [{ address: '10.9.9.8', family: 'ipv4', interface: 'eth0' }] })
    scene.report('printer.local', { services: [] })
    expect(scene.changes(index)).toEqual([
      'peer-update printer.local',
      'service-update Office',
      'peer-update printer.local',
      'peer-update printer.local',
      'service-down Office',
    ])
  })

  it('changes its state as mDNS says, and is removed from the list an hour after it has gone', () => {
    const scene = new Scene()
    scene.report('printer.local')
    const heardAt = scene.network.now
    scene.network.run(5000)
    for (const state of ['suspect', 'failed', 'alive', 'left'] as const) {
      scene.report('printer.local', { state, lastSeen: heardAt })
      scene.network.run(10)
    }
    expect(scene.changes()).toEqual([
      'peer-up printer.local',
      'service-up Office',
      'peer-suspect printer.local',
      'peer-failed printer.local',
      'service-down Office',
      'peer-up printer.local',
      'service-up Office',
      'peer-left printer.local',
      'service-down Office',
    ])
    expect(scene.peers()[0]?.history.map(({ state }) => state)).toEqual(['alive', 'suspect', 'failed', 'alive', 'left'])
    scene.network.run(MDNS_HOST_RETENTION - 1000)
    expect(scene.list()).toBe('printer.local left')
    scene.network.run(2000)
    expect(scene.list()).toBe('')
  })

  it('has the latest 16 states in its history, also in the entry that takes it off the list', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    const { index } = scene
    for (let i = 0; i < 20; i++) scene.report('printer.local', { state: i % 2 === 0 ? 'suspect' : 'alive' })
    scene.report('printer.local', { addresses: addressesOf(kitchen) })
    expect(scene.list()).toBe('kitchen alive')
    const changes = scene.watcher.presence.changesSince(index) ?? []
    const states = changes.flatMap(({ type, peer }) => (type === 'peer-left' ? [peer.history] : []))
    expect(states).toMatchObject([{ length: 16, 15: { state: 'left' } }])
    for (const { peer } of changes) expect(peer.history.length).toBeLessThanOrEqual(16)
  })

  it('has at most 256 services, and at most 32 KiB of them', () => {
    const scene = new Scene()
    const many = (txt: Record<string, string>) =>
      Array.from({ length: 400 }, (_, i) => ({ ...OFFICE, name: 'a', id: `${i}`, txt }))
    scene.report('short.local', { services: many({}) })
    scene.report('long.local', { services: many({ note: 'x'.repeat(150) }) })
    const [short, long] = scene.peers().map(({ services }) => services)
    expect(short).toHaveLength(256)
    const given = long?.map(({ source: _, ...service }) => JSON.stringify(service).length) ?? []
    const bytes = given.reduce((sum, length) => sum + length, 0)
    expect(bytes).toBeGreaterThan(32_000)
    expect(bytes).toBeLessThanOrEqual(32 * 1024)
  })

  it('is found by its host name in any case, by its name, and by the beginning of its host name', () => {
    const scene = new Scene()
    scene.report('Printer.local', { name: 'Big printer' })
    for (const reference of ['printer.local', 'PRINTER.local', 'printer.local.', 'Big printer', 'prin', 'Prin']) {
      expect(scene.watcher.presence.find(reference), reference).toMatchObject([{ id: 'printer.local' }])
    }
    for (const reference of ['pri', 'printer.locale', 'big printer', '']) {
      expect(scene.watcher.presence.find(reference), reference).toEqual([])
    }
  })

  it('does not take the name of a peer that sends beacons: both are found by the name, and each by its id', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    const short = idOf(kitchen).slice(0, 8)
    scene.report('impostor.local', { name: 'kitchen' })
    scene.report(`${short}.local`, { name: short })
    const sources = () => scene.watcher.presence.find('kitchen').map(({ source }) => source)
    expect(sources()).toEqual(['beacon', 'mdns'])
    for (const reference of [short, idOf(kitchen)]) {
      expect(scene.watcher.presence.find(reference), reference).toMatchObject([{ id: idOf(kitchen) }])
    }
    expect(scene.watcher.presence.find(`${short}.local`)).toMatchObject([{ source: 'mdns' }])
    scene.network.kill(kitchen)
    scene.network.run(10_000)
    expect(sources()).toEqual(['beacon', 'mdns'])
  })

  it('is not listed if it has left before it was first seen', () => {
    const scene = new Scene()
    scene.report('printer.local', { state: 'left' })
    expect([scene.list(), scene.changes()]).toEqual(['', []])
  })
})

describe('a hidden host', () => {
  it('is available with the peer that it is identified as, and the reason', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.report('printer.local')
    scene.report('said.local', { claim: idOf(kitchen) })
    scene.report('there.local', { addresses: addressesOf(kitchen), services: [{ ...OFFICE, id: 'there' }] })
    scene.report('own.local', { addresses: addressesOf(scene.watcher) })
    const hidden = () => scene.watcher.presence.hidden().map(({ id, hidden }) => [id, hidden?.name, hidden?.because])
    expect(hidden()).toEqual([
      ['said.local', 'kitchen', 'claim'],
      ['there.local', 'kitchen', 'address'],
      ['own.local', 'watcher', 'address'],
    ])
    expect(scene.watcher.presence.hidden()[1]).toMatchObject({ state: 'alive', services: [{ id: 'there' }] })
    scene.report('there.local', { state: 'left' })
    scene.report('said.local', { claim: undefined })
    expect(hidden()).toEqual([['own.local', 'watcher', 'address']])
  })
})
