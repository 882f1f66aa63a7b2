import { describe, expect, it } from 'vitest'
import { decode } from '../../../src/core/wire/codec.ts'
import { REFUSALS } from '../../../src/core/wire/messages.ts'
import { mutatedDatagram, randomDatagram, SeededRandom } from '../../acceptance/fuzz-data.ts'
import { recordDatagrams, SyntheticPeer } from '../../acceptance/synthetic-peer.ts'
import { SimNetwork } from '../sim/network.ts'

const COUNT = 100_000

/** The datagrams of three hosts in 20 s. One of the hosts leaves, and one has a record of several parts. */
function conversation() {
  const network = new SimNetwork('fuzz')
  network.tap = true
  const long = Object.fromEntries(Array.from({ length: 4 }, (_, key) => [`k${key}`, 'x'.repeat(1000)]))
  const [watcher, talker, leaver] = [{}, { attributes: long }, {}].map((options) => network.host(options))
  if (!watcher || !talker || !leaver) throw new Error('too few hosts')
  network.run(10_000)
  leaver.presence.leave(network.now)
  network.flush(leaver)
  network.run(1000)
  network.kill(leaver)
  network.run(9000)
  return { network, watcher, talker, sent: network.wiretap.map(({ outgoing }) => outgoing.bytes) }
}

describe('random and mutated datagrams', () => {
  it('are decoded or refused, and never cause an exception', () => {
    const random = new SeededRandom(1)
    const { sent } = conversation()
    let understood = 0
    for (let i = 0; i < 2 * COUNT; i++) {
      const result = decode(i % 2 === 0 ? randomDatagram(random) : mutatedDatagram(random, sent))
      if (typeof result === 'string') expect(REFUSALS).toHaveProperty(result)
      else understood++
    }
    // Many datagrams must pass the first checks, and many must be refused. Otherwise the test would be weak.
    expect(understood).toBeGreaterThan(COUNT / 10)
    expect(understood).toBeLessThan(2 * COUNT - COUNT / 10)
  })

  it('change nothing for the receiver', () => {
    const random = new SeededRandom(2)
    const { network, watcher, talker, sent } = conversation()
    const { index } = watcher.presence
    const paths = ['unicast', 'broadcast', 'multicast4', 'multicast6'] as const
    for (let i = 0; i < 2 * COUNT; i++) {
      const bytes = i % 2 === 0 ? randomDatagram(random) : mutatedDatagram(random, sent)
      network.inject(watcher, bytes, `10.0.${random.below(4)}.${random.below(256)}`, random.choose(paths))
      if (i % 1000 === 0) network.run(100)
    }
    network.run(10_000)
    expect(watcher.presence.changesSince(index)?.map(({ type, peer }) => `${type} ${peer.name}`)).toEqual([])
    expect(watcher.states()).toEqual({ host2: 'alive', host3: 'left' })
    expect(talker.states()).toEqual({ host1: 'alive', host3: 'left' })
    expect(watcher.presence.self().recordVersion).toBeLessThan(3)
  })
})

describe('a flood of invented peers', () => {
  it('fills the registry up to its limit, and evicts no real peer', () => {
    const network = new SimNetwork('flood')
    const [watcher, talker] = [network.host(), network.host()]
    network.run(5000)
    const { most } = watcher.presence.self().limits.peers
    for (let i = 0; i < most + 500; i++) {
      const address = `10.0.9.${i % 50}`
      const stranger = new SyntheticPeer({ name: `s${i}`, address, interval: 3_600_000 })
      for (const datagram of recordDatagrams(stranger.record())) network.inject(watcher, datagram, address)
      network.inject(watcher, stranger.beat(), address)
      if (i % 10 === 0) network.run(25)
    }
    const { peers, recordBytes } = watcher.presence.self().limits
    expect(peers.now).toBe(most)
    expect(recordBytes.now).toBeLessThan(recordBytes.most)
    expect(watcher.refused('registry-full')).toBe(501)
    const [known] = watcher.presence.find('host2')
    expect(known).toMatchObject({ id: talker.presence.self().id, state: 'alive' })
    expect(known?.history).toHaveLength(1)
  }, 300_000)
})
