import { join } from 'node:path'
import { Avahi, type AvahiOptions } from './avahi.ts'
import { LAB_PATH } from './availability.ts'
import { Daemon, type DaemonOptions } from './daemon.ts'
import { HostInterfaces } from './host-interfaces.ts'
import { type ForgedDatagram, Injector } from './injector.ts'
import { LabProcess, type StartOptions } from './lab-process.ts'
import type { Namespace } from './namespace.ts'
import { Ruleset } from './ruleset.ts'
import { type Output, type RunOptions, run } from './run.ts'
import { PYTHON, Sniffer } from './sniffer.ts'
import { allPathsExcept, BEACON_PORT, type Direction, dropPathRules, lossRules, type Path } from './traffic.ts'
import { Zeroconf } from './zeroconf.ts'

/** A machine in the lab, created by `Lab.host`. */
export class Host extends HostInterfaces {
  /** The host's directory, which is HOME of its processes. It is removed with the lab. */
  readonly dir: string
  #firewall: Ruleset
  #processes = new Set<LabProcess>()
  #daemons: Daemon[] = []
  #injector: Promise<Injector> | undefined

  constructor(name: string, namespace: Namespace, families: { ipv4: boolean; ipv6: boolean }, dir: string) {
    super(name, namespace, families)
    this.dir = dir
    this.#firewall = new Ruleset(namespace, 'inet', 'input')
  }

  /**
   * Drops `percent` of the UDP datagrams to `port` (default: beacons) at the switch, at random. 0 ends the loss.
   * The host's own looped-back beacons do not pass the switch and are not dropped.
   */
  async drop(
    percent: number,
    options: { port?: number; direction?: Direction; interface?: string } = {},
  ): Promise<void> {
    const { port = BEACON_PORT, direction = 'in' } = options
    await this.atPorts('loss', (at) => lossRules(at, percent, direction, port), options.interface)
  }

  /** The host's firewall drops incoming beacons on these paths, including the host's own looped-back ones. */
  blockPath(...paths: Path[]): Promise<void> {
    return this.#firewall.set('paths', dropPathRules(paths, 'iifname != "lo"', BEACON_PORT))
  }

  /** The host's firewall accepts beacons on this path only, and unicast answers unless `unicast` is false. */
  onlyPath(path: Path, options: { unicast?: boolean } = {}): Promise<void> {
    return this.blockPath(...allPathsExcept(path, options.unicast ?? true))
  }

