import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Host } from './host.ts'
import type { InterfaceOptions } from './host-interfaces.ts'
import { Namespace } from './namespace.ts'
import { Network, type NetworkOptions } from './network.ts'
import { RuleBook } from './rules.ts'

export interface HostOptions {
  /** False: no IPv4 addresses. Default true. */
  readonly ipv4?: boolean
  /** False: IPv6 is off (disable_ipv6). Default true. */
  readonly ipv6?: boolean
  /** Content of /etc/machine-id in the host, 32 hex digits; default: made from its name. Two alike make a cloned machine. */
  readonly machineId?: string
}

/** Where a host is plugged in: a network, or a network with the options of the interface. */
export type Plug = Network | ({ readonly network: Network } & InterfaceOptions)

// Best effort: a system without /etc/machine-id has nothing to put the file over.
const MACHINE_ID =
  'printf "%s\\n" "$2" > "$1/machine-id"; mount --bind "$1/machine-id" /etc/machine-id 2>/dev/null || :'

/**
 * Hosts in network namespaces on virtual switches. All of it goes when the lab is closed, and when the test process
 * dies, however it dies. Labs know nothing of each other: names and subnets may be alike.
 */
export class Lab implements AsyncDisposable {
  /** Temporary directory of the lab; each host has one of its own in it. */
  readonly dir: string
  #switches: Namespace
  #rules: RuleBook
  #networks = 0
  #hosts = new Map<string, Promise<Host>>()

  private constructor(dir: string, switches: Namespace) {
    this.dir = dir
    this.#switches = switches
    this.#rules = new RuleBook(switches, 'bridge', 'forward')
  }

  /** Makes an empty lab. Rejects with the reason where that is not possible (see `labAvailable`). */
  static async create(): Promise<Lab> {
    const dir = mkdtempSync(join(tmpdir(), 'earshot-lab-'))
    const quiet = '[ ! -d /proc/sys/net/ipv6 ] || echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'
    // After a crash a daemon may still be writing while the first attempt removes.
    const teardown = 'rm -rf "$1" 2>/dev/null || { sleep 0.3; rm -rf "$1"; }'
    try {
      return new Lab(dir, await Namespace.create({ hostname: 'switches', setup: quiet, teardown, args: [dir] }))
    } catch (error) {
      rmSync(dir, { recursive: true })
      throw error
    }
  }

  /** Adds a switch. */
  async network(name: string, options: NetworkOptions = {}): Promise<Network> {
    this.#networks += 1
    const network = new Network(name, this.#networks, this.#switches, this.#rules, options)
    await this.#switches.ip(Network.setup(network, options))
    return network
  }

  /** Adds a host with an interface (eth0, eth1, …) for each plug. Resolves when its addresses can be used. */
  host(name: string, plugs: readonly Plug[] = [], options: HostOptions = {}): Promise<Host> {
    if (!/^[a-z0-9][a-z0-9-]{0,20}$/.test(name)) throw new Error(`'${name}' is no name for a host`)
    if (this.#hosts.has(name)) throw new Error(`the lab already has a host '${name}'`)
    const host = this.#makeHost(name, plugs, options)
    this.#hosts.set(name, host)
    return host
  }

  /** Adds several hosts alike, side by side: much faster than one after the other. */
  hosts(names: readonly string[], plugs: readonly Plug[] = [], options: HostOptions = {}): Promise<Host[]> {
    return Promise.all(names.map((name) => this.host(name, plugs, options)))
  }

  /** Kills everything that runs in the lab and takes it down. */
  async close(): Promise<void> {
    const hosts = await Promise.allSettled(this.#hosts.values())
    await Promise.all(hosts.map((host) => (host.status === 'fulfilled' ? host.value.close() : undefined)))
    await this.#switches.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #makeHost(name: string, plugs: readonly Plug[], options: HostOptions): Promise<Host> {
    const dir = join(this.dir, name)
    mkdirSync(dir, { mode: 0o700 })
    const machineId = options.machineId ?? createHash('sha256').update(name).digest('hex').slice(0, 32)
    const beside = this.#switches
    const namespace = await Namespace.create({ hostname: name, beside, setup: MACHINE_ID, args: [dir, machineId] })
    const host = new Host(name, namespace, { ipv4: options.ipv4 ?? true, ipv6: options.ipv6 ?? true }, dir)
    try {
      // One after the other: interfaces are numbered by the kernel as they come, and eth0 comes first.
      for (const plug of plugs) {
        if (plug instanceof Network) await host.addInterface(plug)
        else await host.addInterface(plug.network, plug)
      }
    } catch (error) {
      await host.close()
      throw error
    }
    return host
  }
}
