import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeLab, type Host, Lab } from '../lab/index.ts'
import {
  acquainted,
  addressesOf,
  history,
  knewAt,
  logged,
  look,
  nextEvent,
  pathsOf,
  peerEvents,
  saidSince,
  seen,
  start,
  told,
} from './measure.ts'

/** Its addresses on one network, as a peer there sees them through its `eth0` (or `through`). */
function addressesOn(host: Host, name: string, through = 'eth0'): string[] {
  return [host.address(name), `${host.linkLocal(name)}%${through}`].sort()
}

function isAt(addresses: readonly string[]): (peer: Parameters<typeof addressesOf>[0]) => boolean {
  return (peer) => JSON.stringify(addressesOf(peer)) === JSON.stringify(addresses)
}

const IDENTITY = /identity|name/

describeLab('interfaces', () => {
  it('on two networks see both, and show each of them only what is its own', async () => {
    await using lab = await Lab.create()
    const [red, blue] = await Promise.all([lab.network('red'), lab.network('blue')])
    const [a, b, both] = await Promise.all([lab.host('a', [red]), lab.host('b', [blue]), lab.host('both', [red, blue])])
    const [atA, atB, atBoth] = await Promise.all([start(a), start(b), start(both)])
    const streams = await Promise.all([atA, atB].map(history))
    const own = await history(atBoth)
    await Promise.all([knewAt(own, 'peer-up', 'a'), knewAt(own, 'peer-up', 'b')])
    await Promise.all(streams.map((stream) => knewAt(stream, 'peer-up', 'both')))
    await Promise.all([atA, atB].map((daemon) => seen(daemon, 'both', ({ beacons }) => beacons.heard >= 3)))

    expect(addressesOf(await look(atA, 'both'))).toEqual(addressesOn(both, 'eth0'))
    expect(addressesOf(await look(atB, 'both'))).toEqual(addressesOn(both, 'eth1'))
    expect(addressesOf(await look(atBoth, 'a'))).toEqual(addressesOn(a, 'eth0'))
    expect(addressesOf(await look(atBoth, 'b'))).toEqual(addressesOn(b, 'eth0', 'eth1'))
    expect(pathsOf(await look(atBoth, 'b'))).toEqual(['eth1 broadcast', 'eth1 multicast4', 'eth1 multicast6'])
    for (const stream of streams) {
      expect(peerEvents(stream).map(({ peer }) => peer.name)).not.toContain(stream === streams[0] ? 'b' : 'a')
      for (const { peer } of peerEvents(stream)) {
        const other = both.address(stream === streams[0] ? 'eth1' : 'eth0')
        expect(addressesOf(peer)).not.toContain(other)
      }
    }
  }, 180_000)

  it('that come later are used within 2 s, and what was on them goes with them', async () => {
    await using lab = await Lab.create()
    const [red, blue] = await Promise.all([lab.network('red'), lab.network('blue')])
    const [a, both, fixed] = await Promise.all([
      lab.host('a', [blue]),
      lab.host('both', [red]),
      lab.host('fixed', [red, blue]),
    ])
    const [atA, atBoth, atFixed] = await Promise.all([start(a), start(both), start(fixed)])
    const [fromA, own, fromFixed] = await Promise.all([history(atA), history(atBoth), history(atFixed)])
    await knewAt(fromFixed, 'peer-up', 'both')

    await both.addInterface(blue)
    const addedAt = Date.now()
    const everywhere = [...addressesOn(both, 'eth0'), ...addressesOn(both, 'eth1', 'eth1')].sort()
    const known = await Promise.all([
      knewAt(own, 'peer-up', 'a'),
      knewAt(fromA, 'peer-up', 'both'),
      nextEvent(fromFixed, 'peer-update', 'both', { wanted: isAt(everywhere) }).then(({ at }) => Date.parse(at)),
    ])
    console.info(`an added interface was in use after ${Math.max(...known) - addedAt} ms`)
    expect(Math.max(...known) - addedAt).toBeLessThan(2000)
    expect(addressesOf(await look(atA, 'both'))).toEqual(addressesOn(both, 'eth1'))
    await seen(atBoth, 'fixed', isAt([...addressesOn(fixed, 'eth0'), ...addressesOn(fixed, 'eth1', 'eth1')].sort()))

    const [mark, ownMark] = [fromFixed.events.length, own.events.length]
    await both.removeInterface('eth1')
    const removedAt = Date.now()
    const still = isAt(addressesOn(both, 'eth0'))
    const forgotten = [
      await nextEvent(fromFixed, 'peer-update', 'both', { from: mark, wanted: still }),
      await nextEvent(own, 'peer-update', 'fixed', { from: ownMark, wanted: isAt(addressesOn(fixed, 'eth0')) }),
    ].map(({ at }) => Date.parse(at) - removedAt)
    console.info(`a removed interface was forgotten after ${Math.max(...forgotten)} ms`)
    expect(Math.max(...forgotten)).toBeLessThan(2000)
    await Promise.all([knewAt(fromA, 'peer-failed', 'both', 20_000), knewAt(own, 'peer-failed', 'a', 20_000, ownMark)])
    expect(pathsOf(await look(atBoth, 'fixed'))).toEqual(['eth0 broadcast', 'eth0 multicast4', 'eth0 multicast6'])
    expect(addressesOf(await look(atBoth, 'a'))).toEqual([])
    for (const stream of [own, fromFixed]) expect(told(stream, 'peer-failed')).not.toContain('both')
    expect(told(own, 'peer-failed')).toEqual(['a'])
  }, 180_000)

  it('whose address changes are followed, without going down and up', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const [a, b] = await Promise.all([lab.host('a', [net]), lab.host('b', [net])])
    const [atA, atB] = await Promise.all([start(a), start(b)])
    await acquainted([atA, atB], 30_000)
    await seen(atA, 'b', isAt(addressesOn(b, 'eth0')))
    const [fromA, fromB] = await Promise.all([history(atA), history(atB)])
    const [mark, old] = [fromA.events.length, b.address()]

    await b.changeAddress('eth0', '10.77.1.200')
    const changedAt = Date.now()
    const wanted = isAt(addressesOn(b, 'eth0'))
    const event = await nextEvent(fromA, 'peer-update', 'b', { from: mark, wanted })
    console.info(`an address change was followed after ${Date.parse(event.at) - changedAt} ms`)
    expect(Date.parse(event.at) - changedAt).toBeLessThan(2000)
    expect(addressesOf(event.peer)).not.toContain(old)
    await sleep(6000)
    expect(peerEvents(fromA, mark).map(({ type, peer }) => `${type} ${peer.name}`)).toEqual(
      peerEvents(fromA, mark).map(() => 'peer-update b'),
    )
    expect(told(fromB, 'peer-failed')).toEqual([])
    expect(addressesOf(await look(atA, 'b'))).toEqual(addressesOn(b, 'eth0'))
    const heardOnAll = ['eth0 broadcast', 'eth0 multicast4', 'eth0 multicast6']
    await seen(atA, 'b', (peer) => JSON.stringify(pathsOf(peer, changedAt)) === JSON.stringify(heardOnAll))
    await seen(atB, 'a', (peer) => JSON.stringify(pathsOf(peer, changedAt)) === JSON.stringify(heardOnAll))
  }, 180_000)

  it('of cable and Wi-Fi on one network are one peer, also to itself', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const [laptop, other] = await Promise.all([
      lab.host('laptop', [net, { network: net, name: 'wlan0' }]),
      lab.host('other', [net]),
    ])
    const daemons = await Promise.all([start(laptop), start(other)])
    const [atLaptop, atOther] = daemons
    const [own, fromOther] = await Promise.all([history(atLaptop), history(atOther)])
    const addresses = [...addressesOn(laptop, 'eth0'), ...addressesOn(laptop, 'wlan0')].sort()
    await seen(atOther, 'laptop', (peer) => isAt(addresses)(peer) && peer.beacons.heard >= 4)
    await seen(atLaptop, 'other', ({ beacons }) => beacons.heard >= 4)
    const both = ['eth0', 'wlan0'].flatMap((on) =>
      ['broadcast', 'multicast4', 'multicast6'].map((path) => `${on} ${path}`),
    )
    expect(pathsOf(await look(atLaptop, 'other'))).toEqual(both)

    // The Wi-Fi goes out of reach: its addresses go, the peer stays.
    const mark = fromOther.events.length
    await laptop.unplug('wlan0')
    await nextEvent(fromOther, 'peer-update', 'laptop', { from: mark, wanted: isAt(addressesOn(laptop, 'eth0')) })
    await sleep(6000)
    for (const stream of [own, fromOther]) {
      expect(told(stream, 'peer-up')).toHaveLength(1)
      expect(told(stream, 'peer-failed')).toEqual([])
    }
    for (const daemon of daemons) {
      expect(await daemon.peers()).toHaveLength(1)
      expect(logged(daemon, IDENTITY)).toEqual([])
      expect(logged(daemon, 'no longer receives its own beacons')).toEqual([])
    }
  }, 180_000)

  it('may all be missing: the daemon keeps running, and finds its peers when the network comes', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const [late, early] = await Promise.all([lab.host('late'), lab.host('early', [net])])
    const [atLate, atEarly] = await Promise.all([start(late), start(early)])
    const [own, fromEarly] = await Promise.all([history(atLate), history(atEarly)])
    await sleep(10_000)
    expect(await atLate.peers()).toEqual([])

    await late.addInterface(net)
    const addedAt = Date.now()
    const found = Math.max(await knewAt(own, 'peer-up', 'early'), await knewAt(fromEarly, 'peer-up', 'late')) - addedAt
    console.info(`found ${found} ms after the network came`)
    expect(found).toBeLessThan(2000)
    expect(atLate.process.running).toBe(true)
    expect(logged(atLate, IDENTITY)).toEqual([])
    expect(saidSince(atLate, 0).filter((line) => !line.includes('"level":30'))).toEqual([])
  }, 180_000)
})
