import { describe, expect, it } from 'vitest'
import { Agenda } from '../../../src/core/agenda.ts'
import type { DatagramSource } from '../../../src/core/link.ts'
import type { Change, PeerView, Saying, Sighting } from '../../../src/core/presence/index.ts'
import { MAX_MDNS_HOSTS, MDNS_HOST_RETENTION } from '../../../src/core/presence/mdns/mdns-hosts.ts'
import { PeerList } from '../../../src/core/presence/peer-list.ts'
import { MAX_RECORDS_BYTES } from '../../../src/core/presence/peers/registry.ts'
import { Self } from '../../../src/core/presence/peers/self.ts'
import { type PeerId, SEAL_BYTES, type Service, writeDigest } from '../../../src/core/wire/index.ts'
import { type SimHost, SimNetwork, seededIdentity, seededRandom } from '../sim/network.ts'

const OFFICE: Service = {
  id: 'Office._ipp._tcp',
  name: 'Office',
  type: '_ipp._tcp',
  port: 631,
  txt: { rp: 'ipp/print' },
  subtypes: [],
}

/** A watcher on a simulated network, and what mDNS tells it. */
class Scene {
  readonly network = new SimNetwork()
  readonly watcher = this.network.host({ name: 'watcher' })
  readonly #seen = new Map<string, Sighting>()

  /** A host is seen as it was, or as given, and heard now unless given otherwise. */
  see(hostname: string, given: Partial<Sighting> = {}): void {
    const id = hostname.toLowerCase()
    const { now } = this.network
    const sighting: Sighting = {
      id,
      hostname,
      name: hostname.replace(/\.local$/, ''),
      state: 'alive',
      addresses: [{ address: '10.9.9.9', family: 'ipv4', interface: 'eth0' }],
      services: [OFFICE],
      version: '',
      claim: undefined,
      ...this.#seen.get(id),
      lastSeen: now,
      heardOn: [{ interface: 'eth0', lastHeard: now }],
      ...given,
    }
    this.#seen.set(id, sighting)
    this.watcher.presence.sight(sighting, now)
    this.network.flush(this.watcher)
  }

  peers(): PeerView[] {
    return this.watcher.presence.peers()
  }

  /** `kitchen alive, printer.local failed` */
  list(): string {
    return this.peers()
      .map(({ id, source, name, state }) => `${source === 'mdns' ? id : name} ${state}`)
      .join(', ')
  }

  /** The changes of others after `index`: `peer-up printer.local`, `service-up Office` */
  changes(index = 0): string[] {
    const changes = (this.watcher.presence.changesSince(index) ?? []).filter(({ own }) => !own)
    return changes.map((change) => `${change.type} ${subject(change)}`)
  }

  get index(): number {
    return this.watcher.presence.index
  }
}

function subject(change: Change): string {
  if ('service' in change) return change.service.name
  return change.peer.source === 'mdns' ? change.peer.id : change.peer.name
}

function idOf(host: SimHost): PeerId {
  return host.presence.self().id
}

function addressesOf(host: SimHost): Sighting['addresses'] {
  return host.interfaces.flatMap(({ name, addresses }) => addresses.map((each) => ({ ...each, interface: name })))
}

