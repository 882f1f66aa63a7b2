import { describe, expect, it } from 'vitest'
import { Agenda } from '../../../src/core/agenda.ts'
import type { DatagramSource } from '../../../src/core/link.ts'
import { MAX_COUNTED_PER_SOURCE, MAX_PEERS_PER_SOURCE } from '../../../src/core/presence/peers/eviction.ts'
import type { Peer } from '../../../src/core/presence/peers/peer.ts'
import { MAX_PEERS, type PeerFact, RETENTION, Registry } from '../../../src/core/presence/peers/registry.ts'
import { encodeDigest } from '../../../src/core/wire/hash-chain.ts'
import { readId } from '../../../src/core/wire/id-bytes.ts'
import type { Beat } from '../../../src/core/wire/messages.ts'
import type { SignedRecord } from '../../../src/core/wire/record.ts'
import type { PeerRecord } from '../../../src/core/wire/record-schema.ts'
import { collectGarbage } from '../../garbage.ts'

const MEBIBYTE = 1024 * 1024

/** A registry alone, and a function that adds the n-th invented peer. */
function scene(report: (peer: Peer, fact: PeerFact) => void = () => {}) {
  const agenda = new Agenda()
  const registry = new Registry(agenda, () => {}, report)
  const learn = (n: number, now: number, { address = `10.0.${(n >> 8) & 255}.${n & 255}`, interval = 1000 } = {}) => {
    const bytes = Buffer.alloc(16)
    bytes.writeUInt32BE(n)
    const signed: SignedRecord = {
      id: readId(bytes),
      incarnation: 1,
      recordVersion: 1,
      joined: Buffer.alloc(400, String(n)),
    }
    const record: PeerRecord = {
      name: `peer ${n}`,
      hostname: '',
      addresses: [address],
      interval,
      services: [],
      attributes: {},
      version: '',
      anchor: { sequence: 0, value: encodeDigest(new Uint8Array(16)) },
      goodbye: encodeDigest(new Uint8Array(16)),
    }
    const where: DatagramSource = {
      interface: 'eth0',
      path: 'broadcast',
      address,
      port: 15353,
      onLink: true,
      own: false,
    }
    return registry.learn(signed, record, where, now)
  }
  return { agenda, registry, learn }
}

/** A beat that counts as verified. */
function beatOf({ id }: Peer): Beat {
  const header = { type: 'beat', path: 'broadcast', id, incarnation: 1, sequence: 1 } as const
  return { ...header, recordVersion: 1, echo: 0, number: 1, sent: 0, reveal: new Uint8Array(16) }
}

function known(peer: Peer | undefined): Peer {
  if (!peer) throw new Error('not taken')
  return peer
}

