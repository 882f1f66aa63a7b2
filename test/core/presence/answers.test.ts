import { describe, expect, it } from 'vitest'
import type { DatagramSource } from '../../../src/core/link.ts'
import { decode, encode } from '../../../src/core/wire/codec.ts'
import type { PeerId } from '../../../src/core/wire/id.ts'
import type { Probe, Query } from '../../../src/core/wire/messages.ts'
import { recordDatagrams, SyntheticPeer } from '../../acceptance/synthetic-peer.ts'
import { type SimHost, SimNetwork, seededIdentity } from '../sim/network.ts'

const RECORD = 2
const BEAT = 1
const PROBE = 5

function queryBy(id: PeerId, nonce: number, ids: PeerId[] = []): Query {
  return { type: 'query', path: 'broadcast', id, incarnation: 1, sequence: 0, nonce, ids }
}

function probeOf(target: PeerId, id: PeerId, nonce: number): Probe {
  return { type: 'probe', path: 'unicast', id, incarnation: 1, sequence: 0, nonce, target }
}

const idOf = ({ presence }: SimHost) => presence.self().id

/** The datagrams of one type that a host has sent since the wiretap was cleared. */
function sentBy(network: SimNetwork, { name }: SimHost, type: number) {
  return network.wiretap.filter(({ from, outgoing }) => from === name && outgoing.bytes[3] === type)
}

const isUnicast = ({ outgoing }: { outgoing: { to: unknown } }) => typeof outgoing.to === 'object'

function segment(size: number, seed = 'answers') {
  const network = new SimNetwork(seed)
  const hosts = Array.from({ length: size }, () => network.host())
  network.run(5000)
  network.tap = true
  network.wiretap.length = 0
  const [first, second] = hosts
  if (!first || !second) throw new Error('no hosts')
  return { network, hosts, first, second }
}

/** The record and the first beat of a peer that does not exist. */
function inventPeer(name: string, address: string): Uint8Array[] {
  const peer = new SyntheticPeer({ name, address })
  return [...recordDatagrams(peer.record()), peer.beat()]
}

describe('a query', () => {
  it('from an address that no peer beats from is answered on the shared paths, at a limited rate', () => {
    const { network, first, second } = segment(3)
    for (let i = 0; i < 500; i++) {
      // Unknown peers, and a known peer at an address that it does not have.
      const id = i % 2 === 0 ? seededIdentity(`asker ${i % 20}`).id : idOf(second)
      network.inject(first, encode(queryBy(id, i + 1)), `10.1.${i % 200}.7`)
      network.run(20)
    }
    const records = sentBy(network, first, RECORD)
    expect(records.filter(isUnicast)).toEqual([])
    expect(records.length / 2).toBeGreaterThan(10)
    expect(records.length / 2).toBeLessThanOrEqual(3 + 4 * 10)
  })

  it('of a new host is answered in time even if an attacker sends queries in its name', () => {
    const { network, hosts, first } = segment(4)
    const newcomer = seededIdentity('newcomer')
    let nonce = 1
    const forge = () => {
      for (const host of hosts) network.inject(host, encode(queryBy(newcomer.id, nonce++)), '10.0.0.5')
      network.after(20, forge)
    }
    forge()
    network.run(5000)
    const late = network.host({ name: 'newcomer', identity: newcomer })
    network.run(800)
    expect(Object.values(late.states())).toEqual(['alive', 'alive', 'alive', 'alive'])
    expect(first.state('newcomer')).toBe('alive')
  })

  it('finds every peer if no unicast arrives, on small and on large segments', () => {
    for (const size of [2, 18]) {
      const { network } = segment(size)
      network.filter = ({ source }) => source.path !== 'unicast'
      const late = network.host({ name: 'late' })
      network.run(2500)
      expect(Object.values(late.states())).toEqual(new Array(size).fill('alive'))
    }
  })

  it('finds every peer if no unicast arrives and 30 % of the other datagrams are lost', () => {
    const { network } = segment(10)
    network.loss = 0.3
    network.filter = ({ source }) => source.path !== 'unicast'
    const late = network.host({ name: 'late' })
    network.run(2500)
    expect(Object.keys(late.states())).toHaveLength(10)
  })

  it('for all records from a beating peer is answered by unicast on a large segment, three times in ten seconds', () => {
    const { network, first, second } = segment(18)
    const address = second.interfaces[0]?.addresses[0]?.address
    for (let nonce = 1; nonce <= 6; nonce++) {
      network.inject(first, encode(queryBy(idOf(second), nonce)), address)
      network.run(1000)
    }
    const records = sentBy(network, first, RECORD)
    expect(records.filter(isUnicast).map(({ outgoing }) => outgoing.to)).toEqual(
      new Array(3).fill({ address, port: 15353 }),
    )
    expect(records.length).toBeGreaterThan(3)
    network.wiretap.length = 0
    network.run(20_000)
    network.inject(first, encode(queryBy(idOf(second), 7, [idOf(first)])), address)
    network.run(1000)
    expect(sentBy(network, first, RECORD).map(({ outgoing }) => outgoing.to)).toEqual(['broadcast', 'multicast4'])
  })

  it('that arrives on two networks with the same nonce is answered once on each', () => {
    const { network, first } = segment(2)
    const other: DatagramSource = {
      interface: 'eth1',
      path: 'broadcast',
      address: '10.9.0.2',
      port: 15353,
      onLink: true,
      own: false,
    }
    const two = [
      ...first.interfaces,
      { name: 'eth1', addresses: [{ address: '10.9.0.1', family: 'ipv4' as const }], paths: ['broadcast' as const] },
    ]
    first.presence.setInterfaces(two, network.now)
    network.flush(first)
    network.run(5000)
    network.wiretap.length = 0
    const query = encode(queryBy(seededIdentity('older').id, 77))
    for (let copy = 0; copy < 2; copy++) {
      network.inject(first, query)
      first.presence.receive(query, other, network.now)
      network.flush(first)
    }
    network.run(500)
    const answers = sentBy(network, first, RECORD).map(({ outgoing }) => [outgoing.interface, outgoing.to])
    expect(answers.sort()).toEqual([
      ['eth0', 'broadcast'],
      ['eth0', 'multicast4'],
      ['eth1', 'broadcast'],
    ])
  })
})

