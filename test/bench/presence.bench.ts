import { createHash } from 'node:crypto'
import { bench, describe } from 'vitest'
import { Presence } from '../../src/core/presence/presence.ts'
import { decode, encode } from '../../src/core/wire/codec.ts'
import { encodeDigest, HashChain } from '../../src/core/wire/hash-chain.ts'
import { signRecord } from '../../src/core/wire/record.ts'
import { seededIdentity, seededRandom } from '../core/sim/network.ts'

// The cost of received datagrams. Each group also measures the minimum work (hashing or decoding) for comparison.

const BEATS = 2000
const identity = seededIdentity('peer')
const header = { path: 'broadcast', id: identity.id, incarnation: 1 } as const
const source = {
  interface: 'eth0',
  path: 'broadcast',
  address: '10.0.0.2',
  port: 15353,
  onLink: true,
  own: false,
} as const

const chain = new HashChain(identity.id, 1, 0, Buffer.alloc(16), BEATS)
const anchor = encodeDigest(chain.anchor.value)
const { joined } = signRecord(identity, 1, 1, {
  name: 'peer',
  hostname: '',
  addresses: [],
  interval: 1000,
  services: [],
  attributes: {},
  version: '',
  anchor: { sequence: 0, value: anchor },
  goodbye: anchor,
})
const record = encode({ type: 'record', ...header, sequence: 0, part: 0, parts: 1, recordVersion: 1, bytes: joined })
const beats = Array.from({ length: BEATS }, (_, i) => {
  const link = chain.next()
  if (!link) throw new Error('the chain is too short')
  const body = { recordVersion: 1, echo: 0, number: i + 1, sent: i * 1000, reveal: link.value }
  return encode({ type: 'beat', ...header, sequence: link.sequence, ...body })
})
const [firstBeat = record] = beats

/** A presence that has the record of the peer, but no beat yet. */
function watcher(): Presence {
  const presence = new Presence({
    identity: seededIdentity('watcher'),
    incarnation: 1,
    profile: { name: 'watcher', hostname: '', version: '', services: [], attributes: {} },
    interval: 1000,
    budget: 1e9,
    random: seededRandom('watcher'),
  })
  presence.setInterfaces([{ name: 'eth0', addresses: [], paths: ['broadcast'] }], 0)
  presence.receive(record, source, 0)
  return presence
}

describe(`${BEATS} fresh beats`, () => {
  const input = Buffer.alloc(60)
  bench('SHA-256 only', () => {
    for (let i = 0; i < BEATS; i++) createHash('sha256').update(input).digest()
  })
  bench('received and verified', () => {
    const presence = watcher()
    for (const [i, beat] of beats.entries()) presence.receive(beat, source, i * 1000)
  })
})

describe(`${BEATS} copies of a beat, as received on other paths`, () => {
  bench('decoded', () => {
    for (let i = 0; i < BEATS; i++) decode(firstBeat)
  })
  bench('received', () => {
    const presence = watcher()
    for (let i = 0; i < BEATS; i++) presence.receive(firstBeat, source, 1000)
  })
})
