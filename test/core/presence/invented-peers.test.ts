import { describe, expect, it } from 'vitest'
import { MAX_PEERS_PER_SOURCE } from '../../../src/core/presence/peers/eviction.ts'
import { recordDatagrams, SyntheticPeer } from '../../acceptance/synthetic-peer.ts'
import { type SimHost, SimNetwork } from '../sim/network.ts'

const HOUR = 3_600_000

/** Injects the records of `count` invented peers, 400 per second, from 200 addresses or from one. With `beats`, each beats once. */
function invent(network: SimNetwork, watcher: SimHost, count: number, { beats = false, from = '' } = {}): void {
  for (let i = 0; i < count; i++) {
    const address = from || `10.0.9.${i % 200}`
    const stranger = new SyntheticPeer({ name: `s${i}`, address, interval: HOUR })
    for (const datagram of recordDatagrams(stranger.record())) network.inject(watcher, datagram, address)
    if (beats) network.inject(watcher, stranger.beat(), address)
    if (i % 10 === 9) network.run(25)
  }
}

describe('an invented peer that sends a record with an interval of an hour, and never beats', () => {
  it('does not count, fails after seconds, and is soon removed', () => {
    const network = new SimNetwork('made-up')
    const [watcher, talker] = [network.host({ budget: 256_000 }), network.host({ budget: 256_000 })]
    network.run(5000)
    invent(network, watcher, 700)
    network.run(3000)
    expect(watcher.presence.self()).toMatchObject({ interval: 1000, recordVersion: 1 })
    const listed = () => watcher.presence.peers().filter(({ name, state }) => name !== 'host2' && state === 'alive')
    expect(listed().length).toBe(700)
    network.run(9000)
    expect(listed()).toEqual([])
    network.kill(talker)
    network.run(5500)
    expect(watcher.state('host2')).toBe('failed')
    network.run(60_000)
    expect(watcher.states()).toEqual({ host2: 'failed' })
  })

  it('causes no other peer to be refused or evicted, however many there are', () => {
    const network = new SimNetwork('crowded out')
    const [watcher, talker] = [network.host(), network.host()]
    network.run(5000)
    invent(network, watcher, 2000)
    const newcomer = network.host({ name: 'newcomer' })
    invent(network, watcher, 40)
    expect(watcher.state('newcomer')).toBe('alive')
    expect(watcher.state('host2')).toBe('alive')
    expect(newcomer.states()).toMatchObject({ host1: 'alive', host2: 'alive' })
    expect(watcher.refused('registry-full')).toBe(0)
    expect(talker.presence.peers().length).toBe(2)
  })

  it('does not harm a real peer with a long interval: it is suspect only until its first beat', () => {
    const network = new SimNetwork('slow')
    const slow = network.host({ name: 'slow', interval: 60_000 })
    network.run(70_000)
    const watcher = network.host({ name: 'watcher' })
    network.run(100_000)
    expect(watcher.state('slow')).toBe('alive')
    expect(watcher.presence.changesSince(0)?.map(({ type }) => type)).not.toContain('peer-failed')
    expect(slow.state('watcher')).toBe('alive')
  })
})

describe('an invented peer with an interval of an hour that beats once', () => {
  it('counts for a minute', () => {
    const network = new SimNetwork('one beat')
    const [watcher, talker] = [network.host({ budget: 256_000 }), network.host({ budget: 256_000 })]
    network.run(5000)
    invent(network, watcher, 1600, { beats: true })
    network.run(20_000)
    expect(watcher.presence.self().interval).toBe(16_000)
    network.run(80_000)
    expect(watcher.presence.self().interval).toBe(1000)
    expect(watcher.state('s0')).toBe('alive')
    network.kill(talker)
    network.run(6000)
    expect(watcher.state(talker.name)).toBe('failed')
  })

  it('counts again when it beats again', () => {
    const network = new SimNetwork('second beat')
    const watcher = network.host({ budget: 3000 })
    const strangers = Array.from({ length: 7 }, (_, i) => {
      return new SyntheticPeer({ name: `s${i}`, address: '10.0.9.1', interval: HOUR })
    })
    const beat = (number: number) => {
      for (const stranger of strangers) network.inject(watcher, stranger.beat(number), '10.0.9.1')
      network.run(10_000)
      return watcher.presence.self().interval
    }
    for (const stranger of strangers) {
      for (const datagram of recordDatagrams(stranger.record())) network.inject(watcher, datagram, '10.0.9.1')
    }
    expect(beat(1)).toBe(8000)
    network.run(90_000)
    expect(watcher.presence.self().interval).toBe(1000)
    expect(beat(2)).toBe(8000)
  })

  it('keeps out a new peer whose address it has forged for at most a minute', () => {
    const network = new SimNetwork('forged address')
    const watcher = network.host()
    network.run(3000)
    invent(network, watcher, MAX_PEERS_PER_SOURCE, { beats: true, from: '10.0.0.2' })
    network.run(61_000)
    const newcomer = network.host({ name: 'newcomer' })
    network.run(3000)
    expect(newcomer.interfaces[0]?.addresses[0]?.address).toBe('10.0.0.2')
    expect(watcher.state('newcomer')).toBe('alive')
  })
})
