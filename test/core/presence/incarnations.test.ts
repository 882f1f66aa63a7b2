import { describe, expect, it } from 'vitest'
import { decode } from '../../../src/core/wire/codec.ts'
import { type SimHost, SimNetwork, seededIdentity } from '../sim/network.ts'

const identity = seededIdentity('forgetful')

/** What a host noticed about its identity since the last call. */
function noticed({ presence }: SimHost) {
  return presence.takeNotices().filter(({ type }) => type === 'incarnation' || type === 'identity-taken')
}

/** Records of the forgetful host that others said. */
function reminders(network: SimNetwork, since = 0) {
  return network.wiretap.filter(({ at, from, outgoing }) => {
    const message = decode(outgoing.bytes)
    const isOurs = typeof message === 'object' && message.type === 'record' && message.id === identity.id
    return isOurs && at >= since && !from.startsWith('forgetful')
  })
}

/** Datagrams that a host said in one life of a few seconds, which the watchers heard. */
function live(network: SimNetwork, incarnation: number, end: 'killed' | 'stopped'): Uint8Array[] {
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

describe('a host that begins in a lower incarnation than others know it in', () => {
  it('is told so by its own record, goes on in a higher one as the same peer, and is alive for all', () => {
    for (const end of ['killed', 'stopped'] as const) {
      const network = new SimNetwork()
      network.tap = true
      const watchers = Array.from({ length: 5 }, () => network.host())
      live(network, 900, end)
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
      expect(noticed(again)).toMatchObject([{ type: 'incarnation', heard: 900, incarnation }])
      // The first reminder spares the others theirs, for the most part.
      expect(reminders(network, began).length / 2).toBeLessThanOrEqual(3)
    }
  })

  it('keeps its identity whatever of its past a stranger plays to it, and begins anew only so often', () => {
    const network = new SimNetwork()
    network.tap = true
    const watcher = network.host()
    const lives = Array.from({ length: 40 }, (_, i) => live(network, 1000 + 20 * i, 'killed'))
    network.kill(watcher)
    const again = network.host({ name: 'forgetful', identity, incarnation: 40 })
    network.run(1000)
    for (const said of lives) {
      for (const datagram of said) network.inject(again, datagram, again.interfaces[0]?.addresses[0]?.address)
      network.run(10)
    }
    expect(again.presence.self().id).toBe(identity.id)
    const types = noticed(again).map(({ type }) => type)
    expect(types.length).toBeGreaterThan(0)
    expect(types.length).toBeLessThanOrEqual(5)
    expect(types).not.toContain('identity-taken')
  })

  it('takes a new key when there is no higher incarnation', () => {
    const network = new SimNetwork()
    network.host()
    live(network, 0xffffffff, 'killed')
    const again = network.host({ name: 'forgetful', identity, incarnation: 40 })
    network.run(1000)
    expect(noticed(again)).toMatchObject([{ type: 'identity-taken' }])
  })
})

describe('a stranger who plays old words of a peer that is gone', () => {
  it('draws its record from all others together at most every two seconds', () => {
    const network = new SimNetwork()
    network.tap = true
    const watchers = Array.from({ length: 5 }, () => network.host())
    const old = live(network, 100, 'killed')
    live(network, 200, 'killed')
    const began = network.now
    for (let i = 0; i < 100; i++) {
      for (const watcher of watchers) for (const datagram of old) network.inject(watcher, datagram)
      network.run(100)
    }
    expect(reminders(network, began).length / 2).toBeLessThanOrEqual(5 * 6)
    expect(watchers[0]?.state('forgetful')).toBe('failed')
  })
})

describe('two machines with one key', () => {
  it('end with one that has a new key, whoever began first', () => {
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
      const taken = [one, other].filter((host) => noticed(host).some(({ type }) => type === 'identity-taken'))
      expect(taken).toHaveLength(1)
      taken[0]?.presence.setIdentity(seededIdentity('renewed'), 7, network.now)
      if (taken[0]) network.flush(taken[0])
      network.run(1000)
      expect(Object.values(one.states())).toEqual(['alive'])
      expect(Object.values(other.states())).toEqual(['alive'])
      expect([...noticed(one), ...noticed(other)]).toEqual([])
    }
  })
})
