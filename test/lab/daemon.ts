import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Peer, Peers } from '../../src/shared/api.ts'
import type { Self } from '../../src/shared/self-api.ts'
import { type Answer, type CallOptions, call } from './control.ts'
import { EventStream } from './event-stream.ts'
import { WAIT_TIMEOUT_MS } from './feed.ts'
import type { Exit, LabProcess } from './lab-process.ts'

export interface DaemonOptions {
  /** Name of the peer and of its directory. Default: the host's name. */
  readonly name?: string
  /** More command-line arguments. A log level above info would suppress the line `ready`, which `start` waits for. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds until it must be ready. Default: 30,000. */
  readonly readyTimeout?: number
}

type Start = (args: readonly string[], env: Readonly<Record<string, string>>) => Promise<LabProcess>

/** An earshotd on a host, with access to its control API. */
export class Daemon implements AsyncDisposable {
  readonly name: string
  /** Contains the state directory and the control socket. It survives a restart and is removed with the lab. */
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

  /** Starts a daemon. Resolves when its log says `ready`, otherwise rejects with its last output. */
  static async start(name: string, dir: string, start: Start, options: DaemonOptions): Promise<Daemon> {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const process = await launch(name, dir, start, options)
    return new Daemon(name, dir, start, options, process)
  }

  /** The current process. `restart` replaces it. */
  get process(): LabProcess {
    return this.#process
  }

  get pid(): number {
    return this.#process.pid
  }

  /** The log since the last start: all lines that are JSON objects. */
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

  /** Sends SIGTERM and waits for the end of the process. */
  stop(): Promise<Exit> {
    return this.#process.kill('SIGTERM')
  }

  /** Sends SIGKILL: the daemon cannot send a goodbye. */
  kill(): Promise<Exit> {
    return this.#process.kill('SIGKILL')
  }

  freeze(): Promise<void> {
    return this.#process.freeze()
  }

  thaw(): void {
    this.#process.thaw()
  }

  /** Ends the process with a signal (default SIGTERM) if it still runs, and starts it again with the same state. */
  async restart(options: { signal?: NodeJS.Signals } = {}): Promise<void> {
    await this.#process.kill(options.signal ?? 'SIGTERM')
    this.#process = await launch(this.name, this.dir, this.#start, this.#options)
  }

  /** Sends a request to the control API. Resolves for every status. */
  call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    return call(this.socket, method, path, options)
  }

  /** `GET path`, parsed. Rejects if the status is not 200. The type parameter is not checked. */
  async get<T = unknown>(path: string): Promise<T> {
    const { status, body } = await this.call('GET', path)
    if (status !== 200) throw new Error(`GET ${path} of '${this.name}': status ${status}: ${JSON.stringify(body)}`)
    return body as T
  }

  /** `GET /v1/peers`, optionally with a query such as `state=alive`. */
  async peers(query = ''): Promise<Peer[]> {
    return (await this.get<Peers>(`/v1/peers${query && `?${query}`}`)).peers
  }

  /** `GET /v1/self`. */
  self(): Promise<Self> {
    return this.get<Self>('/v1/self')
  }

  /** Opens `GET /v1/events`. `since`: id of the event to continue after. `state`: begin with the current state. */
  events(options: { since?: string; state?: boolean } = {}): Promise<EventStream> {
    return EventStream.open(this.socket, `/v1/events${options.state ? '?state=1' : ''}`, options.since)
  }

  /**
   * Gets the peers (with `query`, if given) every 50 ms until they satisfy the predicate, and resolves with them.
   * Rejects after `timeoutMs` with the last response. To measure times, use `events` instead.
   */
  async waitFor(wanted: (peers: Peer[]) => boolean, timeoutMs = WAIT_TIMEOUT_MS, query = ''): Promise<Peer[]> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const peers = await this.peers(query)
      if (wanted(peers)) return peers
      if (performance.now() > deadline) {
        const seen = peers.map((peer) => `${peer.name} ${peer.state}`).join(', ')
        throw new Error(`'${this.name}' did not see the expected peers within ${timeoutMs} ms; it sees: ${seen}`)
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
