import { isIPv4 } from 'node:net'
import { LabProcess } from './lab-process.ts'
import type { Namespace } from './namespace.ts'
import type { Ruleset } from './ruleset.ts'
import { Sniffer } from './sniffer.ts'
import { allPathsExcept, BEACON_PORT, dropPathRules, type Path, partitionRules } from './traffic.ts'

export interface NetworkOptions {
  /** Subnet for the hosts' addresses, for example `10.77.0.0/24`, or false for no IPv4. Default: a separate subnet. */
  readonly ipv4?: string | false
  /** True (default): link-local addresses. A /64 such as `fd77::/64`: also global addresses. False: IPv6 is disabled. */
  readonly ipv6?: boolean | string
  /** Enables IGMP and MLD snooping, with the switch as querier. Default false: the switch floods multicast. */
  readonly snooping?: boolean
}

/** A switch port, and the addresses for the host's interface at its other end. */
export interface Port {
  readonly port: string
  readonly mac: string
  /** With prefix length. Undefined on a network without IPv4. */
  readonly ipv4: string | undefined
  /** Global address with prefix length. Undefined on a network without a global prefix. */
  readonly ipv6: string | undefined
}

/** A virtual switch, which is one broadcast domain. Created by `Lab.network`. */
export class Network {
  readonly name: string
  /** The bridge's interface name in the lab's switch namespace. */
  readonly bridge: string
  /** IPv4 prefix length. Undefined without IPv4. */
  readonly prefix: number | undefined
  /** Whether IPv6 is enabled on its ports. */
  readonly ipv6: boolean
  /** The namespace that contains the bridge. */
  readonly namespace: Namespace
  /** Rules of the switch namespace. The keys begin with the name of a port or `network N`. */
  readonly rules: Ruleset
  #number: number
  #base: number | undefined
  #ipv6Prefix: string | undefined
  #ports = 0

  /** `number` is unique in the lab and part of interface names and MAC addresses. */
  constructor(name: string, number: number, namespace: Namespace, rules: Ruleset, options: NetworkOptions) {
    this.name = name
    this.bridge = `br${number}`
    this.namespace = namespace
    this.rules = rules
    this.#number = number
    const subnet = options.ipv4 ?? `10.77.${number}.0/24`
    if (subnet !== false) {
      const [base = '', length = ''] = subnet.split('/')
      const prefix = Number(length)
      if (!isIPv4(base) || !(prefix >= 8 && prefix <= 30)) {
        throw new Error(`network '${name}': '${subnet}' is no IPv4 subnet of /8 to /30`)
      }
      this.prefix = prefix
      this.#base = base.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0)
    }
    this.ipv6 = options.ipv6 !== false
    if (typeof options.ipv6 === 'string') this.#ipv6Prefix = options.ipv6.replace(/::\/64$/, '')
  }

  /** `ip` commands that create the bridge. */
  static setup(network: Network, options: NetworkOptions): string[] {
    const snooping = options.snooping ? 'mcast_snooping 1 mcast_querier 1' : 'mcast_snooping 0'
    return [
      `link add ${network.bridge} type bridge stp_state 0 forward_delay 0 ${snooping}`,
      `link set ${network.bridge} up`,
    ]
  }

  /** Reserves the names and addresses of the next free port. `HostInterfaces` creates the interfaces. */
  nextPort(): Port {
    this.#ports += 1
    const count = this.#ports
    const byte = (value: number): string => value.toString(16).padStart(2, '0')
    return {
      port: `n${this.#number}p${count}`,
      mac: `02:00:00:${byte(this.#number)}:${byte(count >> 8)}:${byte(count & 255)}`,
      ipv4: this.#base === undefined ? undefined : `${dotted(this.#base + count)}/${this.prefix}`,
      ipv6: this.#ipv6Prefix === undefined ? undefined : `${this.#ipv6Prefix}::${count.toString(16)}/64`,
    }
  }

  /** The directed broadcast address of the subnet. Throws if the network has no IPv4. */
  get broadcast(): string {
    if (this.#base === undefined || this.prefix === undefined) throw new Error(`network '${this.name}' has no IPv4`)
    return dotted(this.#base + 2 ** (32 - this.prefix) - 1)
  }

  /** Splits the switch: it drops all traffic between hosts of different groups. All hosts keep their carrier. */
  partition(...groups: (readonly { portsOn(network: Network): string[] }[])[]): Promise<void> {
    const ports = groups.map((group) => group.flatMap((host) => host.portsOn(this)))
    return this.rules.set(`network ${this.#number} partition`, partitionRules(ports))
  }

  /** Ends the partition. */
  heal(): Promise<void> {
    return this.rules.set(`network ${this.#number} partition`, [])
  }

  /** The switch silently drops the beacons on these paths, like many access points. */
  blockPath(...paths: Path[]): Promise<void> {
    return this.rules.set(
      `network ${this.#number} paths`,
      dropPathRules(paths, `iifname "n${this.#number}p*"`, BEACON_PORT),
    )
  }

  /** The switch forwards beacons on this path only, and unicast answers unless `unicast` is false. */
  onlyPath(path: Path, options: { unicast?: boolean } = {}): Promise<void> {
    return this.blockPath(...allPathsExcept(path, options.unicast ?? true))
  }

  /** Undoes `partition`, `blockPath` and `onlyPath`. Rules of single ports stay. */
  clearRules(): Promise<void> {
    return this.rules.remove((key) => key.startsWith(`network ${this.#number} `))
  }

  /** Captures each datagram once at the switch, including those that rules drop. Resolves when it captures. */
  sniff(options: { port?: number } = {}): Promise<Sniffer> {
    const start = (command: string, args: readonly string[]): Promise<LabProcess> =>
      LabProcess.start(this.namespace, command, args, { what: `sniffer at ${this.name}` })
    return Sniffer.start(start, options.port ?? BEACON_PORT, this.bridge)
  }
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}
