import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, vi } from 'vitest'
import type { Daemon, Host, Lab, LabProcess, Network } from '../lab/index.ts'
import { start } from './daemons.ts'
import { EventReader } from './event-reader.ts'

const TOOL = fileURLToPath(new URL('tools/simulate_peers.mjs', import.meta.url))
export const MIB = 1024 * 1024
export const PEERS = 160
const READERS = 200
export const HANGING_READERS = 10
/** Record changes per second. The daemon checks up to 500 signatures of known peers per second, and 16 per beat. */
const PER_SECOND = 350
const ADDRESSES = 10
/** Number of changes in the daemon's journal, for readers that are behind. */
export const MAX_JOURNAL_EVENTS = 4096

/** Starts a process on `host` that simulates the peers. */
async function simulatePeers(host: Host, lan: Network): Promise<LabProcess> {
  const addresses = Array.from({ length: ADDRESSES }, (_, index) => `10.77.1.${100 + index}`)
  for (const address of addresses) await host.addAddress('eth0', address)
  const simulator = await host.spawn(process.execPath, [TOOL, lan.broadcast, String(PEERS), ...addresses])
  await simulator.waitForLine(/^ready$/, 30_000)
  return simulator
}

/** Changes all peers repeatedly, until the journal has at least `atLeast` more changes. */
export async function changePeers(
  peers: LabProcess,
  daemon: Daemon,
  atLeast: number,
  perSecond = PER_SECOND,
): Promise<void> {
  const before = await journalIndex(daemon)
  while ((await journalIndex(daemon)) - before < atLeast) {
    const from = peers.lines.items.length
    peers.write(`4 ${perSecond}\n`)
    await peers.waitForLine(/^sent/, 60_000, from)
  }
}

export async function journalIndex(daemon: Daemon): Promise<number> {
  return (await daemon.self()).index
}

/** Samples the memory and the response time of a daemon ten times per second, until it is disposed. */
export class DaemonMonitor implements AsyncDisposable {
  /** Resident memory of each sample, bytes. */
  readonly rssSamples: number[] = []
  /** Response time of each sample, ms. */
  readonly responseTimes: number[] = []
  #disposed = false
  readonly #done: Promise<void>

  constructor(daemon: Daemon) {
    this.#done = this.#sample(daemon)
    // An error is reported at disposal.
    this.#done.catch(() => {})
  }

  /** Maximum resident memory, bytes. */
  get rss(): number {
    return Math.max(...this.rssSamples)
  }

  /** Maximum response time, ms. */
  get slowest(): number {
    return Math.max(...this.responseTimes)
  }

  async #sample(daemon: Daemon): Promise<void> {
    while (!this.#disposed) {
      const asked = performance.now()
      await daemon.get('/healthz')
      this.responseTimes.push(performance.now() - asked)
      this.rssSamples.push(daemon.process.rss())
      await delay(100)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    await this.#done
  }
}

/** Waits until the readers have received all changes of the daemon. Resolves with the journal index. */
export async function waitUntilCaughtUp(
  daemon: Daemon,
  readers: readonly EventReader[],
  timeout: number,
): Promise<number> {
  return vi.waitFor(
    async () => {
      const newest = await journalIndex(daemon)
      expect(readers.filter((reader) => reader.index !== newest).length).toBe(0)
      return newest
    },
    { timeout, interval: 100 },
  )
}

interface EventLoad {
  daemon: Daemon
  /** The process that simulates the peers. */
  peers: LabProcess
  readers: EventReader[]
  /** Readers that do not read. */
  hanging: EventReader[]
}

/** Starts a daemon, its event readers, and simulated peers that have not sent anything yet. */
export async function startEventLoad(lab: Lab): Promise<EventLoad> {
  const lan = await lab.network('lan')
  const [host, simulator] = await lab.hosts(['daemon', 'crowd'], [lan])
  if (!host || !simulator) throw new Error('no hosts')
  const daemon = await start(host)
  const peers = await simulatePeers(simulator, lan)
  const readers = await Promise.all(Array.from({ length: READERS - HANGING_READERS }, () => EventReader.open(daemon)))
  const hanging = await Promise.all(Array.from({ length: HANGING_READERS }, () => EventReader.hanging(daemon)))
  await vi.waitFor(() => expect(readers.every(({ counts }) => counts['sync'] === 1)).toBe(true), 20_000)
  return { daemon, peers, readers, hanging }
}
