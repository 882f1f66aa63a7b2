import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeLab, type Host, Lab } from '../lab/index.ts'
import {
  addressesOf,
  getPeer,
  logEntries,
  logLinesSince,
  openAllEvents,
  pathsOf,
  peerEvents,
  peerEventTime,
  peersWithEvent,
  start,
  waitForPeer,
  waitForPeerEvent,
  waitUntilAllAlive,
} from './daemons.ts'

/** A host's addresses on one network, as a peer sees them on its interface `through`. */
function addressesOn(host: Host, name: string, through = 'eth0'): string[] {
  return [host.address(name), `${host.linkLocal(name)}%${through}`].sort()
}

function isAt(addresses: readonly string[]): (peer: Parameters<typeof addressesOf>[0]) => boolean {
  return (peer) => JSON.stringify(addressesOf(peer)) === JSON.stringify(addresses)
}

const IDENTITY = /identity|name/

describeLab('interfaces', () => {
  it('on two networks: the daemon sees both, and each network sees only its own addresses', async () => {
    await using lab = await Lab.create()
    const [red, blue] = await Promise.all([lab.network('red'), lab.network('blue')])
    const [a, b, both] = await Promise.all([lab.host('a', [red]), lab.host('b', [blue]), lab.host('both', [red, blue])])
    const [atA, atB, atBoth] = await Promise.all([start(a), start(b), start(both)])
    const streams = await Promise.all([atA, atB].map(openAllEvents))
    const own = await openAllEvents(atBoth)
    await Promise.all([peerEventTime(own, 'peer-up', 'a'), peerEventTime(own, 'peer-up', 'b')])
    await Promise.all(streams.map((stream) => peerEventTime(stream, 'peer-up', 'both')))
    await Promise.all([atA, atB].map((daemon) => waitForPeer(daemon, 'both', ({ beacons }) => beacons.heard >= 3)))

    expect(addressesOf(await getPeer(atA, 'both'))).toEqual(addressesOn(both, 'eth0'))
    expect(addressesOf(await getPeer(atB, 'both'))).toEqual(addressesOn(both, 'eth1'))
    expect(addressesOf(await getPeer(atBoth, 'a'))).toEqual(addressesOn(a, 'eth0'))
    expect(addressesOf(await getPeer(atBoth, 'b'))).toEqual(addressesOn(b, 'eth0', 'eth1'))
    expect(pathsOf(await getPeer(atBoth, 'b'))).toEqual(['eth1 broadcast', 'eth1 multicast4', 'eth1 multicast6'])
    for (const stream of streams) {
      expect(peerEvents(stream).map(({ peer }) => peer.name)).not.toContain(stream === streams[0] ? 'b' : 'a')
      for (const { peer } of peerEvents(stream)) {
        const other = both.address(stream === streams[0] ? 'eth1' : 'eth0')
        expect(addressesOf(peer)).not.toContain(other)
      }
    }
  })

  it('that are added are used within 2 s, and their addresses and peers go when they are removed', async () => {
    await using lab = await Lab.create()
    const [red, blue] = await Promise.all([lab.network('red'), lab.network('blue')])
    const [a, both, fixed] = await Promise.all([
      lab.host('a', [blue]),
      lab.host('both', [red]),
      lab.host('fixed', [red, blue]),
    ])
    const [atA, atBoth, atFixed] = await Promise.all([start(a), start(both), start(fixed)])
    const [fromA, own, fromFixed] = await Promise.all([
      openAllEvents(atA),
      openAllEvents(atBoth),
      openAllEvents(atFixed),
    ])
    await peerEventTime(fromFixed, 'peer-up', 'both')

    await both.addInterface(blue)
    const addedAt = Date.now()
    const everywhere = [...addressesOn(both, 'eth0'), ...addressesOn(both, 'eth1', 'eth1')].sort()
    const known = await Promise.all([
      peerEventTime(own, 'peer-up', 'a'),
      peerEventTime(fromA, 'peer-up', 'both'),
      waitForPeerEvent(fromFixed, 'peer-update', 'both', { wanted: isAt(everywhere) }).then(({ at }) => Date.parse(at)),
    ])
    console.info(`an added interface was used after ${Math.max(...known) - addedAt} ms`)
    expect(Math.max(...known) - addedAt).toBeLessThan(2000)
    expect(addressesOf(await getPeer(atA, 'both'))).toEqual(addressesOn(both, 'eth1'))
    await waitForPeer(
      atBoth,
      'fixed',
      isAt([...addressesOn(fixed, 'eth0'), ...addressesOn(fixed, 'eth1', 'eth1')].sort()),
    )

    const [mark, ownMark] = [fromFixed.events.length, own.events.length]
    await both.removeInterface('eth1')
    const removedAt = Date.now()
    const still = isAt(addressesOn(both, 'eth0'))
    const forgotten = [
      await waitForPeerEvent(fromFixed, 'peer-update', 'both', { from: mark, wanted: still }),
      await waitForPeerEvent(own, 'peer-update', 'fixed', { from: ownMark, wanted: isAt(addressesOn(fixed, 'eth0')) }),
    ].map(({ at }) => Date.parse(at) - removedAt)
    console.info(`the addresses of a removed interface were removed after ${Math.max(...forgotten)} ms`)
    expect(Math.max(...forgotten)).toBeLessThan(2000)
    await Promise.all([
      peerEventTime(fromA, 'peer-failed', 'both', 20_000),
      peerEventTime(own, 'peer-failed', 'a', 20_000, ownMark),
    ])
    expect(pathsOf(await getPeer(atBoth, 'fixed'))).toEqual(['eth0 broadcast', 'eth0 multicast4', 'eth0 multicast6'])
    expect(addressesOf(await getPeer(atBoth, 'a'))).toEqual([])
    for (const stream of [own, fromFixed]) expect(peersWithEvent(stream, 'peer-failed')).not.toContain('both')
    expect(peersWithEvent(own, 'peer-failed')).toEqual(['a'])
  })

  it('with a changed address are updated without a failure', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const [a, b] = await Promise.all([lab.host('a', [net]), lab.host('b', [net])])
    const [atA, atB] = await Promise.all([start(a), start(b)])
    await waitUntilAllAlive([atA, atB], 30_000)
    await waitForPeer(atA, 'b', isAt(addressesOn(b, 'eth0')))
    const [fromA, fromB] = await Promise.all([openAllEvents(atA), openAllEvents(atB)])
    const [mark, old] = [fromA.events.length, b.address()]

    await b.changeAddress('eth0', '10.77.1.200')
    const changedAt = Date.now()
    const wanted = isAt(addressesOn(b, 'eth0'))
    const event = await waitForPeerEvent(fromA, 'peer-update', 'b', { from: mark, wanted })
    console.info(`a changed address was listed after ${Date.parse(event.at) - changedAt} ms`)
    expect(Date.parse(event.at) - changedAt).toBeLessThan(2000)
    expect(addressesOf(event.peer)).not.toContain(old)
    await sleep(6000)
    expect(peerEvents(fromA, mark).map(({ type, peer }) => `${type} ${peer.name}`)).toEqual(
      peerEvents(fromA, mark).map(() => 'peer-update b'),
    )
    expect(peersWithEvent(fromB, 'peer-failed')).toEqual([])
    expect(addressesOf(await getPeer(atA, 'b'))).toEqual(addressesOn(b, 'eth0'))
    const heardOnAll = ['eth0 broadcast', 'eth0 multicast4', 'eth0 multicast6']
    await waitForPeer(atA, 'b', (peer) => JSON.stringify(pathsOf(peer, changedAt)) === JSON.stringify(heardOnAll))
    await waitForPeer(atB, 'a', (peer) => JSON.stringify(pathsOf(peer, changedAt)) === JSON.stringify(heardOnAll))
  })

  it('for cable and Wi-Fi on one network belong to one peer, also for the host itself', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const [laptop, other] = await Promise.all([
      lab.host('laptop', [net, { network: net, name: 'wlan0' }]),
      lab.host('other', [net]),
    ])
    const daemons = await Promise.all([start(laptop), start(other)])
    const [atLaptop, atOther] = daemons
    const [own, fromOther] = await Promise.all([openAllEvents(atLaptop), openAllEvents(atOther)])
    const addresses = [...addressesOn(laptop, 'eth0'), ...addressesOn(laptop, 'wlan0')].sort()
    await waitForPeer(atOther, 'laptop', (peer) => isAt(addresses)(peer) && peer.beacons.heard >= 4)
    await waitForPeer(atLaptop, 'other', ({ beacons }) => beacons.heard >= 4)
    const both = ['eth0', 'wlan0'].flatMap((on) =>
      ['broadcast', 'multicast4', 'multicast6'].map((path) => `${on} ${path}`),
    )
    expect(pathsOf(await getPeer(atLaptop, 'other'))).toEqual(both)

    // The Wi-Fi loses its connection: its addresses are removed, and the peer stays.
    const mark = fromOther.events.length
    await laptop.unplug('wlan0')
    await waitForPeerEvent(fromOther, 'peer-update', 'laptop', {
      from: mark,
      wanted: isAt(addressesOn(laptop, 'eth0')),
    })
    await sleep(6000)
    for (const stream of [own, fromOther]) {
      expect(peersWithEvent(stream, 'peer-up')).toHaveLength(1)
      expect(peersWithEvent(stream, 'peer-failed')).toEqual([])
    }
    for (const daemon of daemons) {
      expect(await daemon.peers()).toHaveLength(1)
      expect(logEntries(daemon, IDENTITY)).toEqual([])
      expect(logEntries(daemon, 'no longer receives its own beacons')).toEqual([])
    }
  })

  it('can all be missing: the daemon keeps running, and finds its peers when an interface is added', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const [late, early] = await Promise.all([lab.host('late'), lab.host('early', [net])])
    const [atLate, atEarly] = await Promise.all([start(late), start(early)])
    const [own, fromEarly] = await Promise.all([openAllEvents(atLate), openAllEvents(atEarly)])
    await sleep(10_000)
    expect(await atLate.peers()).toEqual([])

    await late.addInterface(net)
    const addedAt = Date.now()
    const found =
      Math.max(await peerEventTime(own, 'peer-up', 'early'), await peerEventTime(fromEarly, 'peer-up', 'late')) -
      addedAt
    console.info(`found ${found} ms after the interface was added`)
    expect(found).toBeLessThan(2000)
    expect(atLate.process.running).toBe(true)
    expect(logEntries(atLate, IDENTITY)).toEqual([])
    expect(logLinesSince(atLate, 0).filter((line) => !line.includes('"level":30'))).toEqual([])
  })
})
