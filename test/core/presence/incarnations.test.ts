import { describe, expect, it } from 'vitest'
import { decode } from '../../../src/core/wire/codec.ts'
import { recordDatagrams, SyntheticPeer } from '../../acceptance/synthetic-peer.ts'
import { type SimHost, SimNetwork, seededIdentity } from '../sim/network.ts'

const identity = seededIdentity('forgetful')

/** The notices of a host about its identity since the last call. */
function identityNotices({ presence }: SimHost) {
  return presence.takeNotices().filter(({ type }) => type === 'incarnation' || type === 'identity-taken')
}

/** The records of the forgetful host that other hosts have sent. */
function reminders(network: SimNetwork, since = 0) {
  return network.wiretap.filter(({ at, from, outgoing }) => {
    const message = decode(outgoing.bytes)
    const isOurs = typeof message === 'object' && message.type === 'record' && message.id === identity.id
    return isOurs && at >= since && !from.startsWith('forgetful')
  })
}

/** Runs a host for a few seconds. Returns the datagrams that it sent. */
function runOnce(network: SimNetwork, incarnation: number, end: 'killed' | 'stopped'): Uint8Array[] {
  const before = network.wiretap.length
  const host = network.host({ name: 'forgetful', identity, incarnation })
  network.run(2000)
  if (end === 'stopped') host.presence.leave(network.now)
  network.flush(host)
  network.run(50)
  network.kill(host)
  network.run(8000)
  return network.wiretap
    .slice(before)
    .filter(({ from }) => from === 'forgetful')
    .map(({ outgoing }) => outgoing.bytes)
}

describe('a host that starts with a lower incarnation than its peers hold', () => {
  it('is reminded by its own record, continues with a higher one as the same peer, and is alive for every peer', () => {
    for (const end of ['killed', 'stopped'] as const) {
      const network = new SimNetwork()
      network.tap = true
      const watchers = Array.from({ length: 5 }, () => network.host())
      runOnce(network, 900, end)
      expect(watchers.map((each) => each.state('forgetful'))).toEqual(
        watchers.map(() => (end === 'killed' ? 'failed' : 'left')),
      )
      const began = network.now
      const again = network.host({ name: 'forgetful', identity, incarnation: 40 })
      network.run(1000)
      expect(watchers.map((each) => each.state('forgetful'))).toEqual(watchers.map(() => 'alive'))
      expect(Object.values(again.states())).toEqual(watchers.map(() => 'alive'))
      const { id, incarnation } = again.presence.self()
      expect(id).toBe(identity.id)
      expect(incarnation).toBeGreaterThan(900)
      expect(identityNotices(again)).toMatchObject([{ type: 'incarnation', heard: 900, incarnation }])
      // Most peers see the first reminder and send none.
      expect(reminders(network, began).length / 2).toBeLessThanOrEqual(3)
    }
  })

  it('keeps its identity when its old datagrams are replayed, and starts new incarnations at a limited rate', () => {
    const network = new SimNetwork()
    network.tap = true
    const watcher = network.host()
    const recordings = Array.from({ length: 40 }, (_, i) => runOnce(network, 1000 + 20 * i, 'killed'))
    network.kill(watcher)
    const again = network.host({ name: 'forgetful', identity, incarnation: 40 })
    network.run(1000)
    for (const recording of recordings) {
      for (const datagram of recording) network.inject(again, datagram, again.interfaces[0]?.addresses[0]?.address)
      network.run(10)
    }
    expect(again.presence.self().id).toBe(identity.id)
    const types = identityNotices(again).map(({ type }) => type)
    expect(types.length).toBeGreaterThan(0)
    expect(types.length).toBeLessThanOrEqual(5)
    expect(types).not.toContain('identity-taken')
  })

  it('takes a new key when there is no higher incarnation', () => {
    const network = new SimNetwork()
    network.host()
    runOnce(network, 0xffffffff, 'killed')
    const again = network.host({ name: 'forgetful', identity, incarnation: 40 })
    network.run(1000)
    expect(identityNotices(again)).toMatchObject([{ type: 'identity-taken' }])
  })
})

describe('an attacker who replays old datagrams of a failed peer', () => {
  it('causes one reminder from all peers together in two seconds at most', () => {
    const network = new SimNetwork()
    network.tap = true
    const watchers = Array.from({ length: 5 }, () => network.host())
    const old = runOnce(network, 100, 'killed')
    runOnce(network, 200, 'killed')
    const began = network.now
    for (let i = 0; i < 100; i++) {
      for (const watcher of watchers) for (const datagram of old) network.inject(watcher, datagram)
      network.run(100)
    }
    const times = reminders(network, began).flatMap(({ at, outgoing }) => (outgoing.to === 'broadcast' ? [at] : []))
    expect(times.length).toBeGreaterThan(0)
    expect(times.length).toBeLessThanOrEqual(5)
    for (const [i, at] of times.slice(1).entries()) expect(at - (times[i] ?? 0)).toBeGreaterThanOrEqual(1950)
    expect(watchers[0]?.state('forgetful')).toBe('failed')
  })
})

describe('reminders for many peers at once', () => {
  it('are limited to 64 that wait: the next peer is not reminded, and is as soon as it is received again', () => {
    const network = new SimNetwork('many')
    const watcher = network.host()
    const peers = Array.from({ length: 65 }, (_, i) => {
      return new SyntheticPeer({ name: `peer ${i}`, address: `10.0.9.${i}`, incarnation: 2 })
    })
    const receive = (peer: SyntheticPeer | undefined, incarnation: number) => {
      if (!peer) throw new Error('no peer')
      for (const datagram of recordDatagrams({ ...peer.record(), incarnation })) network.inject(watcher, datagram)
    }
    for (const peer of peers) receive(peer, 2)
    network.run(15_000)
    expect(new Set(Object.values(watcher.states()))).toEqual(new Set(['failed']))
    network.tap = true
    const reminded = () => {
      network.run(1)
      const sent = network.wiretap.splice(0).map(({ outgoing }) => decode(outgoing.bytes))
      const ids = sent.flatMap((message) =>
        typeof message === 'object' && message.type === 'record' ? message.id : [],
      )
      return [...new Set(ids)].filter((id) => peers.some(({ identity: { id: each } }) => each === id))
    }
    for (const peer of peers) receive(peer, 1)
    const first = reminded()
    expect(first).toHaveLength(4)
    expect(first).not.toContain(peers[64]?.identity.id)
    network.run(500)
    receive(peers[63], 1)
    expect(reminded()).toEqual([])
    receive(peers[64], 1)
    expect(reminded()).toEqual([peers[64]?.identity.id])
  })
})

describe('two machines with one key', () => {
  it('resolve the conflict: one of them gets a new key, whichever started first', () => {
    for (const [first, second] of [
      [5, 6],
      [6, 5],
      [5, 5],
    ] as const) {
      const network = new SimNetwork()
      const one = network.host({ name: 'forgetful', identity, incarnation: first })
      network.run(3000)
      const other = network.host({ name: 'forgetful too', identity, incarnation: second })
      network.run(3000)
      const taken = [one, other].filter((host) => identityNotices(host).some(({ type }) => type === 'identity-taken'))
      expect(taken).toHaveLength(1)
      taken[0]?.presence.setIdentity(seededIdentity('renewed'), 7, network.now)
      if (taken[0]) network.flush(taken[0])
      network.run(1000)
      expect(Object.values(one.states())).toEqual(['alive'])
      expect(Object.values(other.states())).toEqual(['alive'])
      expect([...identityNotices(one), ...identityNotices(other)]).toEqual([])
    }
  })
})
