import { describe, expect, it } from 'vitest'
import { decode, encode } from '../../../src/core/wire/codec.ts'
import { HashChain } from '../../../src/core/wire/hash-chain.ts'
import type { Beat, Bye, Message, RecordPart } from '../../../src/core/wire/messages.ts'
import { signRecord } from '../../../src/core/wire/record.ts'
import { type SimHost, SimNetwork, seededIdentity } from '../sim/network.ts'

/** Two hosts that know each other, and everything that the second one has sent. */
function overheard(): {
  network: SimNetwork
  watcher: SimHost
  victim: SimHost
  sent: <T extends Message['type']>(type: T) => Extract<Message, { type: T }>[]
} {
  const network = new SimNetwork('authentication')
  network.tap = true
  const [watcher, victim] = [network.host({ name: 'watcher' }), network.host({ name: 'victim' })]
  network.run(5000)
  const sent = <T extends Message['type']>(type: T) =>
    network.wiretap
      .filter(({ from }) => from === 'victim')
      .map(({ outgoing }) => decode(outgoing.bytes))
      .filter(
        (message): message is Extract<Message, { type: T }> => typeof message === 'object' && message.type === type,
      )
  return { network, watcher, victim, sent }
}

function last<T>(items: T[]): T {
  const item = items.at(-1)
  if (item === undefined) throw new Error('nothing was sent')
  return item
}

/** Everything that the watcher reports about the victim. */
function opinion(watcher: SimHost) {
  const peer = watcher.presence.peers().find(({ name }) => name === 'victim')
  return peer && { ...peer, paths: peer.paths.length, refused: undefined }
}

/** Injects a datagram, and expects that nothing changes except the counter for this reason. */
function expectRefusal(
  { network, watcher }: { network: SimNetwork; watcher: SimHost },
  message: Message,
  reason: string,
): void {
  const before = opinion(watcher)
  const count = watcher.refused(reason)
  const index = watcher.presence.index
  network.inject(watcher, encode(message))
  expect(watcher.refused(reason)).toBe(count + 1)
  expect(opinion(watcher)).toEqual(before)
  expect(watcher.presence.index).toBe(index)
}

