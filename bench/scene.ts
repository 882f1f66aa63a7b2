import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Peer, Peers } from '../src/shared/api.ts'
import { LAB_PATH } from '../test/lab/availability.ts'
import { call } from '../test/lab/control.ts'
import type { Host } from '../test/lab/host.ts'
import { Lab } from '../test/lab/lab.ts'
import type { LabProcess } from '../test/lab/lab-process.ts'
import type { Network } from '../test/lab/network.ts'
import { Launcher, type Started } from './launcher.ts'
import { packagePath } from './paths.ts'
import type { Programs } from './programs.ts'

/** How often a condition is checked, ms. */
const POLL_MS = 100
/** The longest time until a condition is true, ms. */
const TIMEOUT_MS = 120_000

/** A lab with one network, and with what the measurements need on its hosts. */
export class Scene implements AsyncDisposable {
  readonly lab: Lab
  readonly lan: Network
  readonly programs: Programs
  /** The environment of all programs. They share one home directory, and so V8's compile cache. */
  readonly #env: Readonly<Record<string, string>>

  private constructor(lab: Lab, lan: Network, programs: Programs) {
    this.lab = lab
    this.lan = lan
    this.programs = programs
    const home = join(lab.dir, 'home')
    mkdirSync(home)
    const { NODE_PATH } = process.env
    this.#env = { PATH: LAB_PATH, HOME: home, ...(NODE_PATH && { NODE_PATH }) }
  }

  static async create(programs: Programs): Promise<Scene> {
    const lab = await Lab.create()
    return new Scene(lab, await lab.network('lan'), programs)
  }

  /** Adds hosts with these names to the network, each with a launcher. */
  async machines(...names: readonly string[]): Promise<Machine[]> {
    const hosts = await this.lab.hosts(names, [this.lan])
    return Promise.all(
      hosts.map(async (host) => new Machine(host, await Launcher.on(host, this.#env), this.programs, this.lan)),
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.lab.close()
  }
}

/** A host of the network, on which programs are measured. */
export class Machine {
  readonly host: Host
  readonly launcher: Launcher
  readonly #programs: Programs
  readonly lan: Network

  constructor(host: Host, launcher: Launcher, programs: Programs, lan: Network) {
    this.host = host
    this.launcher = launcher
    this.#programs = programs
    this.lan = lan
  }

  /** Starts a daemon. It keeps its state from one start to the next. `preload`: a module in `bench/tools` that Node loads first. */
  async daemon(preload?: string): Promise<RunningDaemon> {
    const { dir, name } = this.host
    const socket = join(dir, 'c.sock')
    const log = join(dir, 'daemon.log')
    const args = ['--name', name, '--state-dir', join(dir, 'state'), '--socket', socket]
    const [program = '', ...script] = this.#programs.daemon
    const required = preload === undefined ? [] : ['--require', packagePath(`bench/tools/${preload}`)]
    const argv = [program, ...required, ...script, ...args, '--http', 'off', '--log-format', 'json']
    return new RunningDaemon(await this.launcher.start(argv, log), this, socket, log)
  }

  /** Starts a program that is not measured with the Node of this process. Resolves when it prints `ready`. */
  async tool(name: string, ...args: readonly string[]): Promise<LabProcess> {
    const tool = await this.host.spawn(process.execPath, [packagePath(`bench/built/${name}.js`), ...args], {
      what: name,
    })
    await tool.waitForLine(/^ready$/, TIMEOUT_MS)
    return tool
  }

  /** Starts a Node program that does nothing. */
  bare(): Promise<Started> {
    return this.launcher.start([this.#programs.node, '-e', 'setInterval(() => {}, 2 ** 30)'], '/dev/null')
  }

  /** Starts a Node program that receives what a daemon receives, on the same sockets, and does nothing with it. */
  bareReceiver(): Promise<Started> {
    const args = [this.host.address(), this.lan.broadcast, 'eth0']
    return this.launcher.start(
      [this.#programs.node, packagePath('bench/tools/bare-receiver.mjs'), ...args],
      '/dev/null',
    )
  }
}

/** A daemon that a machine has started. */
export class RunningDaemon implements Started {
  readonly pid: number
  readonly at: number
  readonly socket: string
  readonly #machine: Machine
  readonly #log: string

  constructor({ pid, at }: Started, machine: Machine, socket: string, log: string) {
    this.pid = pid
    this.at = at
    this.socket = socket
    this.#machine = machine
    this.#log = log
  }

  /** Waits until its log says `ready`. */
  async ready(pollMs = POLL_MS): Promise<this> {
    await until(async () => this.log.some((line) => line.includes('"msg":"ready"')), `${this.#log}: ready`, pollMs)
    return this
  }

  /** The lines of its output so far. */
  get log(): string[] {
    return readFileSync(this.#log, 'utf8').split('\n')
  }

  async get<Body>(path: string): Promise<Body> {
    const { status, body } = await call(this.socket, 'GET', path)
    if (status !== 200) throw new Error(`GET ${path}: status ${status}`)
    return body as Body
  }

  async peers(): Promise<Peer[]> {
    return (await this.get<Peers>('/v1/peers')).peers
  }

  /** Waits until it knows at least this number of living peers. */
  async knows(count: number): Promise<void> {
    await until(async () => (await this.alive()) >= count, `${this.socket}: ${count} peers`)
  }

  async alive(): Promise<number> {
    return (await this.peers()).filter(({ state }) => state === 'alive').length
  }

  stop(): Promise<{ cpu: number }> {
    return this.#machine.launcher.stop(this)
  }
}

/** Checks a condition until it is true. Rejects after two minutes. */
export async function until(condition: () => Promise<boolean>, what: string, pollMs = POLL_MS): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${TIMEOUT_MS / 1000} s: ${what}`)
    await delay(pollMs)
  }
}
