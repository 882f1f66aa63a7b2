import { expect, it, vi } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import { caughtUp, change, crowded, HANGING, index, MIB, MOST_KEPT, PEERS, Watch } from './crowd.ts'

/** A reader that has not read for so long, and needs what is no longer kept, is cut off. */
const CUT_OFF_MS = 30_000

describeLab('readers of events', () => {
  it('two hundred, ten of which never read: the others get each change once and in order', async () => {
    await using lab = await Lab.create()
    const { daemon, peers, readers, hanging } = await crowded(lab)
    const began = performance.now()
    const before = await index(daemon)
    const rss = daemon.process.rss()
    const descriptors = daemon.process.openFds()

    await using watch = new Watch(daemon)
    await change(peers, daemon, 4 * PEERS, 150)
    await caughtUp(daemon, readers, 30_000)
    for (const { faults, counts, index } of readers) {
      expect(faults).toEqual([])
      // On a busy machine a peer may be suspect for a moment: that is a change like others.
      const told = Object.entries(counts).filter(([type]) => type.startsWith('peer-'))
      expect(told.reduce((sum, [, count]) => sum + count, 0)).toBe(index - before)
      expect(counts['gap']).toBeUndefined()
    }
    // More changes than the daemon keeps: the ten lose their place. Enough readers stay to see the others served.
    const staying = readers.splice(0, 10)
    for (const reader of readers) reader.close()
    await change(peers, daemon, MOST_KEPT + 400)
    await caughtUp(daemon, staying, 30_000)
    for (const { faults } of staying) expect(faults).toEqual([])

    // Half of the ten read on: they are told of the gap, then the present state, then of every change as the others are.
    // Only where all this has taken more than half a minute may the daemon have given them up already.
    const reviving = hanging.splice(0, HANGING / 2)
    const hungFor = performance.now() - began
    for (const reader of reviving) reader.read()
    const alive = () => reviving.filter(({ ended }) => !ended)
    await vi.waitFor(() => expect(alive().filter(({ counts }) => counts['sync'] !== 2)).toEqual([]), 30_000)
    await change(peers, daemon, PEERS)
    await caughtUp(daemon, [...staying, ...alive()], 30_000)
    if (hungFor < CUT_OFF_MS) expect(alive().length).toBe(HANGING / 2)
    for (const { faults, counts } of alive()) {
      expect(faults).toEqual([])
      expect(counts).toMatchObject({ gap: 1, peer: PEERS, sync: 2 })
    }

    // The other half never does, and is cut off: its connections are gone at the daemon.
    const left = descriptors - readers.length - hanging.length - (reviving.length - alive().length)
    await vi.waitFor(() => expect(daemon.process.openFds()).toBeLessThanOrEqual(left + 1), {
      timeout: 60_000,
      interval: 200,
    })
    for (const reader of hanging) reader.read()
    await vi.waitFor(() => expect(hanging.every(({ ended }) => ended)).toBe(true), 20_000)
    for (const { counts } of hanging) expect(counts['gap']).toBeUndefined()

    const grown = (watch.rss - rss) / MIB
    console.info(
      `memory +${grown.toFixed(1)} MiB on ${(rss / MIB).toFixed(0)}, answers in ${watch.slowest.toFixed(0)} ms`,
    )
    expect(grown).toBeLessThan(120)
    await caughtUp(daemon, staying, 30_000)
  }, 240_000)
})