describe('authentication', () => {
  it('refuses a forged beat', () => {
    const scene = overheard()
    const beat = last(scene.sent('beat'))
    expectRefusal(scene, { ...beat, sequence: beat.sequence + 1, reveal: Buffer.alloc(16, 7) }, 'bad-reveal')
  })

  it('refuses replayed beats, old ones and the newest', () => {
    const scene = overheard()
    const beats = scene.sent('beat').filter(({ echo }) => echo === 0)
    expectRefusal(scene, last(beats.slice(0, 3)), 'replayed')
    const before = opinion(scene.watcher)?.lastSeen
    scene.network.run(50)
    scene.network.inject(scene.watcher, encode(last(beats)))
    expect(opinion(scene.watcher)?.lastSeen).toBe(before)
    expect(scene.watcher.refused('duplicate')).toBeGreaterThan(0)
  })

  it('refuses a beat with the right position and another chain value', () => {
    const scene = overheard()
    expectRefusal(scene, { ...last(scene.sent('beat')), reveal: Buffer.alloc(16, 7) }, 'bad-reveal')
  })

  it('refuses a beat at a position too far ahead', () => {
    const scene = overheard()
    const beat = last(scene.sent('beat'))
    expectRefusal(scene, { ...beat, sequence: beat.sequence + 100_000 }, 'too-far-ahead')
    expectRefusal(scene, { ...beat, sequence: 0xffffffff }, 'too-far-ahead')
  })

  it('refuses a forged goodbye', () => {
    const scene = overheard()
    const { id, incarnation, sequence } = last(scene.sent('beat'))
    const bye: Bye = { type: 'bye', path: 'broadcast', id, incarnation, sequence, secret: Buffer.alloc(16) }
    expectRefusal(scene, bye, 'bad-goodbye')
  })

  it('refuses a record with any bit of its first bytes changed', () => {
    const scene = overheard()
    const record = last(scene.sent('record'))
    for (const at of [0, 31, 32, 95, 96, 200]) {
      const bytes = Uint8Array.from(record.bytes)
      bytes[at] = (bytes[at] ?? 0) ^ 1
      const reason = at < 32 ? 'bad-identity' : 'bad-signature'
      expectRefusal(scene, { ...record, bytes, recordVersion: record.recordVersion + 1 }, reason)
    }
  })

  it('refuses a higher incarnation that the peer has not signed', () => {
    const scene = overheard()
    const beat = last(scene.sent('beat'))
    expectRefusal(scene, { ...beat, incarnation: beat.incarnation + 1, sequence: 1 }, 'unproven')
    const stranger = seededIdentity('stranger')
    const record = signedBy(stranger, scene.victim, beat.incarnation + 1)
    expectRefusal(scene, { ...record, id: beat.id }, 'bad-identity')
  })

  it('does not revive a failed peer when its datagrams are replayed', () => {
    const scene = overheard()
    const { network, watcher, victim } = scene
    network.kill(victim)
    const all = network.wiretap.filter(({ from }) => from === 'victim').map(({ outgoing }) => outgoing.bytes)
    for (let i = 0; i < 100; i++) {
      network.run(100)
      for (const bytes of all) network.inject(watcher, bytes)
    }
    expect(watcher.state('victim')).toBe('failed')
  })

  it('gives an attacker who keeps probing at most two unused beats to collect', () => {
    const { network, watcher, victim } = overheard()
    const { id } = victim.presence.self()
    const stranger = seededIdentity('stranger').id
    const hoard: Uint8Array[] = []
    network.wiretap.length = 0
    for (let nonce = 1; nonce <= 2000; nonce++) {
      const probe = {
        type: 'probe',
        path: 'unicast',
        id: stranger,
        incarnation: 1,
        sequence: 0,
        nonce,
        target: id,
      } as const
      network.inject(victim, encode(probe), '10.0.0.250', 'unicast')
      network.run(2)
    }
    for (const { from, outgoing } of network.wiretap) {
      if (from !== 'victim' || outgoing.bytes[3] !== 1) continue
      if (typeof outgoing.to === 'object') hoard.push(outgoing.bytes)
      else hoard.length = 0
    }
    expect(hoard.length).toBeLessThanOrEqual(2)
    network.kill(victim)
    const diedAt = network.now
    while (watcher.state('victim') !== 'failed') {
      const beat = watcher.state('victim') === 'suspect' && hoard.shift()
      if (beat) network.inject(watcher, beat)
      network.run(50)
    }
    expect(network.now - diedAt).toBeLessThan(3 * 3500 + 1200 + 500)
  })

  it('accepts the next beat after lost ones even if forged beats have used up the budget for hash steps', () => {
    const scene = overheard()
    const { network, watcher, victim } = scene
    const prober = network.host({ name: 'prober' })
    network.run(2500)
    const known = last(scene.sent('beat'))
    const forged = encode({ ...known, sequence: known.sequence + 16, reveal: Buffer.alloc(16, 1) })
    const { id } = victim.presence.self()
    const lost = network.now + 2000
    network.filter = ({ from, to, bytes }) => {
      if (from !== victim || to !== watcher || bytes[3] !== 1) return true
      if (network.now < lost) return false
      for (let i = 0; i < 1300; i++) network.inject(watcher, forged)
      return true
    }
    // Each answer uses up a position of the chain.
    for (let i = 0; i < 4; i++) {
      prober.presence.probe(id, network.now)
      network.flush(prober)
      network.run(500)
    }
    network.run(1500)
    expect(last(scene.sent('beat')).sequence - known.sequence).toBeGreaterThan(6)
    expect(watcher.refused('too-far-ahead')).toBeGreaterThan(0)
    expect(watcher.state('victim')).toBe('alive')
    const told = watcher.presence.changesSince(0)?.flatMap(({ type, peer, own }) => (own ? [] : `${type} ${peer.name}`))
    expect(told).toEqual(['peer-up victim', 'peer-up prober'])
  })

  it('accepts a peer that returns after half a minute even if forged beats have used up the budget for hash steps', () => {
    const { network, watcher, victim } = overheard()
    const known = network.host({ name: 'known' })
    let isAway = true
    let position = 0
    network.filter = ({ from, to, bytes }) => {
      const message = decode(bytes)
      if (from === known && typeof message === 'object') position = message.sequence
      return !(isAway && (from === victim || to === victim))
    }
    network.run(30_000)
    expect(watcher.state('victim')).toBe('failed')
    const { id } = known.presence.self()
    const forged = {
      type: 'beat',
      path: 'broadcast',
      id,
      incarnation: 1,
      recordVersion: 1,
      echo: 0,
      number: 1,
      sent: 0,
    }
    const flood = (milliseconds: number) => {
      for (let i = 0; i < milliseconds; i++) {
        network.run(1)
        const beat = { ...forged, sequence: position + 14, reveal: Buffer.alloc(16, 7) } as Beat
        for (let j = 0; j < 3; j++) network.inject(watcher, encode(beat), `10.0.9.${j}`)
      }
    }
    flood(2000)
    isAway = false
    flood(3000)
    expect(watcher.refused('too-far-ahead')).toBeGreaterThan(1000)
    expect(watcher.state('victim')).toBe('alive')
  })

  it('accepts the beats of a peer during a flood of forged beats', () => {
    const scene = overheard()
    const { network, watcher, victim } = scene
    const forge = (): Beat => ({
      ...last(scene.sent('beat')),
      sequence: victim.presence.self().recordVersion + 1000,
      reveal: Buffer.alloc(16, 1),
    })
    for (let i = 0; i < 200; i++) {
      network.run(50)
      for (let j = 0; j < 20; j++)
        network.inject(watcher, encode({ ...forge(), sequence: last(scene.sent('beat')).sequence + 1 + (j % 20) }))
    }
    expect(watcher.state('victim')).toBe('alive')
    expect(watcher.presence.changesSince(0)?.filter(({ type }) => type === 'peer-suspect')).toEqual([])
  })
})

function signedBy(identity: ReturnType<typeof seededIdentity>, victim: SimHost, incarnation: number): RecordPart {
  const { value } = new HashChain(identity.id, incarnation, 0, Buffer.alloc(16)).anchor
  const digest = Buffer.from(value).toString('base64url')
  const { joined } = signRecord(identity, incarnation, 1, {
    name: victim.name,
    hostname: '',
    addresses: [],
    interval: 1000,
    services: [],
    attributes: {},
    version: '',
    anchor: { sequence: 0, value: digest },
    goodbye: digest,
  })
  return {
    type: 'record',
    path: 'broadcast',
    id: identity.id,
    incarnation,
    sequence: 0,
    part: 0,
    parts: 1,
    recordVersion: 1,
    bytes: joined,
  }
}
