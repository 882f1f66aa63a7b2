import { describe, expect, it } from 'vitest'
import type { HostAssertion } from '../../../../src/core/presence/peers/types.ts'
import { addressesOf, idOf, OFFICE, Scene } from './scene.ts'

describe('a host that claims to be a peer', () => {
  it('is not listed while that peer is present', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.report('k3vq.local', { claim: idOf(kitchen), addresses: addressesOf(kitchen) })
    scene.network.run(5000)
    expect(scene.list()).toBe('kitchen alive')
    expect(scene.changes()).toEqual(['peer-up kitchen'])
    expect(scene.peers()[0]?.services).toEqual([])
  })

  it('is confirmed by the signed record of that peer while it is alive: its name, addresses and services', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    const { name, hostname, version } = kitchen.presence.self()
    const profile = { name, hostname, version, services: [OFFICE], attributes: {} }
    kitchen.presence.setProfile(profile, scene.network.now)
    scene.network.flush(kitchen)
    scene.network.run(2000)
    const isConfirmedByBeacon = (assertion: HostAssertion, host = 'k3vq.local') =>
      scene.watcher.presence.isConfirmedByBeacon(host, assertion)
    const [address] = addressesOf(kitchen)
    if (!address) throw new Error('no address')
    expect(isConfirmedByBeacon(address)).toBe(false)
    scene.report('k3vq.local', { claim: idOf(kitchen), addresses: [address] })
    scene.report('beside.local', { addresses: [address] })
    expect(isConfirmedByBeacon(address)).toBe(true)
    expect(isConfirmedByBeacon({ ...address, address: '10.9.9.9' })).toBe(false)
    expect(isConfirmedByBeacon(address, 'beside.local')).toBe(false)
    expect(isConfirmedByBeacon({ name: 'kitchen' })).toBe(true)
    expect(isConfirmedByBeacon({ name: 'Kitchen' })).toBe(false)
    expect(isConfirmedByBeacon({ name: 'Office', type: '_ipp._tcp', port: 631 })).toBe(true)
    expect(isConfirmedByBeacon({ name: 'Office', type: '_ipp._tcp' })).toBe(true)
    expect(isConfirmedByBeacon({ name: 'Office', type: '_ipp._tcp', port: 632 })).toBe(false)
    expect(isConfirmedByBeacon({ name: 'Office', type: '_http._tcp' })).toBe(false)
    scene.network.filter = ({ from }) => from.name !== 'kitchen'
    scene.network.run(6000)
    expect(isConfirmedByBeacon(address)).toBe(false)
  })

  it('is not listed until its first beacon has had time to arrive', () => {
    const scene = new Scene()
    scene.network.filter = ({ from }) => from.name !== 'kitchen'
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.report('k3vq.local', { claim: idOf(kitchen), name: 'kitchen' })
    scene.network.run(900)
    expect(scene.list()).toBe('')
    scene.network.filter = () => true
    scene.network.run(2000)
    expect(scene.changes()).toEqual(['peer-up kitchen'])
    scene.report('other.local', { claim: idOf(scene.network.host({ silent: true })) })
    scene.network.run(1501)
    expect(scene.list()).toBe('kitchen alive, other.local alive')
  })

  it('is listed when its beacons stop and it still answers mDNS, until the beacons return', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.report('k3vq.local', { claim: idOf(kitchen), addresses: addressesOf(kitchen), name: 'kitchen' })
    scene.network.filter = ({ from }) => from !== kitchen
    scene.network.run(8000)
    expect(scene.list()).toBe('kitchen failed')
    expect(scene.watcher.presence.takeHostsToQuery()).toEqual(['k3vq.local'])
    scene.report('k3vq.local')
    expect(scene.list()).toBe('kitchen failed, k3vq.local alive')
    expect(scene.watcher.presence.find('k3vq.local')).toMatchObject([{ source: 'mdns', name: 'kitchen' }])
    scene.network.filter = () => true
    scene.network.run(2000)
    expect(scene.list()).toBe('kitchen alive')
    expect(scene.changes()).toEqual([
      'peer-up kitchen',
      'peer-suspect kitchen',
      'peer-failed kitchen',
      'peer-up k3vq.local',
      'service-up Office',
      'peer-left k3vq.local',
      'service-down Office',
      'peer-up kitchen',
    ])
  })

  it('leaves the list before the peer appears, if it was listed before the first beacon', () => {
    const scene = new Scene()
    scene.network.filter = ({ from }) => from.name !== 'kitchen'
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.report('k3vq.local', { claim: idOf(kitchen), name: 'kitchen' })
    scene.network.run(2000)
    expect(scene.list()).toBe('k3vq.local alive')
    scene.network.filter = () => true
    scene.network.run(2000)
    expect(scene.list()).toBe('kitchen alive')
    expect(scene.changes()).toEqual([
      'peer-up k3vq.local',
      'service-up Office',
      'peer-left k3vq.local',
      'service-down Office',
      'peer-up kitchen',
    ])
  })

  it('is never listed when its machine has died', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    const heardAt = scene.network.now
    scene.report('k3vq.local', { claim: idOf(kitchen) })
    scene.network.kill(kitchen)
    scene.network.run(60_000)
    scene.report('k3vq.local', { state: 'suspect', lastSeen: heardAt })
    scene.report('k3vq.local', { state: 'failed', lastSeen: heardAt })
    expect(scene.list()).toBe('kitchen failed')
    expect(scene.changes().filter((change) => change.includes('local'))).toEqual([])
  })

  it('is not listed because of an answer that was sent before the goodbye of the peer', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.report('k3vq.local', { claim: idOf(kitchen) })
    kitchen.presence.leave(scene.network.now)
    scene.network.flush(kitchen)
    scene.network.run(100)
    scene.report('k3vq.local')
    scene.network.run(1000)
    scene.report('k3vq.local', { state: 'left' })
    expect(scene.list()).toBe('kitchen left')
    scene.network.run(5000)
    expect(scene.watcher.presence.takeHostsToQuery()).toEqual([])
    expect(scene.changes()).toEqual(['peer-up kitchen', 'peer-left kitchen'])
  })

  it('is queried after the goodbye of the peer, and is listed if it answers', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.report('k3vq.local', { claim: idOf(kitchen) })
    kitchen.presence.leave(scene.network.now)
    scene.network.flush(kitchen)
    scene.network.run(3000)
    expect(scene.watcher.presence.takeHostsToQuery()).toEqual(['k3vq.local'])
    scene.report('k3vq.local')
    expect(scene.list()).toBe('kitchen left, k3vq.local alive')
  })

  it('leaves the list as soon as it makes the claim', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.report('k3vq.local')
    expect(scene.list()).toBe('kitchen alive, k3vq.local alive')
    scene.report('k3vq.local', { claim: idOf(kitchen) })
    expect(scene.list()).toBe('kitchen alive')
  })

  it('adds nothing to that peer', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    const before = scene.watcher.presence.find('kitchen')
    scene.report('liar.local', { claim: idOf(kitchen), addresses: addressesOf(kitchen), name: 'king' })
    expect(scene.watcher.presence.find('kitchen')).toEqual(before)
    expect(scene.watcher.presence.find('liar.local')).toEqual([])
  })
})