describe('a copy of a question', () => {
  it('is recognised until 1024 other questions were received', () => {
    const { network, first } = segment(2)
    const asker = seededIdentity('asker').id
    const answersTo = (nonce: number) => {
      network.run(5000)
      network.wiretap.length = 0
      network.inject(first, encode(queryBy(asker, nonce, [idOf(first)])))
      network.run(1000)
      return sentBy(network, first, RECORD).length / 2
    }
    const askOthers = (count: number) => {
      for (let i = 0; i < count; i++) network.inject(first, encode(queryBy(asker, 1000 + i, [idOf(first)])))
    }
    expect(answersTo(7)).toBe(1)
    askOthers(1023)
    expect(answersTo(7)).toBe(0)
    network.inject(first, encode(queryBy(asker, 8, [idOf(first)])))
    expect(answersTo(7)).toBe(1)
  })
})

describe('a probe', () => {
  it('is matched with its answer until 1024 later probes were sent', () => {
    const { network, first, second } = segment(2)
    const probes: Uint8Array[] = []
    network.filter = ({ bytes }) => {
      if (bytes[3] !== PROBE) return true
      probes.push(bytes)
      return false
    }
    const nonces = Array.from({ length: 1025 }, () => first.presence.probe(idOf(second), network.now))
    network.flush(first)
    network.filter = () => true
    expect(probes).toHaveLength(1025)
    for (const probe of probes.slice(0, 2)) {
      network.inject(second, probe, first.interfaces[0]?.addresses[0]?.address, 'unicast')
      network.run(10)
    }
    expect(sentBy(network, second, BEAT).filter(isUnicast)).toHaveLength(2)
    expect(first.presence.takeEchoes()).toMatchObject([{ nonce: nonces[1] }])
  })

  it('from an address that no peer beats from is answered by a beat to every peer, at most four times a second', () => {
    const { network, first, second } = segment(3)
    for (let i = 0; i < 400; i++) {
      const id = i % 2 === 0 ? seededIdentity(`asker ${i % 20}`).id : idOf(second)
      network.inject(first, encode(probeOf(idOf(first), id, i + 1)), `10.1.${i % 200}.7`, 'unicast')
      network.run(25)
    }
    const beats = sentBy(network, first, BEAT)
    expect(beats.filter(isUnicast)).toEqual([])
    expect(beats.length / 2).toBeLessThanOrEqual(12 + 4 * 10)
  })

  it('is sent to silent invented peers at a limited rate', () => {
    const { network, first } = segment(2)
    for (let i = 0; i < 400; i++) {
      const address = `10.1.0.${i % 200}`
      for (const datagram of inventPeer(`invented ${i}`, address)) network.inject(first, datagram, address)
      network.run(5)
    }
    network.run(12_000)
    const probes = network.wiretap.filter(({ from, outgoing }) => {
      const message = decode(outgoing.bytes)
      return from === first.name && typeof message === 'object' && message.type === 'probe'
    })
    expect(first.presence.peers().filter(({ state }) => state === 'failed')).toHaveLength(400)
    expect(probes.length).toBeGreaterThan(50)
    expect(probes.length).toBeLessThan(50 + 50 * 14)
  })
})

describe('a query that exceeds the rate limit', () => {
  it('is sent as soon as the limit allows, without another beat', () => {
    const { network, first } = segment(2)
    for (let i = 0; i < 20; i++) {
      const [, beat] = inventPeer(`unknown ${i}`, '10.0.0.250')
      if (beat) network.inject(first, beat)
      network.run(25)
    }
    network.run(1000)
    const asked = network.wiretap.flatMap(({ from, outgoing }) => {
      const message = decode(outgoing.bytes)
      return from === first.name && typeof message === 'object' && message.type === 'query' ? message.ids : []
    })
    expect(new Set(asked).size).toBe(20)
  })
})
