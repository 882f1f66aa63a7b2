import { setTimeout as delay } from 'node:timers/promises'
import { median } from '../figures.ts'
import type { Started } from '../launcher.ts'
import type { Line } from '../line.ts'
import { cpuTime, receivedDatagrams } from '../proc.ts'
import { Scene } from '../scene.ts'

const PEERS = 49
/** Until the daemon has asked, probed and compiled what it does often, ms. */
const SETTLE_MS = 20_000
const SETTLE_MS_SHORT = 8000
/** The same for a daemon without peers, which wakes up only once a second. */
const SETTLE_IDLE_MS = 120_000

/** Processor time of a daemon that only receives beats and sends its own. */
export const steady: Line = {
  name: 'steady',
  async measure({ programs, short }) {
    const rounds = short ? 3 : 9
    const seconds = short ? 4 : 10
    await using scene = await Scene.create(programs)
    const [crowd, here, there] = await scene.machines('crowd', 'here', 'there')
    if (!crowd || !here || !there) throw new Error('no machines')
    await crowd.tool('crowd', String(PEERS))
    // Both run at the same time, so that they receive the same datagrams and share all other load.
    const daemon = await (await here.daemon()).ready()
    const bare = await there.bareReceiver()
    await daemon.knows(PEERS)
    await delay(short ? SETTLE_MS_SHORT : SETTLE_MS)
    const perDatagram: { daemon: number[]; bare: number[] } = { daemon: [], bare: [] }
    for (let round = 0; round < rounds; round++) {
      const [ours, theirs] = await Promise.all([costPerDatagram(daemon, seconds), costPerDatagram(bare, seconds)])
      perDatagram.daemon.push(ours)
      perDatagram.bare.push(theirs)
    }
    if ((await daemon.alive()) !== PEERS) throw new Error('the daemon does not know all peers')
    return [
      {
        what: `processor time per received datagram, ${PEERS} peers`,
        unit: 'µs',
        measured: median(perDatagram.daemon),
        reference: median(perDatagram.bare),
        goal: { limit: 2, short: 8 },
      },
    ]
  },
}

/** Processor time of a daemon without peers. */
export const idle: Line = {
  name: 'idle',
  async measure({ programs, short }) {
    await using scene = await Scene.create(programs)
    const [here] = await scene.machines('here')
    if (!here) throw new Error('no machine')
    const daemon = await (await here.daemon()).ready()
    await delay(short ? SETTLE_MS_SHORT : SETTLE_IDLE_MS)
    const costs: number[] = []
    for (let round = 0; round < (short ? 3 : 5); round++) costs.push(await costPerSecond(daemon, short ? 4 : 10))
    return [
      {
        what: 'processor time without peers',
        unit: 'ms/s',
        measured: median(costs),
        goal: { limit: 1, short: 30 },
      },
    ]
  },
}

/** µs */
async function costPerDatagram({ pid }: Started, seconds: number): Promise<number> {
  const [cpu, datagrams] = [cpuTime(pid), receivedDatagrams(pid)]
  await delay(seconds * 1000)
  return (1000 * (cpuTime(pid) - cpu)) / (receivedDatagrams(pid) - datagrams)
}

/** ms/s */
async function costPerSecond({ pid }: Started, seconds: number): Promise<number> {
  const cpu = cpuTime(pid)
  await delay(seconds * 1000)
  return (cpuTime(pid) - cpu) / seconds
}
