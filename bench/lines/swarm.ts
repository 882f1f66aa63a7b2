import { setTimeout as delay } from 'node:timers/promises'
import { inTurn, median } from '../figures.ts'
import type { Line } from '../line.ts'
import { packagePath } from '../paths.ts'
import { cpuTime } from '../proc.ts'
import { type Machine, type RunningDaemon, Scene } from '../scene.ts'

const DAEMONS = 20
/** The daemons are not asked before this time, so that their answers do not delay the others, ms. */
const UNDISTURBED_MS = 6000
/** How often the log of a single daemon is read until it is ready, ms. */
const POLL_MS = 5

/**
 * Many daemons that start at once: until all know all. Compared with the time that as many bare processes take at once to
 * use the processor time of a single start each. On an idle machine that is the processor time of all starts, divided by the cores.
 */
export const swarm: Line = {
  name: 'swarm',
  async measure({ programs, short }) {
    await using scene = await Scene.create(programs)
    const names = Array.from({ length: DAEMONS }, (_, number) => `h${number}`)
    const machines = await scene.machines(...names)
    const [first] = machines
    if (!first) throw new Error('no machine')
    // The first start fills V8's compile cache, if there is one.
    await startAlone(first)
    const alone = await inTurn(short ? 3 : 5, { cpu: () => startAlone(first) })
    const cost = median(alone.cpu)
    const { daemons, bare } = await inTurn(short ? 2 : 7, {
      daemons: () => startTogether(machines),
      bare: () => burnTogether(machines, programs.node, cost),
    })
    return [
      {
        what: `${DAEMONS} daemons started at once: all know all`,
        unit: 'ms',
        measured: median(daemons),
        reference: median(bare),
        goal: { limit: 1.5, short: 12 },
      },
    ]
  },
}

/** Starts one daemon alone. Resolves with its processor time until it is ready, ms. */
async function startAlone(machine: Machine): Promise<number> {
  const daemon = await (await machine.daemon()).ready(POLL_MS)
  const cpu = cpuTime(daemon.pid)
  await daemon.stop()
  return cpu
}

/** Lets as many processes use this processor time at once, ms. Resolves with the time until the last of them has, ms. */
async function burnTogether(machines: readonly Machine[], node: string, cpu: number): Promise<number> {
  const argv = [node, packagePath('bench/tools/burn.mjs'), String(cpu)]
  const begin = performance.now()
  await Promise.all(machines.map(({ launcher }) => launcher.run(argv)))
  return performance.now() - begin
}

/** Starts a daemon on every machine. Resolves with the time until the last of them knows all others, ms. */
async function startTogether(machines: readonly Machine[]): Promise<number> {
  const daemons = await Promise.all(machines.map((machine) => machine.daemon()))
  await delay(UNDISTURBED_MS)
  const begin = Math.min(...daemons.map(({ at }) => at))
  await Promise.all(daemons.map((daemon) => daemon.ready()))
  await Promise.all(daemons.map((daemon) => daemon.knows(machines.length - 1)))
  const known = await Promise.all(daemons.map((daemon) => knownAllAt(daemon, begin)))
  await Promise.all(daemons.map((daemon) => daemon.stop()))
  return Math.max(...known) - begin
}

/** The wall-clock time after `since` at which a daemon learnt of the last of its peers, ms. */
async function knownAllAt(daemon: RunningDaemon, since: number): Promise<number> {
  const peers = await daemon.peers()
  const first = peers.map(({ history }) =>
    history.map(({ at, state }) => (state === 'alive' ? Date.parse(at) : 0)).find((at) => at >= since),
  )
  return Math.max(...first.map((at) => at ?? Number.NaN))
}