  /** Undoes `drop`, `cut`, `blockPath` and `onlyPath`. Rules of a whole network stay. */
  async clearRules(): Promise<void> {
    const none = (): string[] => []
    await Promise.all([this.atPorts('loss', none), this.atPorts('cut', none), this.#firewall.set('paths', [])])
  }

  /** Runs a command to its end. Rejects if it cannot be started, or after `timeout` (ms, default 30,000). */
  exec(command: string, args: readonly string[] = [], options: RunOptions = {}): Promise<Output> {
    const argv = [...this.namespace.enter, 'setpriv', '--pdeathsig', 'KILL', 'env', '-C', this.dir, command, ...args]
    return run(argv, { ...options, env: this.#environment(options.env) })
  }

  /** Starts a command in the background. It is killed when the lab closes or the test process ends. */
  async spawn(command: string, args: readonly string[] = [], options: StartOptions = {}): Promise<LabProcess> {
    const what = `${options.what ?? command} in ${this.name}`
    const env = this.#environment(options.env)
    const process = await LabProcess.start(this.namespace, command, args, { cwd: this.dir, ...options, env, what })
    this.#processes.add(process)
    void process.exited.then(() => this.#processes.delete(process))
    return process
  }

  /** Starts a Python 3 script, given as text, in the background. */
  python(script: string, args: readonly string[] = []): Promise<LabProcess> {
    return this.spawn(PYTHON, ['-u', '-c', script, ...args], { what: 'python' })
  }

  /** Starts an earshotd. Resolves when it is ready. A later daemon with the same name has the same state. */
  async daemon(options: DaemonOptions = {}): Promise<Daemon> {
    const name = options.name ?? this.name
    const dir = join(this.dir, name)
    const socket = join(dir, 'control.sock')
    // The kernel limits the path of a Unix socket to 108 bytes, including the terminating zero.
    if (Buffer.byteLength(socket) >= 108) throw new Error(`socket path is too long for the kernel: ${socket}`)
    const { EARSHOTD } = await installed()
    const start = (args: readonly string[], env: Readonly<Record<string, string>>): Promise<LabProcess> =>
      this.spawn(process.execPath, [EARSHOTD, ...args], { env, what: 'earshotd' })
    const daemon = await Daemon.start(name, dir, start, options)
    this.#daemons.push(daemon)
    return daemon
  }

  /** Runs the `earshot` command to its end. EARSHOT_SOCKET names the host's latest daemon. */
  async cli(...args: string[]): Promise<Output> {
    const { EARSHOT } = await installed()
    return this.exec(process.execPath, [EARSHOT, ...args], { env: this.#socket() })
  }

  /** Starts an `earshot` command in the background (watch, publish). */
  async cliSpawn(...args: string[]): Promise<LabProcess> {
    const { EARSHOT } = await installed()
    const options = { env: this.#socket(), what: `earshot ${args[0] ?? ''}` }
    return this.spawn(process.execPath, [EARSHOT, ...args], options)
  }

  /** Starts an avahi-daemon with its own system bus. Resolves when its name is established. One at a time per host. */
  avahi(options: AvahiOptions = {}): Promise<Avahi> {
    return Avahi.start(this, options)
  }

  /** Starts a python3-zeroconf. Resolves when its sockets are open. */
  zeroconf(): Promise<Zeroconf> {
    return Zeroconf.start((command, args) => this.spawn(command, args, { what: 'zeroconf' }))
  }

  /** Captures the UDP datagrams from and to `port` (default: beacons) at this host's interfaces, including its own. */
  sniff(options: { port?: number; interface?: string } = {}): Promise<Sniffer> {
    const start = (command: string, args: readonly string[]): Promise<LabProcess> =>
      this.spawn(command, args, { what: 'sniffer' })
    return Sniffer.start(start, options.port ?? BEACON_PORT, options.interface)
  }

  /** Sends forged datagrams in sequence. Resolves when they are sent. */
  async inject(...datagrams: ForgedDatagram[]): Promise<void> {
    this.#injector ??= Injector.start((command, args) => this.spawn(command, args, { what: 'injector' }))
    const injector = await this.#injector
    for (const datagram of datagrams) await injector.send(datagram)
  }

  /** Kills the host's processes and removes its namespace. Called by the lab. */
  override async close(): Promise<void> {
    const ends = [...this.#processes].map((process) => process.kill())
    await super.close()
    await Promise.all(ends)
  }

  /** The environment of a process. From the test runner's environment it keeps only what coverage and locale need. */
  #environment(own: Readonly<Record<string, string>> = {}): Record<string, string> {
    const kept = ['LANG', 'TZ', 'NODE_V8_COVERAGE'].flatMap((key) => {
      const value = process.env[key]
      return value === undefined ? [] : [[key, value] as const]
    })
    const home = { HOME: this.dir, XDG_RUNTIME_DIR: this.dir, XDG_STATE_HOME: join(this.dir, 'state') }
    return { PATH: LAB_PATH, ...home, ...Object.fromEntries(kept), ...own }
  }

  #socket(): Record<string, string> {
    const daemon = this.#daemons.at(-1)
    return daemon ? { EARSHOT_SOCKET: daemon.socket } : {}
  }
}

/** The commands of the package under test. Loaded late because only vitest knows them: `npm run bench` uses the lab as well. */
function installed() {
  return import('../installed.ts')
}
