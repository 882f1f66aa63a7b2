import { setTimeout as delay } from 'node:timers/promises'
import { type Figure, inTurn, median } from '../figures.ts'
import type { Line } from '../line.ts'
import { residentMemory } from '../proc.ts'
import { type Machine, Scene } from '../scene.ts'

const PEERS = 50
/** This many daemons and bare processes run at the same time, because a single measurement takes ten minutes. */
const DAEMONS = 5
/** A process that has just started: this long after it is ready, ms. */
const SETTLE_MS = 1500

/** Resident memory of a daemon that has just started, and of one with 50 peers, before and after the first request to its API. */
export const memory: Line = {
  name: 'memory',
  async measure({ programs, short }) {
    await using scene = await Scene.create(programs)
    const [crowd, ...machines] = await scene.machines('crowd', ...Array.from({ length: DAEMONS }, (_, i) => `h${i}`))
    const [first] = machines
    if (!crowd || !first) throw new Error('no machines')
    const measurements = { daemon: () => justStarted(first), bare: () => bareProcess(first) }
    await inTurn(1, measurements)
    const started = await inTurn(short ? 3 : 7, measurements)

    // The daemons know each other as well.
    await crowd.tool('crowd', String(PEERS - (DAEMONS - 1)))
    const daemons = await Promise.all(machines.map(async (machine) => (await machine.daemon()).ready()))
    const bares = await Promise.all(machines.map((machine) => machine.bare()))
    const seconds = short ? 10 : 600
    await delay(seconds * 1000)
    const unasked = daemons.map(({ pid }) => residentMemory(pid))
    const bare = bares.map(({ pid }) => residentMemory(pid))
    await Promise.all(daemons.map((daemon) => daemon.knows(PEERS)))
    await delay(SETTLE_MS)
    const asked = daemons.map(({ pid }) => residentMemory(pid))
    return [
      figure('just started', started.daemon, started.bare, { limit: 1.7, short: 3.5 }),
      figure(`with ${PEERS} peers, after ${seconds} s`, unasked, bare, { limit: 1.5, short: 3.5 }),
      figure('after the first request to the API', asked, bare),
    ]
  },
}

function figure(when: string, daemon: number[], bare: number[], goal?: Figure['goal']): Figure {
  return {
    what: `resident memory ${when}`,
    unit: 'MiB',
    measured: median(daemon),
    reference: median(bare),
    ...(goal && { goal }),
  }
}

async function justStarted(machine: Machine): Promise<number> {
  const daemon = await (await machine.daemon()).ready()
  await delay(SETTLE_MS)
  const memory = residentMemory(daemon.pid)
  await daemon.stop()
  return memory
}

async function bareProcess(machine: Machine): Promise<number> {
  const bare = await machine.bare()
  await delay(SETTLE_MS)
  const memory = residentMemory(bare.pid)
  await machine.launcher.stop(bare)
  return memory
}
