import { describe, expect, it } from 'vitest'
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
})
