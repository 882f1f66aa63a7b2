import { setTimeout as delay } from 'node:timers/promises'
import { inTurn, median } from '../figures.ts'
import type { Line } from '../line.ts'
import { type RunningDaemon, Scene, until } from '../scene.ts'

const HOSTS = 10
/** The others are not asked before this time, so that their answers do not delay the start, ms. */
const UNDISTURBED_MS = 1500
const PAUSE_MS = 500

/** The time from the start of the process until the last of nine others knows the peer, at the second and later starts. */
export const start: Line = {
  name: 'start',
  async measure({ programs, short }) {
    await using scene = await Scene.create(programs)
    const names = Array.from({ length: HOSTS }, (_, number) => `h${number}`)
    const [newcomer, ...machines] = await scene.machines(...names)
    if (!newcomer) throw new Error('no machine')
    const others = await Promise.all(machines.map(async (machine) => (await machine.daemon()).ready()))
    await Promise.all(others.map((other) => other.knows(others.length - 1)))

    const measurements = {
      async daemon() {
        const daemon = await newcomer.daemon()
        await delay(UNDISTURBED_MS)
        await daemon.ready()
        const known = await Promise.all(others.map((other) => knownAt(other, newcomer.host.name, daemon.at)))
        await daemon.stop()
        await delay(PAUSE_MS)
        return Math.max(...known) - daemon.at
      },
      bare: async () => (await newcomer.launcher.run([programs.node, '-e', '0'])).wall,
    }
    await inTurn(1, measurements)
    const { daemon, bare } = await inTurn(short ? 3 : 15, measurements)
    return [
      {
        what: `start to known to all others, N = ${HOSTS}: wall time`,
        unit: 'ms',
        measured: median(daemon),
        reference: median(bare),
        goal: { limit: 4, short: 20 },
      },
    ]
  },
}

/** The wall-clock time after `since` at which a daemon learnt that the peer with this name is alive, ms. */
async function knownAt(daemon: RunningDaemon, name: string, since: number): Promise<number> {
  let at = Number.NaN
  await until(async () => {
    const peer = (await daemon.peers()).find((each) => each.name === name)
    const entry = peer?.history.find((each) => each.state === 'alive' && Date.parse(each.at) >= since)
    if (entry) at = Date.parse(entry.at)
    return entry !== undefined
  }, `${daemon.socket}: ${name} is alive`)
  return at
}
