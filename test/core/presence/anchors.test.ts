import { describe, expect, it } from 'vitest'
import { decode } from '../../../src/core/wire/codec.ts'
import type { RecordPart } from '../../../src/core/wire/messages.ts'
import { SimNetwork } from '../sim/network.ts'

function partsSentBy(network: SimNetwork, name: string): { at: number; part: RecordPart }[] {
  return network.wiretap.flatMap(({ at, from, outgoing }) => {
    const message = decode(outgoing.bytes)
    return from === name && typeof message === 'object' && message.type === 'record' ? [{ at, part: message }] : []
  })
}

describe('the anchor in a record', () => {
  it('has a lower position than the next beat: at the start, after a change of the interval, and in a new chain', () => {
    const network = new SimNetwork()
    const hosts = Array.from({ length: 6 }, () => network.host({ budget: 50_000, interval: 100 }))
    network.run(3000)
    for (const host of hosts.slice(2)) {
      host.presence.leave(network.now)
      network.flush(host)
    }
    network.run(110_000)
    for (const host of hosts.slice(0, 2)) {
      // Slower, faster again, and a new chain.
      expect(host.presence.self()).toMatchObject({ interval: 100, recordVersion: 4 })
      // Goodbyes, three times on both paths, and the first one counts; and the last beat of the old chain on both paths, if
      // the record behind it overtakes it.
      expect(host.refused('replayed')).toBeLessThanOrEqual(4 * (3 * 2 - 1) + 2)
    }
  })

  it('is recent whenever the record is sent, so that a new host sees 150 old peers as alive and none as suspect', () => {
    const network = new SimNetwork()
    network.silent = true
    const hosts = Array.from({ length: 150 }, () => network.host())
    network.run(1_000_000)
    network.silent = false
    const late = network.host({ name: 'late' })
    network.filter = ({ from, to }) => from === late || to === late
    network.run(6000)
    expect(Object.values(late.states())).toEqual(hosts.map(() => 'alive'))
    const changes = (late.presence.changesSince(0) ?? []).filter(({ own }) => !own)
    expect(changes.filter(({ type }) => type !== 'peer-up')).toEqual([])
    expect(late.refused('too-far-ahead')).toBe(0)
  })

  it('is not renewed in a record of several parts within two seconds after its last part was sent', () => {
    const network = new SimNetwork()
    network.tap = true
    const attributes = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`attribute-${i}`, 'x'.repeat(20)]))
    const big = network.host({ name: 'big', interval: 100, attributes })
    const { id } = big.presence.self()
    for (let nonce = 1; nonce < 40; nonce++) {
      const asker = network.host({ name: `asker ${nonce}`, silent: true })
      network.run(450)
      network.kill(asker)
    }
    const sent = partsSentBy(network, 'big').filter(({ part }) => part.id === id)
    const last = new Map<number, { at: number; bytes: Uint8Array }>()
    let signings = 0
    let lastSentAt = 0
    for (const { at, part } of sent) {
      const before = last.get(part.part)
      if (before && Buffer.compare(before.bytes, part.bytes) !== 0) {
        signings++
        expect(at - lastSentAt === 0 || at - lastSentAt >= 2000).toBe(true)
      }
      last.set(part.part, { at, bytes: part.bytes })
      lastSentAt = at
    }
    expect(signings).toBeGreaterThan(0)
  })
})
