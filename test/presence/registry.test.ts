import { describe, expect, it } from 'vitest'
import { Agenda } from '../../src/agenda.ts'
import type { Peer } from '../../src/presence/peer.ts'
import { MOST_PEERS, RETENTION, Registry } from '../../src/presence/registry.ts'
import type { Where } from '../../src/presence/types.ts'
import { type PeerRecord, readId, type SignedRecord, writeDigest } from '../../src/wire/index.ts'
import { collectGarbage } from '../garbage.ts'

const MEBIBYTE = 1024 * 1024

/** A registry alone, and who is made up for it: the n-th peer, heard at an address. */
function scene() {
  const agenda = new Agenda()
  const registry = new Registry(
    agenda,
    () => {},
    () => {},
  )
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
      anchor: { sequence: 0, value: writeDigest(new Uint8Array(16)) },
      goodbye: writeDigest(new Uint8Array(16)),
    }
    const where: Where = { interface: 'eth0', path: 'broadcast', address, port: 15353, onLink: true, own: false }
    return registry.learn(signed, record, where, now)
  }
  return { agenda, registry, learn }
}

function known(peer: Peer | undefined): Peer {
  if (!peer) throw new Error('not taken')
  return peer
}

describe('the registry', () => {
  it('keeps memory and agenda bounded through 60,000 peers that come and go', async () => {
    const { agenda, registry, learn } = scene()
    const before = await collectGarbage()
    const first = new WeakRef(known(learn(0, 0)))
    for (let n = 0; n < 60_000; n++) registry.enter(known(learn(n, n)), n % 2 === 0 ? 'left' : 'failed', n)
    expect(registry.size).toBe(MOST_PEERS)
    expect(agenda.size).toBe(MOST_PEERS)
    expect((await collectGarbage()) - before).toBeLessThan(100 * MEBIBYTE)
    expect(first.deref()).toBeUndefined()

    agenda.run(60_000 + RETENTION)
    expect(registry.size).toBe(0)
    expect(agenda.size).toBe(0)
  }, 60_000)

  it('keeps one task for a peer that comes and goes again and again', () => {
    const { agenda, registry, learn } = scene()
    const peer = known(learn(1, 0))
    for (let i = 1; i <= 10_000; i++) registry.enter(peer, i % 2 === 0 ? 'alive' : 'failed', i * 60_000)
    expect(agenda.size).toBeLessThanOrEqual(2)
    registry.enter(peer, 'failed', 10_001 * 60_000)
    agenda.run(10_001 * 60_000 + RETENTION - 1)
    expect(registry.size).toBe(1)
    agenda.run(10_001 * 60_000 + RETENTION)
    expect(registry.size).toBe(0)
  })
})
