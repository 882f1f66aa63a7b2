import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Host } from './host.ts'
import type { InterfaceOptions } from './host-interfaces.ts'
import { Namespace } from './namespace.ts'
import { Network, type NetworkOptions } from './network.ts'
import { Ruleset } from './ruleset.ts'

export interface HostOptions {
  /** False: no IPv4 addresses. Default true. */
  readonly ipv4?: boolean
  /** False: IPv6 is off (disable_ipv6). Default true. */
  readonly ipv6?: boolean
  /** Content of /etc/machine-id, 32 hex digits. Default: a hash of the name. Equal ids simulate a cloned machine. */
  readonly machineId?: string
}

/** A network that a host is connected to, with or without options of the interface. */
export type Plug = Network | ({ readonly network: Network } & InterfaceOptions)

// Best effort: without an /etc/machine-id on the system there is no file to mount over.
const MACHINE_ID =
  'printf "%s\\n" "$2" > "$1/machine-id"; mount --bind "$1/machine-id" /etc/machine-id 2>/dev/null || :'

/**
 * Hosts in network namespaces, connected by virtual switches. Everything is removed when the lab is closed or the test
 * process ends, even by SIGKILL. Labs are independent: two labs may use the same names and subnets.
 */
export class Lab implements AsyncDisposable {
  /** Temporary directory of the lab. It contains one directory for each host. */
  readonly dir: string
  #switches: Namespace
  #rules: Ruleset
  #networks = 0
  #hosts = new Map<string, Promise<Host>>()

  private constructor(dir: string, switches: Namespace) {
    this.dir = dir
    this.#switches = switches
    this.#rules = new Ruleset(switches, 'bridge', 'forward')
  }

  /** Creates an empty lab. Rejects with the reason if that is not possible (see `labUnavailableReason`). */
  static async create(): Promise<Lab> {
    const dir = mkdtempSync(join(tmpdir(), 'earshot-lab-'))
    const disableIpv6 = '[ ! -d /proc/sys/net/ipv6 ] || echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'
    // After a crash a daemon may still write files during the first removal.
    const teardown = 'rm -rf "$1" 2>/dev/null || { sleep 0.3; rm -rf "$1"; }'
    try {
      return new Lab(dir, await Namespace.create({ hostname: 'switches', setup: disableIpv6, teardown, args: [dir] }))
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

  /** Adds a host with one interface (eth0, eth1, …) per plug. Resolves when its addresses are usable. */
  host(name: string, plugs: readonly Plug[] = [], options: HostOptions = {}): Promise<Host> {
    if (!/^[a-z0-9][a-z0-9-]{0,20}$/.test(name)) throw new Error(`'${name}' is not a valid host name`)
    if (this.#hosts.has(name)) throw new Error(`the lab already has a host '${name}'`)
    const host = this.#makeHost(name, plugs, options)
    this.#hosts.set(name, host)
    return host
  }

  /** Adds several hosts with the same options in parallel, which is much faster than one by one. */
  hosts(names: readonly string[], plugs: readonly Plug[] = [], options: HostOptions = {}): Promise<Host[]> {
    return Promise.all(names.map((name) => this.host(name, plugs, options)))
  }

  /** Kills all processes of the lab and removes its namespaces and files. */
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
      // In sequence: the kernel numbers interfaces in the order of their creation, and eth0 must be first.
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
