import { isIPv4 } from 'node:net'
import { LabProcess } from './lab-process.ts'
import type { Namespace } from './namespace.ts'
import type { RuleBook } from './rules.ts'
import { Sniffer } from './sniffer.ts'
import { allBut, BEACON_PORT, dropPaths, type Path, partPorts } from './traffic.ts'

export interface NetworkOptions {
  /** The subnet hosts get their addresses from, such as `10.77.0.0/24`; false: no IPv4 addresses. Default: one of its own. */
  readonly ipv4?: string | false
  /** True (default): link-local addresses; a /64 such as `fd77::/64`: a global one too; false: IPv6 is off on its ports. */
  readonly ipv6?: boolean | string
  /** Whether the switch forwards multicast only where it was asked for (and asks, as querier). Default false: it floods. */
  readonly snooping?: boolean
}

/** One end of a cable at the switch, and what the host's end of it is given. */
export interface Port {
  readonly port: string
  readonly mac: string
  /** With prefix length; undefined on a network without IPv4. */
  readonly ipv4: string | undefined
  /** Global address with prefix length, where the network has such a prefix. */
  readonly ipv6: string | undefined
}

/** A virtual switch: one broadcast domain. Made by `Lab.network`. */
export class Network {
  readonly name: string
  /** The bridge's interface name in the lab's switch namespace. */
  readonly bridge: string
  /** Length of the IPv4 prefix, undefined without IPv4. */
  readonly prefix: number | undefined
  /** Whether its ports speak IPv6. */
  readonly ipv6: boolean
  /** The namespace the bridge is in. */
  readonly namespace: Namespace
  /** Rules of the switch namespace; its keys begin with a port's name or `network N`. */
  readonly rules: RuleBook
  #number: number
  #base: number | undefined
  #ipv6Prefix: string | undefined
  #ports = 0

  /** `number` is unique in the lab and becomes part of interface names and MAC addresses. */
  constructor(name: string, number: number, namespace: Namespace, rules: RuleBook, options: NetworkOptions) {
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

  /** `ip` commands that make the bridge. */
  static setup(network: Network, options: NetworkOptions): string[] {
    const snooping = options.snooping ? 'mcast_snooping 1 mcast_querier 1' : 'mcast_snooping 0'
    return [
      `link add ${network.bridge} type bridge stp_state 0 forward_delay 0 ${snooping}`,
      `link set ${network.bridge} up`,
    ]
  }

  /** The next free port: names and addresses only, `HostInterfaces` lays the cable. */
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

  /** The directed broadcast address of the subnet. Throws on a network without IPv4. */
  get broadcast(): string {
    if (this.#base === undefined || this.prefix === undefined) throw new Error(`network '${this.name}' has no IPv4`)
    return dotted(this.#base + 2 ** (32 - this.prefix) - 1)
  }

  /** Splits the switch: nothing passes between hosts of different groups any more, and no host can tell. */
  partition(...groups: (readonly { portsOn(network: Network): string[] }[])[]): Promise<void> {
    const ports = groups.map((group) => group.flatMap((host) => host.portsOn(this)))
    return this.rules.set(`network ${this.#number} partition`, partPorts(ports))
  }

  /** Ends the partition. */
  heal(): Promise<void> {
    return this.rules.set(`network ${this.#number} partition`, [])
  }

  /** The switch drops these paths' beacons for everyone, unseen by the hosts (as many access points do). */
  blockPath(...paths: Path[]): Promise<void> {
    return this.rules.set(
      `network ${this.#number} paths`,
      dropPaths(paths, `iifname "n${this.#number}p*"`, BEACON_PORT),
    )
  }

  /** The switch lets beacons through on this path only, and (unless told otherwise) unicast for answers. */
  onlyPath(path: Path, options: { unicast?: boolean } = {}): Promise<void> {
    return this.blockPath(...allBut(path, options.unicast ?? true))
  }

  /** Undoes `partition`, `blockPath` and `onlyPath`; what was done at single ports stays. */
  clearRules(): Promise<void> {
    return this.rules.remove((key) => key.startsWith(`network ${this.#number} `))
  }

  /** Listens at the switch: every datagram once, also those that rules then drop. Resolves when it listens. */
  sniff(options: { port?: number } = {}): Promise<Sniffer> {
    const start = (command: string, args: readonly string[]): Promise<LabProcess> =>
      LabProcess.start(this.namespace, command, args, { what: `sniffer at ${this.name}` })
    return Sniffer.start(start, options.port ?? BEACON_PORT, this.bridge)
  }
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}