describe('a host that mDNS finds', () => {
  it('is a peer by its host name, with the services that it offers', () => {
    const scene = new Scene()
    scene.see('Printer.local')
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

  it('is told of when something has changed, and not when it was only heard again', () => {
    const scene = new Scene()
    scene.see('printer.local')
    const { index } = scene
    scene.network.run(5000)
    scene.see('printer.local')
    expect(scene.index).toBe(index)
    expect(scene.peers()[0]).toMatchObject({ lastSeen: 6000, firstSeen: 1000, paths: [{ lastHeard: 6000 }] })
    scene.see('printer.local', { services: [{ ...OFFICE, txt: { rp: 'other' } }] })
    scene.see('printer.local', { addresses: [{ address: '10.9.9.8', family: 'ipv4', interface: 'eth0' }] })
    scene.see('printer.local', { services: [] })
    expect(scene.changes(index)).toEqual([
      'peer-update printer.local',
      'service-update Office',
      'peer-update printer.local',
      'peer-update printer.local',
      'service-down Office',
    ])
  })

  it('goes suspect and fails as mDNS says, comes back, and is forgotten an hour after it has gone', () => {
    const scene = new Scene()
    scene.see('printer.local')
    const heardAt = scene.network.now
    scene.network.run(5000)
    for (const state of ['suspect', 'failed', 'alive', 'left'] as const) {
      scene.see('printer.local', { state, lastSeen: heardAt })
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

  it('is found by its host name in any case, by its name, and by the beginning of its host name', () => {
    const scene = new Scene()
    scene.see('Printer.local', { name: 'Big printer' })
    for (const reference of ['printer.local', 'PRINTER.local', 'printer.local.', 'Big printer', 'prin', 'Prin']) {
      expect(scene.watcher.presence.find(reference), reference).toMatchObject([{ id: 'printer.local' }])
    }
    for (const reference of ['pri', 'printer.locale', 'big printer', '']) {
      expect(scene.watcher.presence.find(reference), reference).toEqual([])
    }
  })

  it('takes no name from a peer that beacons: both are found, and each by its id', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    const short = idOf(kitchen).slice(0, 8)
    scene.see('impostor.local', { name: 'kitchen' })
    scene.see(`${short}.local`, { name: short })
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

  it('that has left before it was seen is nothing', () => {
    const scene = new Scene()
    scene.see('printer.local', { state: 'left' })
    expect([scene.list(), scene.changes()]).toEqual(['', []])
  })
})

describe('a host that runs an earshotd', () => {
  it('is its beaconing peer while that is there, and told of once', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.see('k3vq.local', { claim: idOf(kitchen), addresses: addressesOf(kitchen) })
    scene.network.run(5000)
    expect(scene.list()).toBe('kitchen alive')
    expect(scene.changes()).toEqual(['peer-up kitchen'])
    expect(scene.peers()[0]?.services).toEqual([])
  })

  it('is told of by its beacons for as long as they come: its name, its addresses and what its record offers', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    const { name, hostname, version } = kitchen.presence.self()
    const profile = { name, hostname, version, services: [OFFICE], attributes: {} }
    kitchen.presence.describe(profile, scene.network.now)
    scene.network.flush(kitchen)
    scene.network.run(2000)
    const isSigned = (saying: Saying, host = 'k3vq.local') => scene.watcher.presence.isSigned(host, saying)
    const [address] = addressesOf(kitchen)
    if (!address) throw new Error('no address')
    expect(isSigned(address)).toBe(false)
    scene.see('k3vq.local', { claim: idOf(kitchen), addresses: [address] })
    scene.see('beside.local', { addresses: [address] })
    expect(isSigned(address)).toBe(true)
    expect(isSigned({ ...address, address: '10.9.9.9' })).toBe(false)
    expect(isSigned(address, 'beside.local')).toBe(false)
    expect(isSigned({ name: 'kitchen' })).toBe(true)
    expect(isSigned({ name: 'Kitchen' })).toBe(false)
    expect(isSigned({ name: 'Office', type: '_ipp._tcp', port: 631 })).toBe(true)
    expect(isSigned({ name: 'Office', type: '_ipp._tcp' })).toBe(true)
    expect(isSigned({ name: 'Office', type: '_ipp._tcp', port: 632 })).toBe(false)
    expect(isSigned({ name: 'Office', type: '_http._tcp' })).toBe(false)
    scene.network.filter = ({ from }) => from.name !== 'kitchen'
    scene.network.run(6000)
    expect(isSigned(address)).toBe(false)
  })

  it('is given a moment to be heard by its beacons first', () => {
    const scene = new Scene()
    scene.network.filter = ({ from }) => from.name !== 'kitchen'
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.see('k3vq.local', { claim: idOf(kitchen), name: 'kitchen' })
    scene.network.run(900)
    expect(scene.list()).toBe('')
    scene.network.filter = () => true
    scene.network.run(2000)
    expect(scene.changes()).toEqual(['peer-up kitchen'])
    scene.see('other.local', { claim: idOf(scene.network.host({ silent: true })) })
    scene.network.run(1501)
    expect(scene.list()).toBe('kitchen alive, other.local alive')
  })

  it('comes up by itself when its beacons fail and it still answers, and goes back behind them', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.see('k3vq.local', { claim: idOf(kitchen), addresses: addressesOf(kitchen), name: 'kitchen' })
    scene.network.filter = ({ from }) => from !== kitchen
    scene.network.run(8000)
    expect(scene.list()).toBe('kitchen failed')
    expect(scene.watcher.presence.takeHostsToQuery()).toEqual(['k3vq.local'])
    scene.see('k3vq.local')
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

  it('that was listed before its first beacon leaves before the peer comes up', () => {
    const scene = new Scene()
    scene.network.filter = ({ from }) => from.name !== 'kitchen'
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.see('k3vq.local', { claim: idOf(kitchen), name: 'kitchen' })
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

  it('whose machine has died does not come up, and is not there when its records expire', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    const heardAt = scene.network.now
    scene.see('k3vq.local', { claim: idOf(kitchen) })
    scene.network.kill(kitchen)
    scene.network.run(60_000)
    scene.see('k3vq.local', { state: 'suspect', lastSeen: heardAt })
    scene.see('k3vq.local', { state: 'failed', lastSeen: heardAt })
    expect(scene.list()).toBe('kitchen failed')
    expect(scene.changes().filter((change) => change.includes('local'))).toEqual([])
  })

  it('does not come up for what was under way when it said goodbye', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.see('k3vq.local', { claim: idOf(kitchen) })
    kitchen.presence.leave(scene.network.now)
    scene.network.flush(kitchen)
    scene.network.run(100)
    scene.see('k3vq.local')
    scene.network.run(1000)
    scene.see('k3vq.local', { state: 'left' })
    expect(scene.list()).toBe('kitchen left')
    scene.network.run(5000)
    expect(scene.watcher.presence.takeHostsToQuery()).toEqual([])
    expect(scene.changes()).toEqual(['peer-up kitchen', 'peer-left kitchen'])
  })

  it('that answers on after it said goodbye is asked, and comes up', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.see('k3vq.local', { claim: idOf(kitchen) })
    kitchen.presence.leave(scene.network.now)
    scene.network.flush(kitchen)
    scene.network.run(3000)
    expect(scene.watcher.presence.takeHostsToQuery()).toEqual(['k3vq.local'])
    scene.see('k3vq.local')
    expect(scene.list()).toBe('kitchen left, k3vq.local alive')
  })

  it('is hidden as soon as it says who it is', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.see('k3vq.local')
    expect(scene.list()).toBe('kitchen alive, k3vq.local alive')
    scene.see('k3vq.local', { claim: idOf(kitchen) })
    expect(scene.list()).toBe('kitchen alive')
  })

  it('gives a peer nothing by saying that it is it: its services stand in the signed record', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    const before = scene.watcher.presence.find('kitchen')
    scene.see('liar.local', { claim: idOf(kitchen), addresses: addressesOf(kitchen), name: 'king' })
    expect(scene.watcher.presence.find('kitchen')).toEqual(before)
    expect(scene.watcher.presence.find('liar.local')).toEqual([])
  })
})

describe('a host at the address of a beaconing peer', () => {
  it('is that peer: its services are gathered there, marked', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    const { index } = scene
    scene.see('kitchen.local', { addresses: addressesOf(kitchen) })
    expect(scene.list()).toBe('kitchen alive')
    expect(scene.peers()[0]?.services).toEqual([{ ...OFFICE, source: 'mdns', addresses: addressesOf(kitchen) }])
    scene.see('kitchen.local', { services: [{ ...OFFICE, port: 632 }] })
    scene.see('kitchen.local', { services: [] })
    expect(scene.changes(index)).toEqual([
      'peer-update kitchen',
      'service-up Office',
      'peer-update kitchen',
      'service-update Office',
      'peer-update kitchen',
      'service-down Office',
    ])
  })

  it('on another interface is another host', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.see('stranger.local', { addresses: addressesOf(kitchen).map((on) => ({ ...on, interface: 'wlan0' })) })
    expect(scene.list()).toBe('kitchen alive, stranger.local alive')
  })

  it('that was listed before is not listed any more when the beacons come', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.see('kitchen.local', { addresses: addressesOf(kitchen) })
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

  it('stays its own while a peer only says that it has the address: its beats have to come from there', () => {
    const scene = new Scene()
    scene.see('printer.local')
    const liar = scene.network.host({ name: 'liar' })
    const [own] = addressesOf(liar)
    const claimed = [own?.address ?? '', '10.9.9.9'].map((address) => ({ address, family: 'ipv4' as const }))
    liar.presence.setInterfaces([{ name: 'eth0', addresses: claimed, paths: ['broadcast'] }], scene.network.now)
    scene.network.flush(liar)
    scene.network.run(5000)
    scene.see('printer.local')
    scene.see('late.local', { services: [{ ...OFFICE, id: 'late' }] })
    scene.network.run(2000)
    expect(scene.list()).toBe('liar alive, printer.local alive, late.local alive')
    const [view] = scene.watcher.presence.find('liar')
    expect(view?.services).toEqual([])
    expect(view?.addresses.map(({ address }) => address)).toEqual(claimed.map(({ address }) => address))
    expect(new Set(view?.paths.map(({ address }) => address))).toEqual(new Set([own?.address]))
  })

  it('leads to itself, and to no other address of that peer, though beats come from its address as well', () => {
    const scene = new Scene()
    scene.see('printer.local', { services: [OFFICE] })
    const liar = scene.network.host({ name: 'liar' })
    const [own] = addressesOf(liar)
    const claimed = [own?.address ?? '', '10.9.9.9'].map((address) => ({ address, family: 'ipv4' as const }))
    liar.presence.setInterfaces([{ name: 'eth0', addresses: claimed, paths: ['broadcast'] }], scene.network.now)
    scene.network.flush(liar)
    scene.network.filter = ({ from, to, bytes, where }) => {
      if (from === liar && to === scene.watcher && bytes[3] === 1) {
        to.presence.hear(bytes, { ...where, address: '10.9.9.9' }, scene.network.now)
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

  it('belongs to the peer that was there first, whoever sends from its address later', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    const addresses = addressesOf(kitchen)
    const liar = scene.network.host({ name: 'liar' })
    const claimed = addresses.map(({ address, family }) => ({ address, family }))
    liar.presence.setInterfaces([{ name: 'eth0', addresses: claimed, paths: ['broadcast'] }], scene.network.now)
    scene.network.flush(liar)
    scene.network.filter = ({ from, to, bytes, where }) => {
      if (from === liar) to.presence.hear(bytes, { ...where, address: addresses[0]?.address ?? '' }, scene.network.now)
      return from !== liar
    }
    scene.network.run(3000)
    scene.see('kitchen.local', { addresses })
    expect(scene.watcher.presence.find('kitchen')).toMatchObject([{ services: [{ id: OFFICE.id }] }])
    expect(scene.watcher.presence.find('liar')).toMatchObject([{ services: [] }])
  })

  it('offers nothing that the signed record has: what is signed goes first', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.see('kitchen.local', { addresses: addressesOf(kitchen), services: [OFFICE, { ...OFFICE, id: 'b', port: 1 }] })
    const signed: Service = { id: 'print', name: 'Signed', type: '_IPP._tcp', port: 631, txt: {}, subtypes: [] }
    const profile = { name: 'kitchen', hostname: '', version: '', attributes: {} }
    kitchen.presence.describe({ ...profile, services: [signed] }, scene.network.now)
    scene.network.flush(kitchen)
    scene.network.run(1000)
    expect(scene.peers()[0]?.services).toEqual([
      signed,
      { ...OFFICE, id: 'b', port: 1, source: 'mdns', addresses: addressesOf(kitchen) },
    ])
    const { index } = scene
    scene.see('kitchen.local', {
      services: [
        { ...OFFICE, txt: {} },
        { ...OFFICE, id: 'b', port: 1 },
      ],
    })
    expect(scene.index).toBe(index)
  })

  it('outlives its beacons by itself, when it still answers', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.see('kitchen.local', { addresses: addressesOf(kitchen) })
    scene.network.kill(kitchen)
    scene.network.run(8000)
    expect(scene.list()).toBe('kitchen failed')
    expect(scene.peers()[0]?.services).toEqual([])
    expect(scene.watcher.presence.takeHostsToQuery()).toEqual(['kitchen.local'])
    scene.see('kitchen.local')
    expect(scene.list()).toBe('kitchen failed, kitchen.local alive')
    expect(scene.changes().slice(-4)).toEqual([
      'peer-failed kitchen',
      'service-down Office',
      'peer-up kitchen.local',
      'service-up Office',
    ])
  })

  it('is this machine itself when it is at its own address, on whatever interface it is heard', () => {
    const scene = new Scene()
    const own = addressesOf(scene.watcher)
    scene.see('watcher.local', { addresses: own })
    scene.see('again.local', { addresses: own.map((on) => ({ ...on, interface: 'wlan0' })) })
    scene.see('own.local', { claim: idOf(scene.watcher) })
    scene.network.run(3000)
    expect([scene.list(), scene.changes()]).toEqual(['', []])
  })

  it('is known by any way to write an address', () => {
    const scene = new Scene()
    const addresses: Sighting['addresses'] = [{ address: 'FD00:0::0001', family: 'ipv6', interface: 'eth0' }]
    scene.see('watcher.local', { addresses })
    expect(scene.list()).toBe('watcher.local alive')
    scene.watcher.presence.setInterfaces(
      [{ name: 'eth0', addresses: [{ address: 'fd00::1', family: 'ipv6' }], paths: ['multicast6'] }],
      scene.network.now,
    )
    expect(scene.list()).toBe('')
  })
})

describe('what is not listed', () => {
  it('can be seen, with whom it is taken for and why', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    scene.see('printer.local')
    scene.see('said.local', { claim: idOf(kitchen) })
    scene.see('there.local', { addresses: addressesOf(kitchen), services: [{ ...OFFICE, id: 'there' }] })
    scene.see('own.local', { addresses: addressesOf(scene.watcher) })
    const hidden = () => scene.watcher.presence.hidden().map(({ id, hidden }) => [id, hidden?.name, hidden?.because])
    expect(hidden()).toEqual([
      ['said.local', 'kitchen', 'claim'],
      ['there.local', 'kitchen', 'address'],
      ['own.local', 'watcher', 'address'],
    ])
    expect(scene.watcher.presence.hidden()[1]).toMatchObject({ state: 'alive', services: [{ id: 'there' }] })
    scene.see('there.local', { state: 'left' })
    scene.see('said.local', { claim: undefined })
    expect(hidden()).toEqual([['own.local', 'watcher', 'address']])
  })
})

describe('a flood of made-up hosts', () => {
  it('is bounded, leaves peers that beacon and their changes alone, and makes room for others when it has gone', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    const { index } = scene
    const services = Array.from({ length: 400 }, (_, i) => ({ ...OFFICE, id: `${i}`, txt: { x: 'y'.repeat(250) } }))
    for (let i = 0; i < MAX_MDNS_HOSTS + 500; i++) {
      scene.see(`made-up-${i}.local`, { services: i % 8 === 0 ? services : [OFFICE] })
    }
    expect(scene.peers().length).toBeLessThan(MAX_MDNS_HOSTS)
    for (const { services } of scene.peers()) expect(JSON.stringify(services).length).toBeLessThan(40_000)
    for (let round = 0; round < 100; round++) {
      for (let i = 0; i < 50; i++) scene.see(`made-up-${i}.local`, { services: [{ ...OFFICE, port: round }] })
      scene.network.run(100)
    }
    expect(scene.watcher.presence.changesSince(index)).toBeDefined()
    expect(scene.watcher.presence.self().limits.peers.now).toBe(1)
    expect(scene.watcher.presence.find('kitchen')).toMatchObject([{ id: idOf(kitchen), state: 'alive' }])

    for (let i = 0; i < MAX_MDNS_HOSTS; i++) scene.see(`made-up-${i}.local`, { state: 'left' })
    scene.network.run(120_000)
    scene.see('printer.local')
    scene.network.run(1000)
    expect(scene.watcher.presence.find('printer.local')).toMatchObject([{ state: 'alive' }])
  })

  it('gives a peer whose address it takes 256 services and 32 KiB at most', () => {
    const scene = new Scene()
    const kitchen = scene.network.host({ name: 'kitchen' })
    scene.network.run(2000)
    for (let i = 0; i < 100; i++) {
      const services = Array.from({ length: 50 }, (_, j) => ({ ...OFFICE, id: `${i}-${j}`, port: 50 * i + j }))
      scene.see(`made-up-${i}.local`, { addresses: addressesOf(kitchen), services })
    }
    scene.network.run(60_000)
    const [peer] = scene.watcher.presence.find('kitchen')
    expect(peer?.services.length).toBeLessThanOrEqual(256)
    expect(JSON.stringify(peer?.services).length).toBeLessThan(40_000)
    expect(scene.list()).toBe('kitchen alive')
  })
})

