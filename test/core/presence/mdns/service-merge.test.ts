import { describe, expect, it } from 'vitest'
import type { Service } from '../../../../src/core/wire/record-schema.ts'
import { addressesOf, OFFICE, Scene } from './scene.ts'

describe('the services of an mDNS host that is the same machine as a peer', () => {
  it('are merged into the peer, marked as found by mDNS', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    const { index } = scene
    scene.report('kitchen.local', { addresses: addressesOf(kitchen) })
    expect(scene.list()).toBe('kitchen alive')
    expect(scene.peers()[0]?.services).toEqual([{ ...OFFICE, source: 'mdns', addresses: addressesOf(kitchen) }])
    scene.report('kitchen.local', { services: [{ ...OFFICE, port: 632 }] })
    scene.report('kitchen.local', { services: [] })
    expect(scene.changes(index)).toEqual([
      'peer-update kitchen',
      'service-up Office',
      'peer-update kitchen',
      'service-update Office',
      'peer-update kitchen',
      'service-down Office',
    ])
  })

  it('appear and go in the same change as the peer', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.report('kitchen.local', { addresses: addressesOf(kitchen) })
    const { index } = scene
    scene.network.filter = ({ from }) => from !== kitchen
    scene.network.run(8000)
    scene.report('kitchen.local')
    scene.network.filter = () => true
    scene.network.run(2000)
    expect(scene.changes(index)).toEqual([
      'peer-suspect kitchen',
      'peer-failed kitchen',
      'service-down Office',
      'peer-up kitchen.local',
      'service-up Office',
      'peer-left kitchen.local',
      'service-down Office',
      'peer-up kitchen',
      'service-up Office',
    ])
  })

  it('have the addresses of the host, and no other address of the peer', () => {
    const scene = new Scene()
    scene.report('printer.local', { services: [OFFICE] })
    const liar = scene.network.host({ name: 'liar' })
    const [own] = addressesOf(liar)
    const claimed = [own?.address ?? '', '10.9.9.9'].map((address) => ({ address, family: 'ipv4' as const }))
    liar.presence.setInterfaces([{ name: 'eth0', addresses: claimed, paths: ['broadcast'] }], scene.network.now)
    scene.network.flush(liar)
    scene.network.filter = ({ from, to, bytes, source }) => {
      if (from === liar && to === scene.watcher && bytes[3] === 1) {
        to.presence.receive(bytes, { ...source, address: '10.9.9.9' }, scene.network.now)
        return false
      }
      return true
    }
    scene.network.run(5000)
    expect(scene.list()).toBe('liar alive')
    expect(scene.peers()[0]?.services).toEqual([
      { ...OFFICE, source: 'mdns', addresses: [{ address: '10.9.9.9', family: 'ipv4', interface: 'eth0' }] },
    ])
  })

  it('do not replace or repeat services of the signed record', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.report('kitchen.local', {
      addresses: addressesOf(kitchen),
      services: [OFFICE, { ...OFFICE, id: 'b', port: 1 }],
    })
    const signed: Service = { id: 'print', name: 'Signed', type: '_IPP._tcp', port: 631, txt: {}, subtypes: [] }
    const profile = { name: 'kitchen', hostname: '', version: '', attributes: {} }
    kitchen.presence.setProfile({ ...profile, services: [signed] }, scene.network.now)
    scene.network.flush(kitchen)
    scene.network.run(1000)
    expect(scene.peers()[0]?.services).toEqual([
      signed,
      { ...OFFICE, id: 'b', port: 1, source: 'mdns', addresses: addressesOf(kitchen) },
    ])
    const { index } = scene
    scene.report('kitchen.local', {
      services: [
        { ...OFFICE, txt: {} },
        { ...OFFICE, id: 'b', port: 1 },
      ],
    })
    expect(scene.index).toBe(index)
  })

  // A service with an address has more than 128 bytes, so this limit is reached before that of 256 services.
  it.each([
    ['short', { name: 'a', type: '_a._tcp', txt: {} }],
    ['long', { txt: { note: 'x'.repeat(150) } }],
  ])('are limited to 32 KiB for each peer: %s ones', (_, kind) => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    for (let i = 0; i < 100; i++) {
      const services = Array.from({ length: 15 }, (_, j) => ({ ...OFFICE, ...kind, id: `${i}-${j}`, port: 15 * i + j }))
      scene.report(`made-up-${i}.local`, { addresses: addressesOf(kitchen), services })
    }
    scene.network.run(60_000)
    const services = scene.watcher.presence.find('kitchen')[0]?.services ?? []
    const bytes = services.reduce((sum, service) => sum + JSON.stringify(service).length, 0)
    expect(bytes).toBeGreaterThan(32_000)
    expect(bytes).toBeLessThanOrEqual(32 * 1024)
    expect(services.length).toBeLessThanOrEqual(256)
    expect(scene.list()).toBe('kitchen alive')
  })
})
