import { describe, expect, it } from 'vitest'
import type { Sighting } from '../../../../src/core/presence/peers/types.ts'
import { addressesOf, idOf, OFFICE, Scene } from './scene.ts'

describe('a host at an address that the beacons of a peer come from', () => {
  it('is another host if the interface differs', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.report('stranger.local', { addresses: addressesOf(kitchen).map((on) => ({ ...on, interface: 'wlan0' })) })
    expect(scene.list()).toBe('kitchen alive, stranger.local alive')
  })

  it('leaves the list when the first beacons arrive', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.report('kitchen.local', { addresses: addressesOf(kitchen) })
    expect(scene.list()).toBe('kitchen.local alive')
    scene.network.run(2000)
    expect(scene.list()).toBe('kitchen alive')
    expect(scene.changes()).toEqual([
      'peer-up kitchen.local',
      'service-up Office',
      'peer-up kitchen',
      'peer-left kitchen.local',
      'service-down Office',
      'peer-update kitchen',
      'service-up Office',
    ])
  })

  it('stays in the list if only the record of the peer has the address', () => {
    const scene = new Scene()
    scene.report('printer.local')
    const liar = scene.network.host({ name: 'liar' })
    const [own] = addressesOf(liar)
    const claimed = [own?.address ?? '', '10.9.9.9'].map((address) => ({ address, family: 'ipv4' as const }))
    liar.presence.setInterfaces([{ name: 'eth0', addresses: claimed, paths: ['broadcast'] }], scene.network.now)
    scene.network.flush(liar)
    scene.network.run(5000)
    scene.report('printer.local')
    scene.report('late.local', { services: [{ ...OFFICE, id: 'late' }] })
    scene.network.run(2000)
    expect(scene.list()).toBe('liar alive, printer.local alive, late.local alive')
    const [view] = scene.watcher.presence.find('liar')
    expect(view?.services).toEqual([])
    expect(view?.addresses.map(({ address }) => address)).toEqual(claimed.map(({ address }) => address))
    expect(new Set(view?.paths.map(({ address }) => address))).toEqual(new Set([own?.address]))
  })

  it('stays identified as the peer that used the address first', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    const addresses = addressesOf(kitchen)
    const liar = scene.network.host({ name: 'liar' })
    const claimed = addresses.map(({ address, family }) => ({ address, family }))
    liar.presence.setInterfaces([{ name: 'eth0', addresses: claimed, paths: ['broadcast'] }], scene.network.now)
    scene.network.flush(liar)
    scene.network.filter = ({ from, to, bytes, source }) => {
      if (from === liar)
        to.presence.receive(bytes, { ...source, address: addresses[0]?.address ?? '' }, scene.network.now)
      return from !== liar
    }
    scene.network.run(3000)
    scene.report('kitchen.local', { addresses })
    expect(scene.watcher.presence.find('kitchen')).toMatchObject([{ services: [{ id: OFFICE.id }] }])
    expect(scene.watcher.presence.find('liar')).toMatchObject([{ services: [] }])
  })

  it('is listed when the beacons stop and it still answers mDNS', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.report('kitchen.local', { addresses: addressesOf(kitchen) })
    scene.network.kill(kitchen)
    scene.network.run(8000)
    expect(scene.list()).toBe('kitchen failed')
    expect(scene.peers()[0]?.services).toEqual([])
    expect(scene.watcher.presence.takeHostsToQuery()).toEqual(['kitchen.local'])
    scene.report('kitchen.local')
    expect(scene.list()).toBe('kitchen failed, kitchen.local alive')
    expect(scene.changes().slice(-4)).toEqual([
      'peer-failed kitchen',
      'service-down Office',
      'peer-up kitchen.local',
      'service-up Office',
    ])
  })
})

describe('a host at an address of this machine', () => {
  it('is not listed, on whichever interface it is heard', () => {
    const scene = new Scene()
    const own = addressesOf(scene.watcher)
    scene.report('watcher.local', { addresses: own })
    scene.report('again.local', { addresses: own.map((on) => ({ ...on, interface: 'wlan0' })) })
    scene.report('own.local', { claim: idOf(scene.watcher) })
    scene.network.run(3000)
    expect([scene.list(), scene.changes()]).toEqual(['', []])
  })

  it('is recognized in every spelling of the address', () => {
    const scene = new Scene()
    const addresses: Sighting['addresses'] = [{ address: 'FD00:0::0001', family: 'ipv6', interface: 'eth0' }]
    scene.report('watcher.local', { addresses })
    expect(scene.list()).toBe('watcher.local alive')
    scene.watcher.presence.setInterfaces(
      [{ name: 'eth0', addresses: [{ address: 'fd00::1', family: 'ipv6' }], paths: ['multicast6'] }],
      scene.network.now,
    )
    expect(scene.list()).toBe('')
  })
})