describe('a host whose peer the registry no longer holds', () => {
  it('is listed when it is heard, also where that peer was flapping when it had to make room', () => {
    const agenda = new Agenda()
    const profile = { name: 'watcher', hostname: '', version: '', services: [], attributes: {} }
    const self = new Self(seededIdentity('watcher'), 1, profile, 1000, seededRandom('watcher'))
    const { registry, mdnsHosts } = new PeerList(self, agenda, () => {})
    const where: DatagramSource = {
      interface: 'eth0',
      path: 'broadcast',
      address: '',
      port: 1,
      onLink: true,
      own: false,
    }
    const joined = new Uint8Array(SEAL_BYTES + MAX_RECORDS_BYTES / 2)
    const learn = (id: PeerId, now: number) => {
      const anchor = { sequence: 0, value: writeDigest(new Uint8Array(16)) }
      const record = { ...profile, name: id, addresses: [], interval: 1000, anchor, goodbye: anchor.value }
      return registry.learn({ id, incarnation: 1, recordVersion: 1, joined }, record, where, now)
    }
    const flapper = learn(idText('f'), 0)
    learn(idText('o'), 0)
    for (let flap = 0; flap < 8; flap++) {
      for (const state of ['suspect', 'failed', 'alive'] as const)
        if (flapper) registry.enter(flapper, state, 100 * flap)
    }
    if (flapper) registry.enter(flapper, 'failed', 900)
    const sighting: Sighting = {
      id: 'printer.local',
      hostname: 'printer.local',
      name: 'printer',
      state: 'alive',
      addresses: [{ address: '10.9.9.9', family: 'ipv4', interface: 'eth0' }],
      services: [OFFICE],
      version: '',
      claim: idText('f'),
      lastSeen: 1000,
      heardOn: [],
    }
    mdnsHosts.sight(sighting, 1000)
    agenda.run(5000)
    expect(mdnsHosts.views()).toEqual([])
    learn(idText('n'), 5000)
    expect(registry.get(idText('f'))).toBeUndefined()
    agenda.run(8000)
    expect(mdnsHosts.takeHostsToQuery()).toEqual(['printer.local'])
    mdnsHosts.sight({ ...sighting, lastSeen: 8100 }, 8100)
    expect(mdnsHosts.views()).toMatchObject([{ id: 'printer.local', state: 'alive' }])
  })
})

/** A made-up id of one letter over and over. */
function idText(letter: string): PeerId {
  return `${letter.repeat(25)}a` as PeerId
}
