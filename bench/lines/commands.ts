import { type Figure, type Goal, inTurn, median } from '../figures.ts'
import type { Cost } from '../launcher.ts'
import type { Line } from '../line.ts'
import { Scene } from '../scene.ts'

const PEERS = 50
const SMALL: Goal = { limit: 1.3, short: 4 }
/** By the major version of Node. */
const LS: Record<string, Goal> = { 20: { limit: 1.6, short: 6 } }
const LS_NEWEST: Goal = { limit: 2.5, short: 8 }

/** What one call of a command costs, with the start and the end of its process. */
export const commands: Line = {
  name: 'commands',
  async measure({ programs, short }) {
    await using scene = await Scene.create(programs)
    const [machine, crowd] = await scene.machines('here', 'crowd')
    if (!machine || !crowd) throw new Error('no machines')
    await crowd.tool('crowd', String(PEERS))
    const daemon = await (await machine.daemon()).ready()
    await daemon.knows(PEERS)

    const run =
      (...argv: string[]) =>
      () =>
        machine.launcher.run(argv, { EARSHOT_SOCKET: daemon.socket })
    const earshot = (...args: string[]) => run(...programs.earshot, ...args)
    const measurements = {
      bare: run(programs.node, '-e', '0'),
      ls: earshot('ls'),
      version: earshot('--version'),
      help: earshot('--help'),
      completion: earshot('completion'),
    }
    // The first call fills V8's compile cache, if there is one.
    await inTurn(1, measurements)
    const { bare, ls, version, help, completion } = await inTurn(short ? 7 : 21, measurements)
    const goal = LS[programs.nodeVersion.split('.')[0] ?? ''] ?? LS_NEWEST
    return [
      ...figures(`ls of ${PEERS} peers`, ls, bare, goal),
      ...figures('--version', version, bare, SMALL),
      ...figures('--help', help, bare, SMALL),
      ...figures('completion', completion, bare, SMALL),
    ]
  },
}

/** The processor time is compared with the goal: other load on the machine lengthens the wall time of short processes at random. */
function figures(what: string, costs: readonly Cost[], bare: readonly Cost[], goal: Goal): Figure[] {
  const of = (key: keyof Cost) => ({
    unit: 'ms' as const,
    measured: median(costs.map((cost) => cost[key])),
    reference: median(bare.map((cost) => cost[key])),
  })
  return [
    { what: `${what}: processor time`, ...of('cpu'), goal },
    { what: `${what}: wall time`, ...of('wall') },
  ]
}
