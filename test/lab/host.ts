import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LAB_PATH } from './ability.ts'
import { Avahi, type AvahiOptions } from './avahi.ts'
import { Daemon, type DaemonOptions } from './daemon.ts'
import { HostInterfaces } from './host-interfaces.ts'
import { type ForgedDatagram, Injector } from './injector.ts'
import { LabProcess, type StartOptions } from './lab-process.ts'
import type { Namespace } from './namespace.ts'
import { RuleBook } from './rules.ts'
import { type Output, type RunOptions, run } from './run.ts'
import { PYTHON, Sniffer } from './sniffer.ts'
import { allBut, BEACON_PORT, type Direction, dropPaths, losePort, type Path } from './traffic.ts'
import { Zeroconf } from './zeroconf.ts'

const BIN = fileURLToPath(new URL('../../bin', import.meta.url))

/** A machine in the lab. Made by `Lab.host`. */
export class Host extends HostInterfaces {
  /** A directory of its own (HOME of what runs in it), removed with the lab. */
  readonly dir: string
  #firewall: RuleBook
  #processes = new Set<LabProcess>()
  #daemons: Daemon[] = []
  #injector: Promise<Injector> | undefined

  constructor(name: string, namespace: Namespace, families: { ipv4: boolean; ipv6: boolean }, dir: string) {
    super(name, namespace, families)
    this.dir = dir
    this.#firewall = new RuleBook(namespace, 'inet', 'input')
  }

  /**
   * Loses `percent` of the UDP datagrams to `port` (default: beacons) on the cable, at random; 0 ends it.
   * The host's own looped-back beacons never were on the cable and are not touched.
   */
  async drop(
    percent: number,
    options: { port?: number; direction?: Direction; interface?: string } = {},
  ): Promise<void> {
    const { port = BEACON_PORT, direction = 'in' } = options
    await this.atPorts('loss', (at) => losePort(at, percent, direction, port), options.interface)
  }

  /** A firewall in the host that drops these paths' beacons as they come in, its own looped-back ones included. */
  blockPath(...paths: Path[]): Promise<void> {
    return this.#firewall.set('paths', dropPaths(paths, 'iifname != "lo"', BEACON_PORT))
  }

  /** A firewall in the host that lets beacons in on this path only, and (unless told otherwise) unicast for answers. */
  onlyPath(path: Path, options: { unicast?: boolean } = {}): Promise<void> {
    return this.blockPath(...allBut(path, options.unicast ?? true))
  }

  /** Undoes `drop`, `cut`, `blockPath` and `onlyPath`; what was done at a whole network stays. */
  async clearRules(): Promise<void> {
    const none = (): string[] => []
    await Promise.all([this.atPorts('loss', none), this.atPorts('cut', none), this.#firewall.set('paths', [])])
  }

  /** Runs a command to its end. Rejects when it cannot be started or after `timeout` (ms, default 10,000). */
  exec(command: string, args: readonly string[] = [], options: RunOptions = {}): Promise<Output> {
    const argv = [...this.namespace.enter, 'setpriv', '--pdeathsig', 'KILL', 'env', '-C', this.dir, command, ...args]
    return run(argv, { ...options, env: this.#environment(options.env) })
  }

  /** Starts a command that goes on running; it is killed when the lab closes or the test process dies. */
  async spawn(command: string, args: readonly string[] = [], options: StartOptions = {}): Promise<LabProcess> {
    const what = `${options.what ?? command} in ${this.name}`
    const env = this.#environment(options.env)
    const process = await LabProcess.start(this.namespace, command, args, { cwd: this.dir, ...options, env, what })
    this.#processes.add(process)
    void process.exited.then(() => this.#processes.delete(process))
    return process
  }

  /** Starts a Python 3 script given as text, as `spawn` does. */
  python(script: string, args: readonly string[] = []): Promise<LabProcess> {
    return this.spawn(PYTHON, ['-u', '-c', script, ...args], { what: 'python' })
  }

  /** Starts an earshotd; resolves when it is ready. Its directory outlives it: the same name again has the same state. */
  async daemon(options: DaemonOptions = {}): Promise<Daemon> {
    const name = options.name ?? this.name
    const dir = join(this.dir, name)
    const socket = join(dir, 'control.sock')
    // The kernel's limit for the path of a Unix socket, with its closing zero.
    if (Buffer.byteLength(socket) >= 108) throw new Error(`socket path is too long for the kernel: ${socket}`)
    const start = (args: readonly string[], env: Readonly<Record<string, string>>): Promise<LabProcess> =>
      this.spawn(process.execPath, [join(BIN, 'earshotd.js'), ...args], { env, what: 'earshotd' })
    const daemon = await Daemon.start(name, dir, start, options)
    this.#daemons.push(daemon)
    return daemon
  }

  /** Runs the `earshot` command to its end. It finds the host's latest daemon through EARSHOT_SOCKET. */
  cli(...args: string[]): Promise<Output> {
    return this.exec(process.execPath, [join(BIN, 'earshot.js'), ...args], { env: this.#socket() })
  }

  /** Starts an `earshot` command that goes on running (watch, publish). */
  cliSpawn(...args: string[]): Promise<LabProcess> {
    const options = { env: this.#socket(), what: `earshot ${args[0] ?? ''}` }
    return this.spawn(process.execPath, [join(BIN, 'earshot.js'), ...args], options)
  }

  /** Starts an avahi-daemon with a system bus of its own; resolves when its host name is established. One at a time. */
  avahi(options: AvahiOptions = {}): Promise<Avahi> {
    return Avahi.start(this, options)
  }

  /** Starts a python3-zeroconf; resolves when its sockets are open. */
  zeroconf(): Promise<Zeroconf> {
    return Zeroconf.start((command, args) => this.spawn(command, args, { what: 'zeroconf' }))
  }

  /** Listens to the UDP datagrams from and to `port` (default: beacons) that reach this host's cables, its own included. */
  sniff(options: { port?: number; interface?: string } = {}): Promise<Sniffer> {
    const start = (command: string, args: readonly string[]): Promise<LabProcess> =>
      this.spawn(command, args, { what: 'sniffer' })
    return Sniffer.start(start, options.port ?? BEACON_PORT, options.interface)
  }

  /** Puts handmade datagrams on the wire, one after the other. Resolves when they are sent. */
  async inject(...datagrams: ForgedDatagram[]): Promise<void> {
    this.#injector ??= Injector.start((command, args) => this.spawn(command, args, { what: 'injector' }))
    const injector = await this.#injector
    for (const datagram of datagrams) await injector.send(datagram)
  }

  /** Kills what runs in it and lets it go. Called by the lab. */
  override async close(): Promise<void> {
    const ends = [...this.#processes].map((process) => process.kill())
    await super.close()
    await Promise.all(ends)
  }

  /** Nothing of the test runner's own environment leaks in, but for what coverage and locale need. */
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
