import { expect, it, vi } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import {
  changePeers,
  DaemonMonitor,
  HANGING_READERS,
  journalIndex,
  MAX_JOURNAL_EVENTS,
  MIB,
  PEERS,
  startEventLoad,
  waitUntilCaughtUp,
} from './event-load.ts'

/** Time after which the daemon disconnects a reader that does not read and needs removed journal entries, ms. */
const CUT_OFF_MS = 30_000

describeLab('two hundred event readers, ten of which do not read', () => {
  it('the others get each change once and in order', async () => {
    await using lab = await Lab.create()
    const { daemon, peers, readers, hanging } = await startEventLoad(lab)
    const began = performance.now()
    const before = await journalIndex(daemon)
    const rss = daemon.process.rss()
    const descriptors = daemon.process.openFds()

    await using monitor = new DaemonMonitor(daemon)
    await changePeers(peers, daemon, 4 * PEERS, 150)
    await waitUntilCaughtUp(daemon, readers, 30_000)
    for (const { faults, counts, index } of readers) {
      expect(faults).toEqual([])
      // On a busy machine a peer may be suspect for a moment, which is a change, too.
      const changes = Object.entries(counts).filter(([type]) => type.startsWith('peer-'))
      expect(changes.reduce((sum, [, count]) => sum + count, 0)).toBe(index - before)
      expect(counts['gap']).toBeUndefined()
    }
    // More changes than the journal holds: the hanging readers get a gap. Ten others check that the daemon still works.
    const staying = readers.splice(0, 10)
    for (const reader of readers) reader.close()
    await changePeers(peers, daemon, MAX_JOURNAL_EVENTS + 400)
    await waitUntilCaughtUp(daemon, staying, 30_000)
    for (const { faults } of staying) expect(faults).toEqual([])

    // Half of the ten continue to read: they get `gap`, then the current state, then every change like the others.
    // The daemon may have disconnected them only if this test has taken more than half a minute so far.
    const reviving = hanging.splice(0, HANGING_READERS / 2)
    const hungFor = performance.now() - began
    for (const reader of reviving) reader.read()
    const alive = () => reviving.filter(({ ended }) => !ended)
    await vi.waitFor(() => expect(alive().filter(({ counts }) => counts['sync'] !== 2)).toEqual([]), 30_000)
    await changePeers(peers, daemon, PEERS)
    await waitUntilCaughtUp(daemon, [...staying, ...alive()], 30_000)
    if (hungFor < CUT_OFF_MS) expect(alive().length).toBe(HANGING_READERS / 2)
    for (const { faults, counts } of alive()) {
      expect(faults).toEqual([])
      expect(counts).toMatchObject({ gap: 1, peer: PEERS, sync: 2 })
    }

    // The other half does not continue. The daemon closes their connections.
    const left = descriptors - readers.length - hanging.length - (reviving.length - alive().length)
    await vi.waitFor(() => expect(daemon.process.openFds()).toBeLessThanOrEqual(left + 1), {
      timeout: 60_000,
      interval: 200,
    })
    for (const reader of hanging) reader.read()
    await vi.waitFor(() => expect(hanging.every(({ ended }) => ended)).toBe(true), 20_000)
    for (const { counts } of hanging) expect(counts['gap']).toBeUndefined()

    const grown = (monitor.rss - rss) / MIB
    console.info(
      `memory +${grown.toFixed(1)} MiB on ${(rss / MIB).toFixed(0)}, responses in ${monitor.slowest.toFixed(0)} ms`,
    )
    expect(grown).toBeLessThan(120)
    await waitUntilCaughtUp(daemon, staying, 30_000)
  }, 400_000)
})
