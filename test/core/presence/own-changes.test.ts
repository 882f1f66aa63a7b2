import { describe, expect, it } from 'vitest'
import { decode } from '../../../src/core/wire/codec.ts'
import { verifyRecord } from '../../../src/core/wire/record.ts'
import { SimNetwork } from '../sim/network.ts'

describe('this peer’s own changes', () => {
  it('are in the journal, marked as its own, and only if its record has changed', () => {
    const network = new SimNetwork()
    const host = network.host({ name: 'here' })
    network.run(3000)
    const { presence } = host
    const begin = presence.index
    expect(presence.changesSince(0)?.every(({ own }) => own)).toBe(true)
    const { id: _id, ...profile } = presence.self()
    const web = { id: 'web', name: 'Web', type: '_http._tcp', port: 80, txt: {}, subtypes: [] }
    const describeSelf = (services: (typeof web)[], attributes = {}) =>
      presence.setProfile({ ...profile, services, attributes }, network.now)
    describeSelf([web])
    describeSelf([web])
    describeSelf([{ ...web, port: 81 }], { status: 'busy' })
    presence.setInterfaces([], network.now)
    describeSelf([])
    const changes = presence.changesSince(begin)
    expect(changes?.map(({ type }) => type)).toEqual([
      'peer-update',
      'service-up',
      'peer-update',
      'service-update',
      'peer-update',
      'peer-update',
      'service-down',
    ])
    for (const { own, peer } of changes ?? []) {
      expect(own).toBe(true)
      expect(peer).toMatchObject({ id: presence.self().id, name: 'here', state: 'alive' })
    }
    expect(presence.peers()).toEqual([])
    expect(presence.ownPeer(network.now)).toMatchObject({ name: 'here', services: [], addresses: [] })
  })

  it('are announced with the present addresses, even while an earlier announcement is repeated', () => {
    const network = new SimNetwork()
    const moving = network.host({ name: 'moving' })
    network.run(20)
    network.tap = true
    const { presence, interfaces } = moving
    const [eth0] = interfaces
    if (!eth0) throw new Error('no interface')
    interfaces[0] = { ...eth0, addresses: [{ address: '10.0.0.99', family: 'ipv4' }] }
    presence.setInterfaces(interfaces, network.now)
    const { id: _id, ...profile } = presence.self()
    // There are more changes than are sent at once. While a new version waits, the announcement is repeated.
    for (let load = 0; load < 50; load++) {
      presence.setProfile({ ...profile, attributes: { load } }, network.now)
      network.flush(moving)
      network.run(30)
    }
    const announced = recordsIn(network)
    expect(new Set(announced.map(({ recordVersion }) => recordVersion)).size).toBeGreaterThan(5)
    for (const { addresses } of announced) expect(addresses).toEqual(['10.0.0.99'])
  })
})

/** The records that were sent while the wiretap was set. Each of them has one part. */
function recordsIn(network: SimNetwork) {
  return network.wiretap.flatMap(({ outgoing }) => {
    const message = decode(outgoing.bytes)
    if (typeof message !== 'object' || message.type !== 'record') return []
    const record = verifyRecord({ ...message, joined: message.bytes })
    return typeof record === 'object' ? [{ recordVersion: message.recordVersion, addresses: record.addresses }] : []
  })
}