describe('the registry', () => {
  it('keeps memory and agenda bounded while 30,000 peers come and go', async () => {
    const { agenda, registry, learn } = scene()
    const before = await collectGarbage()
    const first = new WeakRef(known(learn(0, 0)))
    for (let n = 0; n < 30_000; n++) registry.enter(known(learn(n, n)), n % 2 === 0 ? 'left' : 'failed', n)
    expect(registry.size).toBe(MAX_PEERS)
    expect(agenda.size).toBe(MAX_PEERS)
    expect((await collectGarbage()) - before).toBeLessThan(100 * MEBIBYTE)
    expect(first.deref()).toBeUndefined()

    agenda.run(30_000 + RETENTION)
    expect(registry.size).toBe(0)
    expect(agenda.size).toBe(0)
  })

  it('keeps one task for a peer that appears and fails again and again', () => {
    const { agenda, registry, learn } = scene()
    const peer = known(learn(1, 0))
    registry.beat(peer, beatOf(peer), 0)
    for (let i = 1; i <= 10_000; i++) registry.enter(peer, i % 2 === 0 ? 'alive' : 'failed', i * 60_000)
    expect(agenda.size).toBeLessThanOrEqual(2)
    registry.enter(peer, 'failed', 10_001 * 60_000)
    agenda.run(10_001 * 60_000 + RETENTION - 1)
    expect(registry.size).toBe(1)
    agenda.run(10_001 * 60_000 + RETENTION)
    expect(registry.size).toBe(0)
  })

  it('evicts first peers that never beat, then peers that failed or left, and no others', () => {
    let facts: string[] = []
    const { registry, learn } = scene((peer, fact) => facts.push(`${fact} ${peer.record.name}`))
    const beating = Array.from({ length: MAX_PEERS - 3 }, (_, n) => known(learn(n, n)))
    for (const peer of beating) registry.beat(peer, beatOf(peer), MAX_PEERS)
    const [gone, later] = [known(beating[7]), known(beating[3])]
    registry.enter(gone, 'failed', MAX_PEERS)
    registry.enter(later, 'left', MAX_PEERS + 1)
    const unproven = [1, 2, 3].map((n) => known(learn(100_000 + n, MAX_PEERS + 2)))
    const held = () => [...unproven, gone, later].map(({ id }) => registry.get(id) !== undefined)
    facts = []

    const newcomer = known(learn(200_000, MAX_PEERS + 3))
    registry.beat(newcomer, beatOf(newcomer), MAX_PEERS + 3)
    expect(held()).toEqual([false, true, true, true, true])
    expect(facts).toEqual(['peer-failed peer 100001', 'peer-forgotten peer 100001', 'peer-up peer 200000'])
    for (let n = 1; n <= 4; n++) {
      const peer = known(learn(200_000 + n, MAX_PEERS + 4))
      registry.beat(peer, beatOf(peer), MAX_PEERS + 4)
    }
    expect(held()).toEqual([false, false, false, false, false])
    expect(learn(300_000, MAX_PEERS + 5)).toBeUndefined()
    expect(registry.size).toBe(MAX_PEERS)
    expect(beating.every((peer) => peer === gone || peer === later || registry.get(peer.id) === peer)).toBe(true)

    // A silent peer with an interval of an hour keeps its place for a minute.
    for (const peer of registry.values()) if (peer !== beating[50]) registry.beat(peer, beatOf(peer), 2 * MAX_PEERS)
    expect(learn(300_000, MAX_PEERS + 60_000)).toBeUndefined()
    expect(learn(300_000, MAX_PEERS + 60_001)).toBeDefined()
    expect(registry.get(known(beating[50]).id)).toBeUndefined()
  })

  it('limits the number of peers per source address, and evicts among these the ones that never beat', () => {
    const { registry, learn } = scene()
    const address = '10.9.9.9'
    for (let n = 0; n < 3 * MAX_PEERS_PER_SOURCE; n++) known(learn(n, n, { address }))
    expect(registry.size).toBe(MAX_PEERS_PER_SOURCE)
    for (const peer of registry.values()) registry.beat(peer, beatOf(peer), 10_000)
    expect(learn(100_000, 10_000, { address })).toBeUndefined()
    expect(learn(100_000, 10_000)).toBeDefined()
  })

  it('counts the present peers that have beaten, and only a few per source address', () => {
    const { registry, learn } = scene()
    const crowd = Array.from({ length: 100 }, (_, n) => known(learn(n, 0, { address: '10.9.9.9' })))
    const single = known(learn(1000, 0))
    expect(registry.presentCount).toBe(0)
    registry.beat(single, beatOf(single), 1)
    expect(registry.presentCount).toBe(1)
    for (const peer of crowd) for (let i = 0; i < 3; i++) registry.beat(peer, beatOf(peer), 1)
    expect(registry.presentCount).toBe(1 + MAX_COUNTED_PER_SOURCE)
    for (const peer of crowd.slice(0, 95)) registry.enter(peer, 'suspect', 2)
    for (const peer of crowd.slice(0, 95)) registry.enter(peer, 'failed', 2)
    expect(registry.presentCount).toBe(1 + 5)
    for (const peer of crowd) registry.enter(peer, 'alive', 3)
    expect(registry.presentCount).toBe(1 + MAX_COUNTED_PER_SOURCE)
    for (const peer of [...crowd, single]) registry.enter(peer, 'left', 4)
    expect(registry.presentCount).toBe(0)
  })
})
