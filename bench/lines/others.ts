import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Figure, median, type Unit } from '../figures.ts'
import type { Line } from '../line.ts'
import { cpuTime, residentMemory } from '../proc.ts'
import type { Programs } from '../programs.ts'
import { type Machine, Scene, until } from '../scene.ts'
import { SYSTEMS, type System } from '../systems.ts'

const HOSTS = 10
const ROUNDS = 5
const POLL_MS = 2
/** Until a system has noticed that a host has come or gone, and does only what it does all the time, ms. */
const SETTLE_MS = 10_000
const STEADY_MS = 60_000

/** What earshot and other systems cost on ten hosts. These figures are compared with each other, and have no goals. */
export const others: readonly Line[] = SYSTEMS.map((system) => ({
  name: `others:${system.name}`,
  onlyInFull: true,
  async measure({ programs }) {
    if (system.isInstalled()) return measureSystem(system, programs)
    console.error(`${system.name} is not installed, and is left out`)
    return []
  },
}))

async function measureSystem(system: System, programs: Programs): Promise<Figure[]> {
  await using scene = await Scene.create(programs)
  const machines = await scene.machines(...Array.from({ length: HOSTS }, (_, number) => `h${number}`))
  const first = machines[0]
  const newcomer = machines.pop()
  if (!first || !newcomer) throw new Error('no machines')
  for (const machine of [newcomer, ...machines]) await system.prepare?.(machine)
  const daemons = await Promise.all(machines.map((machine) => startDaemon(system, programs, machine, first)))
  await delay(SETTLE_MS)
  if (system.watcher) {
    for (const machine of machines) await machine.launcher.start(system.watcher(machine, programs), outputOf(machine))
    await delay(SETTLE_MS)
  }
  const known: number[] = []
  let last = await timeUntilKnown(system, programs, newcomer, machines)
  for (let round = 0; round < ROUNDS; round++) {
    await newcomer.launcher.stop(last.started)
    await delay(SETTLE_MS)
    last = await timeUntilKnown(system, programs, newcomer, machines)
    known.push(last.ms)
  }
  await delay(SETTLE_MS)
  const own = [last.started, ...daemons].map(({ pid }) => pid)
  const before = own.map(cpuTime)
  await delay(STEADY_MS)
  const cpu = own.map((pid, index) => (cpuTime(pid) - (before[index] ?? 0)) / 1000)
  const memory = own.map(residentMemory)
  const figure = (what: string, unit: Unit, measured: number): Figure => ({
    what: `${system.name}, N = ${HOSTS}: ${what}`,
    unit,
    measured,
  })
  const figures = [
    figure('start to known to all others', 'ms', median(known)),
    figure('resident memory', 'MiB', median(memory)),
    figure('processor time per host and minute', 's/min', median(cpu)),
  ]
  if (system.list) {
    const costs = []
    for (let round = 0; round < 11; round++) costs.push(await first.launcher.run(system.list(first, programs)))
    figures.push(figure('listing command, processor time', 'ms', median(costs.map((cost) => cost.cpu))))
    figures.push(figure('listing command, wall time', 'ms', median(costs.map(({ wall }) => wall))))
  }
  return figures
}

function startDaemon(system: System, programs: Programs, machine: Machine, first: Machine) {
  const log = system.watcher ? join(machine.host.dir, 'daemon.log') : outputOf(machine)
  return machine.launcher.start(system.daemon(machine, programs, first), log)
}

/** The file in which the newcomers are printed. */
function outputOf({ host }: Machine): string {
  return join(host.dir, 'newcomers.log')
}

/** Starts a daemon, and waits until all others have printed that it has come. */
async function timeUntilKnown(system: System, programs: Programs, newcomer: Machine, machines: readonly Machine[]) {
  const [first = newcomer] = machines
  const announcements = (machine: Machine) =>
    readFileSync(outputOf(machine), 'utf8')
      .split('\n')
      .filter((line) => system.announces(line, newcomer.host.name)).length
  const before = machines.map(announcements)
  const started = await startDaemon(system, programs, newcomer, first)
  const waiting = new Set(machines.keys())
  const isKnownToAll = async () => {
    for (const index of waiting) {
      const machine = machines[index]
      if (machine && announcements(machine) > (before[index] ?? 0)) waiting.delete(index)
    }
    return waiting.size === 0
  }
  await until(isKnownToAll, `${system.name}: the newcomer is known to all`, POLL_MS)
  return { started, ms: performance.timeOrigin + performance.now() - started.at }
}
