import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Peer, Peers } from '../../src/shared/api.ts'
import type { Self } from '../../src/shared/self-api.ts'
import { type Answer, type CallOptions, call } from './control.ts'
import { EventStream } from './event-stream.ts'
import type { Exit, LabProcess } from './lab-process.ts'

export interface DaemonOptions {
  /** Name of the peer and of its directory; default the host's name. */
  readonly name?: string
  /** Further command-line arguments. A log level above info would hide the line that says it is ready. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds it may take to become ready; default 30,000. */
  readonly readyTimeout?: number
}

type Start = (args: readonly string[], env: Readonly<Record<string, string>>) => Promise<LabProcess>

/** An earshotd in a host, and the way to talk to it. */
export class Daemon implements AsyncDisposable {
  readonly name: string
  /** State directory and control socket are in here. They outlive a restart, and go with the lab. */
  readonly dir: string
  readonly socket: string
  #start: Start
  #options: DaemonOptions
  #process: LabProcess

  private constructor(name: string, dir: string, start: Start, options: DaemonOptions, process: LabProcess) {
    this.name = name
    this.dir = dir
    this.socket = join(dir, 'control.sock')
    this.#start = start
    this.#options = options
    this.#process = process
  }

  /** Starts a daemon and resolves when it says that it is ready; rejects, with what it said instead, when it does not. */
  static async start(name: string, dir: string, start: Start, options: DaemonOptions): Promise<Daemon> {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const process = await launch(name, dir, start, options)
    return new Daemon(name, dir, start, options, process)
  }

  /** The process as it runs now (another one after `restart`). */
  get process(): LabProcess {
    return this.#process
  }

  get pid(): number {
    return this.#process.pid
  }

  /** Its log since its last start: those lines that are JSON objects. */
  get log(): Record<string, unknown>[] {
    return this.#process.lines.items.flatMap(({ text }) => {
      try {
        const line: unknown = JSON.parse(text)
        return typeof line === 'object' && line !== null ? [line as Record<string, unknown>] : []
      } catch {
        return []
      }
    })
  }

  /** SIGTERM, and waits until it has ended. */
  stop(): Promise<Exit> {
    return this.#process.kill('SIGTERM')
  }

  /** SIGKILL: it cannot say goodbye. */
  kill(): Promise<Exit> {
    return this.#process.kill('SIGKILL')
  }

  freeze(): Promise<void> {
    return this.#process.freeze()
  }

  thaw(): void {
    this.#process.thaw()
  }

  /** Ends it with a signal (default SIGTERM), if it still runs, and starts it again with the same state. */
  async restart(options: { signal?: NodeJS.Signals } = {}): Promise<void> {
    await this.#process.kill(options.signal ?? 'SIGTERM')
    this.#process = await launch(this.name, this.dir, this.#start, this.#options)
  }

  /** Any request to its control API; resolves whatever the status is. */
  call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    return call(this.socket, method, path, options)
  }

  /** `GET path`, parsed. Rejects when the status is not 200. The type is the caller's claim: nothing checks it. */
  async get<T = unknown>(path: string): Promise<T> {
    const { status, body } = await this.call('GET', path)
    if (status !== 200) throw new Error(`GET ${path} of '${this.name}': status ${status}: ${JSON.stringify(body)}`)
    return body as T
  }

  /** `GET /v1/peers`, with a query such as `state=alive` if given. */
  async peers(query = ''): Promise<Peer[]> {
    return (await this.get<Peers>(`/v1/peers${query && `?${query}`}`)).peers
  }

  /** `GET /v1/self`. */
  self(): Promise<Self> {
    return this.get<Self>('/v1/self')
  }

  /** Opens `GET /v1/events`. `since`: an event's id, to go on after it; `state`: begin with the present state. */
  events(options: { since?: string; state?: boolean } = {}): Promise<EventStream> {
    return EventStream.open(this.socket, `/v1/events${options.state ? '?state=1' : ''}`, options.since)
  }

  /**
   * Asks for the peers (with `query`, if given) every 50 ms until they satisfy the predicate, and resolves with them.
   * Rejects after `timeoutMs` (default 20,000) with the last answer. To measure times, use `events` instead.
   */
  async waitFor(wanted: (peers: Peer[]) => boolean, timeoutMs = 20_000, query = ''): Promise<Peer[]> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const peers = await this.peers(query)
      if (wanted(peers)) return peers
      if (performance.now() > deadline) {
        const seen = peers.map((peer) => `${peer.name} ${peer.state}`).join(', ')
        throw new Error(`'${this.name}' did not come to see what was wanted within ${timeoutMs} ms; it sees: ${seen}`)
      }
      await delay(50)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

async function launch(name: string, dir: string, start: Start, options: DaemonOptions): Promise<LabProcess> {
  const fixed = ['--name', name, '--state-dir', join(dir, 'state'), '--socket', join(dir, 'control.sock')]
  const args = [...fixed, '--http', 'off', '--log-format', 'json', ...(options.args ?? [])]
  const process = await start(args, options.env ?? {})
  try {
    await process.waitForLine(/"msg":"ready"/, options.readyTimeout ?? 30_000)
  } catch (error) {
    await process.kill()
    throw error
  }
  return process
}
