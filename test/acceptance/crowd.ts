import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, vi } from 'vitest'
import type { Daemon, Host, Lab, LabProcess, Network } from '../lab/index.ts'
import { start } from './measure.ts'
import { Reader } from './readers.ts'

const DIST = fileURLToPath(new URL('../../dist', import.meta.url))
const TOOL = fileURLToPath(new URL('tools/announce.mjs', import.meta.url))
export const MIB = 1024 * 1024
export const PEERS = 160
const READERS = 200
export const HANGING = 10
/** The daemon checks 500 signatures a second of known peers, beside 16 for each beat. */
const PER_SECOND = 350
const ADDRESSES = 10
/** So many changes the daemon keeps for readers that are behind. */
export const MOST_KEPT = 4096

/** Peers on a host of their own, which change when told to. */
async function announcer(host: Host, lan: Network): Promise<LabProcess> {
  const addresses = Array.from({ length: ADDRESSES }, (_, index) => `10.77.1.${100 + index}`)
  for (const address of addresses) await host.addAddress('eth0', address)
  const crowd = await host.spawn(process.execPath, [TOOL, DIST, lan.broadcast, String(PEERS), ...addresses])
  await crowd.waitForLine(/^ready$/, 30_000)
  return crowd
}

/** Every peer changes again and again, until the daemon has come to know of so many changes more. */
export async function change(
  peers: LabProcess,
  daemon: Daemon,
  atLeast: number,
  perSecond = PER_SECOND,
): Promise<void> {
  const before = await index(daemon)
  while ((await index(daemon)) - before < atLeast) {
    const from = peers.lines.items.length
    peers.write(`4 ${perSecond}\n`)
    await peers.waitForLine(/^told/, 60_000, from)
  }
}

export async function index(daemon: Daemon): Promise<number> {
  return (await daemon.get<{ index: number }>('/v1/self')).index
}

/** How the daemon fared: its memory and how soon it answered, looked at ten times a second until it is disposed of. */
export class Watch implements AsyncDisposable {
  /** Its resident memory each time, bytes. */
  readonly sizes: number[] = []
  /** How long each answer took, ms. */
  readonly answers: number[] = []
  #over = false
  readonly #done: Promise<void>

  constructor(daemon: Daemon) {
    this.#done = this.#look(daemon)
    // What went wrong is told when it is disposed of.
    this.#done.catch(() => {})
  }

  /** The largest of its memory. */
  get rss(): number {
    return Math.max(...this.sizes)
  }

  get slowest(): number {
    return Math.max(...this.answers)
  }

  async #look(daemon: Daemon): Promise<void> {
    while (!this.#over) {
      const asked = performance.now()
      await daemon.get('/healthz')
      this.answers.push(performance.now() - asked)
      this.sizes.push(daemon.process.rss())
      await delay(100)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true
    await this.#done
  }
}

/** Waits until readers know all that the daemon does. */
export async function caughtUp(daemon: Daemon, readers: readonly Reader[], timeout: number): Promise<number> {
  return vi.waitFor(
    async () => {
      const newest = await index(daemon)
      expect(readers.filter((reader) => reader.index !== newest).length).toBe(0)
      return newest
    },
    { timeout, interval: 100 },
  )
}

interface Crowd {
  daemon: Daemon
  /** Their process, which makes them change. */
  peers: LabProcess
  readers: Reader[]
  /** Those that never read. */
  hanging: Reader[]
}

/** A daemon with its readers of events, and with peers that have not said anything yet. */
export async function crowded(lab: Lab): Promise<Crowd> {
  const lan = await lab.network('lan')
  const [host, crowd] = await lab.hosts(['daemon', 'crowd'], [lan])
  if (!host || !crowd) throw new Error('no hosts')
  const daemon = await start(host)
  const peers = await announcer(crowd, lan)
  const readers = await Promise.all(Array.from({ length: READERS - HANGING }, () => Reader.open(daemon)))
  const hanging = await Promise.all(Array.from({ length: HANGING }, () => Reader.hanging(daemon)))
  await vi.waitFor(() => expect(readers.every(({ counts }) => counts['sync'] === 1)).toBe(true), 20_000)
  return { daemon, peers, readers, hanging }
}
