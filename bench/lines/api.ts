import { Agent, type IncomingMessage, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type Figure, median } from '../figures.ts'
import type { Line } from '../line.ts'
import { type RunningDaemon, Scene, until } from '../scene.ts'
import { SyntheticPeers } from '../synthetic-peers.ts'

const PEERS = 10_000
const PEERS_SHORT = 2000
const READERS = 1000
const UNCHANGED_REQUESTS = 20

/** Answers with long lists. */
export const list: Line = {
  name: 'list',
  async measure({ programs, short }) {
    const count = short ? PEERS_SHORT : PEERS
    const rounds = short ? 5 : 11
    await using scene = await Scene.create(programs)
    const [sender, here] = await scene.machines('sender', 'here')
    if (!sender || !here) throw new Error('no machines')
    const daemon = await (await here.daemon(programs.isExecutable ? undefined : 'loop-delay.cjs')).ready()
    const peers = await SyntheticPeers.on(sender, count, 0)
    await peers.appearTo(daemon)

    const times: number[] = []
    const blocks: number[] = []
    const unchanged: number[] = []
    for (let round = 0; round < rounds; round++) {
      // The list differs from the last one, so that the daemon cannot send the same bytes again.
      const index = await journalIndex(daemon)
      await peers.change(round)
      await until(async () => (await journalIndex(daemon)) > index, 'a changed peer')
      const watched = programs.isExecutable ? undefined : await LoopWatch.begin(daemon)
      const { ms, etag } = await fetchList(daemon)
      times.push(ms)
      if (watched) blocks.push(await watched.end())
      const repeated: number[] = []
      for (let i = 0; i < UNCHANGED_REQUESTS; i++) repeated.push((await fetchList(daemon, etag)).ms)
      unchanged.push(median(repeated))
    }
    const of = `a list of ${count} peers`
    const figures: Figure[] = [
      { what: `${of}: time of the answer`, unit: 'ms', measured: median(times), goal: { limit: 50, short: 3000 } },
      { what: `${of}, unchanged (ETag)`, unit: 'ms', measured: median(unchanged), goal: { limit: 1, short: 500 } },
    ]
    if (blocks.length > 0) {
      const goal = { limit: 20, short: 3000 }
      figures.push({ what: `${of}: longest block of the loop`, unit: 'ms', measured: median(blocks), goal })
    }
    return figures
  },
}

/** One change, told to many readers of events. */
export const events: Line = {
  name: 'events',
  async measure({ programs, short }) {
    await using scene = await Scene.create(programs)
    const [sender, here] = await scene.machines('sender', 'here')
    if (!sender || !here) throw new Error('no machines')
    const daemon = await (await here.daemon()).ready()
    const peers = await SyntheticPeers.on(sender, 1, 0)
    await peers.appearTo(daemon)
    const readers = await here.tool('event-readers', daemon.socket, String(READERS))
    const times: number[] = []
    for (let round = 0; round < (short ? 5 : 21); round++) {
      await delay(500)
      const from = readers.lines.items.length
      const index = await journalIndex(daemon)
      const begin = performance.timeOrigin + performance.now()
      await peers.change(0)
      const line = await readers.waitForLine(/^last /, 30_000, from)
      if ((await journalIndex(daemon)) !== index + 1) throw new Error('more than one change')
      times.push(Number(line.slice('last '.length)) - begin)
    }
    const goal = { limit: 50, short: 5000 }
    return [{ what: `one change to the last of ${READERS} readers`, unit: 'ms', measured: median(times), goal }]
  },
}

async function journalIndex(daemon: RunningDaemon): Promise<number> {
  return (await daemon.get<{ index: number }>('/v1/self')).index
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 })

/** Gets the list of all peers over a connection that is open already. Resolves with the time until its last byte, ms. */
function fetchList({ socket }: RunningDaemon, etag?: string): Promise<{ ms: number; etag: string }> {
  return new Promise((resolve, reject) => {
    const begin = performance.now()
    const headers = etag === undefined ? {} : { 'if-none-match': etag }
    const take = (response: IncomingMessage) => {
      response.resume().on('end', () => {
        const ms = performance.now() - begin
        const expected = etag === undefined ? 200 : 304
        if (response.statusCode !== expected) reject(new Error(`status ${response.statusCode} instead of ${expected}`))
        else resolve({ ms, etag: response.headers.etag ?? '' })
      })
    }
    request({ socketPath: socket, path: '/v1/peers', headers, agent }, take).on('error', reject).end()
  })
}

/** Watches the event loop of a daemon that was started with `loop-delay.cjs`. */
class LoopWatch {
  readonly #daemon: RunningDaemon
  readonly #lines: number

  private constructor(daemon: RunningDaemon) {
    this.#daemon = daemon
    this.#lines = results(daemon).length
  }

  static async begin(daemon: RunningDaemon): Promise<LoopWatch> {
    const watch = new LoopWatch(daemon)
    process.kill(daemon.pid, 'SIGUSR2')
    await delay(50)
    return watch
  }

  /** Resolves with the longest time for which the loop was blocked, ms. */
  async end(): Promise<number> {
    process.kill(this.#daemon.pid, 'SIGUSR2')
    await until(async () => results(this.#daemon).length > this.#lines, 'the longest block of the loop')
    return results(this.#daemon).at(-1) ?? Number.NaN
  }
}

function results({ log }: RunningDaemon): number[] {
  return log.flatMap((line) => {
    const [, ms] = /^\{"blockedMs":([\d.]+)\}$/.exec(line) ?? []
    return ms === undefined ? [] : [Number(ms)]
  })
}
