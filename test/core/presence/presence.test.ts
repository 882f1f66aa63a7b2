import { describe, expect, it } from 'vitest'
import { isReported } from '../../../src/core/presence/peers/journal.ts'
import { encode } from '../../../src/core/wire/codec.ts'
import { SimNetwork, seededIdentity } from '../sim/network.ts'

describe('presence', () => {
  it('detects a restart by the higher incarnation, and lists the peer once', () => {
    const network = new SimNetwork()
    const watcher = network.host({ name: 'watcher' })
    const first = network.host({ name: 'phoenix', incarnation: 7 })
    network.run(5000)
    network.kill(first)
    network.run(500)
    network.host({ name: 'phoenix', incarnation: 8 })
    network.run(2000)
    const phoenix = watcher.presence.peers().filter(({ name }) => name === 'phoenix')
    expect(phoenix).toMatchObject([{ state: 'alive', incarnation: 8, firstSeen: expect.any(Number) }])
    expect(watcher.presence.changesSince(0)?.flatMap(({ type, own }) => (own ? [] : [type]))).toEqual([
      'peer-up',
      'peer-update',
    ])
  })

  it('recovers after a network partition within one interval, on both sides, in the same incarnation', () => {
    const network = new SimNetwork()
    const [a, b, c] = [network.host({ name: 'a' }), network.host({ name: 'b' }), network.host({ name: 'c' })]
    network.run(5000)
    network.filter = ({ from, to }) => (from === c) === (to === c)
    network.run(20_000)
    expect(a.states()).toEqual({ b: 'alive', c: 'failed' })
    expect(c.states()).toEqual({ a: 'failed', b: 'failed' })
    network.filter = () => true
    network.run(1200)
    expect(a.state('c')).toBe('alive')
    expect(c.states()).toEqual({ a: 'alive', b: 'alive' })
    expect(b.presence.peers().every(({ incarnation }) => incarnation === 1)).toBe(true)
  })

  it('lists two peers with the same name separately, and gives notice once', () => {
    const network = new SimNetwork()
    const watcher = network.host({ name: 'watcher' })
    network.host({ name: 'twin', identity: seededIdentity('one') })
    network.host({ name: 'twin', identity: seededIdentity('two') })
    network.run(5000)
    expect(watcher.presence.find('twin')).toHaveLength(2)
    expect(watcher.presence.takeNotices().filter(({ type }) => type === 'name-shared')).toHaveLength(1)
  })

  it('finds a peer by id, by name, and by a prefix of its id of at least four characters', () => {
    const network = new SimNetwork()
    const watcher = network.host()
    const { id } = network.host({ name: 'kitchen' }).presence.self()
    network.run(100)
    for (const reference of [id, 'kitchen', id.slice(0, 8), id.slice(0, 4)]) {
      expect(watcher.presence.find(reference).map((peer) => peer.id)).toEqual([id])
    }
    for (const reference of [id.slice(0, 3), '', 'bathroom', `${id}x`])
      expect(watcher.presence.find(reference)).toEqual([])
  })

  it('delivers a record of 12 KiB to every peer at 30 % loss', () => {
    const network = new SimNetwork()
    network.loss = 0.3
    const attributes = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`attribute-${i}`, 'x'.repeat(20)]))
    const watchers = Array.from({ length: 4 }, () => network.host())
    network.host({ name: 'verbose', attributes })
    network.run(10_000)
    for (const { presence } of watchers) {
      expect(presence.peers().find(({ name }) => name === 'verbose')?.attributes).toEqual(attributes)
    }
  })

  it('sends a change at once, and the last of many fast changes', () => {
    const network = new SimNetwork()
    network.tap = true
    const [watcher, changing] = [network.host({ name: 'watcher' }), network.host({ name: 'changing' })]
    network.run(5000)
    const profile = { name: 'changing', hostname: '', version: '', services: [] }
    network.wiretap.length = 0
    for (let load = 0; load < 1000; load++) {
      changing.presence.setProfile({ ...profile, attributes: { load } }, network.now)
      network.flush(changing)
      if (load === 0) {
        network.run(1)
        expect(watcher.presence.find('changing')[0]?.attributes).toEqual({ load: 0 })
      }
      network.run(2)
    }
    network.run(1000)
    expect(watcher.presence.find('changing')[0]?.attributes).toEqual({ load: 999 })
    const records = network.wiretap.filter(({ from, outgoing }) => from === 'changing' && outgoing.bytes[3] === 2)
    expect(records.length / 2).toBeLessThan(4 + 3 * 4 + 3)
    // Beats name the version that was sent last, so no peer asks for one that will be sent anyway.
    expect(network.wiretap.filter(({ from, outgoing }) => from === 'watcher' && outgoing.bytes[3] === 3)).toEqual([])
  })

  it('sends a changed service sooner than an earlier changed attribute', () => {
    const network = new SimNetwork()
    const [watcher, changing] = [network.host({ name: 'watcher' }), network.host({ name: 'changing' })]
    network.run(5000)
    const profile = { name: 'changing', hostname: '', version: '', services: [] }
    for (let load = 0; load < 10; load++)
      changing.presence.setProfile({ ...profile, attributes: { load } }, network.now)
    const shop = { id: 'shop', name: 'Shop', type: '_http._tcp', port: 80, txt: {}, subtypes: [] }
    changing.presence.setProfile({ ...profile, services: [shop], attributes: { load: 10 } }, network.now)
    network.flush(changing)
    network.run(1)
    expect(watcher.presence.find('changing')[0]).toMatchObject({ services: [shop], attributes: { load: 10 } })
  })

  it('rejects a profile with a record of more than 16 KiB, and keeps the old one', () => {
    const network = new SimNetwork()
    const { presence } = network.host()
    const attributes = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`key-${i}`, 'x'.repeat(100)]))
    expect(() =>
      presence.setProfile({ name: 'a', hostname: '', version: '', services: [], attributes }, network.now),
    ).toThrow(RangeError)
    expect(presence.self()).toMatchObject({ name: 'host1', recordVersion: 1 })
  })

  it('rejects a profile that other peers would reject, gives the reason, and leaves out invalid addresses', () => {
    const network = new SimNetwork()
    const { presence } = network.host()
    const watcher = network.host()
    const profile = { name: 'a', hostname: '', version: '', services: [], attributes: {} }
    const service = { id: 'x', name: 'x', type: '_http._tcp', port: 80, txt: {}, subtypes: [] }
    const wrong = [
      [{ ...profile, name: 'a\n' }, /name must match/],
      [{ ...profile, name: '' }, /name must NOT have fewer/],
      [{ ...profile, hostname: '\ud83d' }, /hostname must match/],
      [{ ...profile, version: 'x'.repeat(65) }, /version must NOT have more/],
      [{ ...profile, attributes: { load: Number.NaN } }, /attributes.load must/],
      [{ ...profile, services: [{ ...service, port: 70_000 }] }, /services.0.port must be/],
      [{ ...profile, services: Array.from({ length: 257 }, () => service) }, /services must NOT have more than 256/],
    ] as const
    for (const [each, reason] of wrong) {
      expect(() => presence.setProfile({ ...each, services: [...each.services] }, network.now)).toThrow(reason)
    }
    expect(presence.self()).toMatchObject({ name: 'host1', recordVersion: 1 })
    const addresses = ['10.0.0.1', 'fe80::1%eth0', '10.0.0.300'].map((address) => ({
      address,
      family: 'ipv4' as const,
    }))
    presence.setInterfaces([{ name: 'eth0', addresses, paths: ['broadcast'] }], network.now)
    network.run(3000)
    expect(watcher.presence.find('host1')[0]?.addresses.map(({ address }) => address)).toEqual(['10.0.0.1'])
  })

  it('continues to beat with a new hash chain, without an event', () => {
    const network = new SimNetwork()
    const [watcher, old] = [network.host({ interval: 100 }), network.host({ name: 'old', interval: 100 })]
    network.run(250_000)
    expect(watcher.state('old')).toBe('alive')
    expect(watcher.presence.changesSince(0)?.flatMap(({ type, own }) => (own ? [] : [type]))).toEqual(['peer-up'])
    expect(old.presence.self().recordVersion).toBeGreaterThan(2)
  })

  it('counts loss and jitter', () => {
    const network = new SimNetwork('counting')
    const [watcher] = [network.host(), network.host({ name: 'other' })]
    network.run(60_000)
    expect(watcher?.presence.find('other')[0]?.beacons).toEqual({ heard: expect.any(Number), lost: 0 })
    network.loss = 0.6
    network.run(100_000)
    const [peer] = watcher?.presence.find('other') ?? []
    expect(peer?.beacons.lost).toBeGreaterThan(15)
    expect(peer?.beacons.lost).toBeLessThan(60)
    expect(peer?.jitter).toBeLessThan(2)
  })

  it('damps a flapping peer: lists its state, reports each failure, and reports its return when it is stable', () => {
    const network = new SimNetwork()
    const [watcher, other, flapper] = [network.host(), network.host(), network.host({ name: 'flapper' })]
    network.run(5000)
    for (let i = 0; i < 12; i++) {
      network.filter = ({ from, to }) => (from === flapper) === (to === flapper)
      network.run(8000)
      expect(watcher.state('flapper')).toBe('failed')
      network.filter = () => true
      network.run(2000)
      expect(watcher.state('flapper')).toBe('alive')
    }
    const about = () => watcher.presence.changesSince(0)?.filter(({ peer }) => peer.name === 'flapper') ?? []
    const told = () => about().filter(isReported)
    expect(told().filter(({ type }) => type === 'peer-failed').length).toBe(12)
    expect(told().filter(({ type }) => type === 'peer-up').length).toBeLessThan(7)
    expect(told().at(-1)).toMatchObject({ type: 'peer-failed', peer: { flapping: true } })
    // The list has changed by each return, and its index with it.
    expect(about().at(-1)).toMatchObject({ type: 'peer-damped', peer: { flapping: true, state: 'alive' } })
    network.run(300_000)
    expect(told().at(-1)).toMatchObject({ type: 'peer-up', peer: { flapping: false, state: 'alive' } })
    expect(other.state('flapper')).toBe('alive')
  })

  it('reports the failure of a flapping peer as soon as any other, with all its services', () => {
    const network = new SimNetwork()
    const [watcher, , flapper] = [network.host(), network.host(), network.host({ name: 'flapper' })]
    const web = { id: 'web', name: 'Web', type: '_http._tcp', port: 80, txt: {}, subtypes: [] }
    const profile = { name: 'flapper', hostname: '', version: '', services: [web], attributes: {} }
    flapper.presence.setProfile(profile, network.now)
    network.flush(flapper)
    network.run(5000)
    for (let i = 0; i < 8; i++) {
      network.filter = ({ from, to }) => (from === flapper) === (to === flapper)
      network.run(8000)
      network.filter = () => true
      network.run(2000)
    }
    expect(watcher.presence.find('flapper')).toMatchObject([{ state: 'alive', flapping: true }])
    const { index } = watcher.presence
    network.kill(flapper)
    network.run(6000)
    const changes = watcher.presence.changesSince(index)?.map((change) => [change.type, change.peer.state])
    expect(changes).toEqual([
      ['peer-damped', 'suspect'],
      ['peer-failed', 'failed'],
      ['service-down', 'failed'],
    ])
  })

  it('raises the index with every change of the list', () => {
    const network = new SimNetwork('lists')
    const [watcher, , flapper] = [network.host(), network.host(), network.host({ name: 'flapper' })]
    const lists = new Map<number, string>()
    const note = () => {
      const list = watcher.presence.peers().map(({ id, name, state, flapping }) => [id, name, state, flapping])
      const { index } = watcher.presence
      expect(lists.get(index) ?? JSON.stringify(list), `at ${network.now}`).toBe(JSON.stringify(list))
      lists.set(index, JSON.stringify(list))
    }
    for (let i = 0; i < 1000; i++) {
      if (i % 100 === 50) network.filter = ({ from, to }) => (from === flapper) === (to === flapper)
      if (i % 100 === 0) network.filter = () => true
      network.run(100)
      note()
    }
  })

  it('beats less often to keep within the budget, and more often again when peers have left', () => {
    const network = new SimNetwork()
    const hosts = Array.from({ length: 40 }, () => network.host({ budget: 16_000 }))
    network.run(120_000)
    const bits = 40 * 2 * 106 * 8
    for (const { presence } of hosts) expect((bits * 1000) / presence.self().interval).toBeLessThanOrEqual(16_000)
    for (const host of hosts.slice(2)) {
      host.presence.leave(network.now)
      network.flush(host)
    }
    network.run(20_000)
    expect(hosts[0]?.presence.self().interval).toBe(1000)
    expect(hosts[0]?.presence.changesSince(0)?.filter(({ type }) => type === 'peer-failed')).toEqual([])
  })

  it('finds peers whose announcement it missed', () => {
    const network = new SimNetwork()
    const watcher = network.host()
    network.filter = ({ to, bytes }) => to !== watcher || bytes[3] !== 2
    network.host({ name: 'missed' })
    network.run(3000)
    expect(watcher.presence.find('missed')).toEqual([])
    network.filter = () => true
    network.run(1500)
    expect(watcher.state('missed')).toBe('alive')
  })

  it('answers many queries with one record on the shared paths', () => {
    const network = new SimNetwork()
    const [answering] = Array.from({ length: 30 }, () => network.host())
    if (!answering) throw new Error('no host')
    network.run(5000)
    network.tap = true
    for (let i = 0; i < 20; i++) {
      const id = seededIdentity(`asker ${i}`).id
      const query = encode({
        type: 'query',
        path: 'broadcast',
        id,
        incarnation: 1,
        sequence: 0,
        nonce: i + 1,
        ids: [answering.presence.self().id],
      })
      network.inject(answering, query, `10.1.0.${i}`)
    }
    network.run(500)
    const records = network.wiretap.filter(({ from, outgoing }) => from === answering.name && outgoing.bytes[3] === 2)
    expect(records.map(({ outgoing }) => outgoing.to)).toEqual(['broadcast', 'multicast4'])
  })

  it('sends no answer to an address outside the link', () => {
    const network = new SimNetwork()
    const host = network.host()
    network.run(2000)
    network.tap = true
    const query = encode({
      type: 'query',
      path: 'unicast',
      id: seededIdentity('far').id,
      incarnation: 1,
      sequence: 0,
      nonce: 1,
      ids: [],
    })
    host.presence.receive(
      query,
      { interface: 'eth0', path: 'unicast', address: '192.0.2.1', port: 15353, onLink: false, own: false },
      network.now,
    )
    network.flush(host)
    network.run(100)
    expect(network.wiretap.filter(({ outgoing }) => outgoing.bytes[3] === 2)).toEqual([])
    expect(host.refused('off-link')).toBe(1)
  })

  it('reports each different exception once, and 16 of them at most, and counts all', () => {
    const network = new SimNetwork()
    const host = network.host()
    for (let i = 0; i < 40; i++) host.presence.countException(new Error(`fault ${i % 20}`))
    const reported = host.presence.takeNotices().flatMap((notice) => {
      return notice.type === 'exception' ? [notice.error.message] : []
    })
    expect(reported).toEqual(Array.from({ length: 16 }, (_, i) => `fault ${i}`))
    expect(host.refused('exception')).toBe(40)
  })

  it('only listens and sends queries when it is silent', () => {
    const network = new SimNetwork()
    const [talker] = [network.host({ name: 'talker' })]
    network.run(2000)
    const listener = network.host({ name: 'listener', silent: true })
    network.run(5000)
    expect(listener.states()).toEqual({ talker: 'alive' })
    expect(talker?.states()).toEqual({})
  })
})
