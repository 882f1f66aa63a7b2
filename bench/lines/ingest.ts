import { setTimeout as delay } from 'node:timers/promises'
import { median } from '../figures.ts'
import type { Line } from '../line.ts'
import { cpuTime, receivedDatagrams } from '../proc.ts'
import { type RunningDaemon, Scene } from '../scene.ts'
import { SyntheticPeers } from '../synthetic-peers.ts'

const PEERS = 1000
/** Both receivers take a burst before the next, so that no buffer overflows. */
const BURST = 100
const PAUSE_MS = 5
/** Until the last datagrams are read, ms. */
const DRAIN_MS = 500

/**
 * Processor time of a verified beat under load. Compared as a rate: how many beats the daemon verifies in the time in which
 * a bare receive loop takes one.
 */
export const ingest: Line = {
  name: 'ingest',
  async measure({ programs, short }) {
    const rounds = short ? 3 : 9
    /** Of each peer in a round. */
    const beats = short ? 20 : 50
    await using scene = await Scene.create(programs)
    const [sender, here, there] = await scene.machines('sender', 'here', 'there')
    if (!sender || !here || !there) throw new Error('no machines')
    const daemon = await (await here.daemon()).ready()
    const peers = await SyntheticPeers.on(sender, PEERS, (rounds + 1) * beats)
    await peers.appearTo(daemon)
    const bare = await there.bareReceiver()
    const costs: { daemon: number[]; bare: number[] } = { daemon: [], bare: [] }
    // The first round is not counted: V8 compiles what it runs often.
    for (let round = 0; round <= rounds; round++) {
      await peers.prepare(beats)
      const before = { daemon: cpuTime(daemon.pid), bare: cpuTime(bare.pid) }
      const [verified, received] = [await verifiedBeats(daemon), receivedDatagrams(bare.pid)]
      await peers.send(BURST, PAUSE_MS)
      await delay(DRAIN_MS)
      const after = { daemon: cpuTime(daemon.pid), bare: cpuTime(bare.pid) }
      if (round === 0) continue
      costs.daemon.push((1000 * (after.daemon - before.daemon)) / ((await verifiedBeats(daemon)) - verified))
      costs.bare.push((1000 * (after.bare - before.bare)) / (receivedDatagrams(bare.pid) - received))
    }
    return [
      {
        what: `processor time per verified beat of ${PEERS} peers (ratio of the rates)`,
        unit: 'µs',
        measured: median(costs.daemon),
        reference: median(costs.bare),
        goal: { limit: 0.6, short: 0.1, atLeast: true },
      },
    ]
  },
}

interface Counters {
  counters: { received: Record<string, number>; refused: Record<string, number> }
}

async function verifiedBeats(daemon: RunningDaemon): Promise<number> {
  const { counters } = await daemon.get<Counters>('/v1/self')
  return (counters.received['beat'] ?? 0) - Object.values(counters.refused).reduce((sum, count) => sum + count, 0)
}
