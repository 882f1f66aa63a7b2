import { Namespace } from './namespace.ts'
import type { Network, Port } from './network.ts'
import { cutPortRules, type Direction } from './traffic.ts'

export interface InterfaceOptions {
  /** Default: the first free name of eth0, eth1, … */
  readonly name?: string
  /** IPv4 address with or without prefix length, or false for none. Default: the next free one of the network. */
  readonly address?: string | false
  /** Default: derived from the numbers of the network and the port. */
  readonly mac?: string
}

interface Interface extends Port {
  readonly name: string
  readonly network: Network
  ipv4: string | undefined
  plugged: boolean
  up: boolean
}

// An interface can use IPv6 when the kernel has assigned its link-local address, which takes a few milliseconds.
const waitForLinkLocal = (name: string): string => `n=0
until [ ! -f /proc/net/if_inet6 ] || grep -q "^fe80.* ${name}$" /proc/net/if_inet6; do
  [ $n -lt 500 ] || { echo "${name} has no link-local address after 5 s" >&2; exit 1; }
  n=$((n + 1)); sleep 0.01
done`

/** The network interfaces of a host: cables to switches, addresses, links. */
export class HostInterfaces {
  readonly name: string
  readonly namespace: Namespace
  /** Whether the host has IPv4 addresses, and whether IPv6 is enabled. */
  readonly families: { readonly ipv4: boolean; readonly ipv6: boolean }
  #interfaces = new Map<string, Interface>()
  // Names are reserved at once, so that interfaces can be added in parallel.
  #names = new Set<string>()
  #containers: Namespace | undefined
  // Prefix of the bridges → their link group. 0 is the group of all other interfaces.
  #bridges = new Map<string, number>()
  #groups = 0

  constructor(name: string, namespace: Namespace, families: { readonly ipv4: boolean; readonly ipv6: boolean }) {
    this.name = name
    this.namespace = namespace
    this.families = families
  }

  /** Connects a new interface to a switch. Resolves with its name when it is up and its addresses are usable. */
  async addInterface(network: Network, options: InterfaceOptions = {}): Promise<string> {
    const name = options.name ?? this.#freeName()
    if (this.#names.has(name)) throw new Error(`host '${this.name}' already has an interface '${name}'`)
    this.#names.add(name)
    const port = network.nextPort()
    const mac = options.mac ?? port.mac
    const wanted = options.address === undefined ? port.ipv4 : withPrefix(options.address, network)
    const ipv4 = this.families.ipv4 ? wanted : undefined
    const ipv6 = this.families.ipv6 && network.ipv6
    await network.namespace.ip([
      `link add ${port.port} type veth peer name ${name} address ${mac} netns ${this.namespace.pid}`,
      `link set ${port.port} master ${network.bridge} up`,
    ])
    this.#interfaces.set(name, { ...port, mac, ipv4, name, network, plugged: true, up: true })
    const setup = [
      ...(ipv4 === undefined ? [] : [`addr add ${ipv4} brd + dev ${name}`]),
      ...(ipv6 && port.ipv6 !== undefined ? [`addr add ${port.ipv6} dev ${name}`] : []),
      `link set ${name} up`,
    ]
    const off = `[ ! -d /proc/sys/net/ipv6 ] || echo 1 > /proc/sys/net/ipv6/conf/${name}/disable_ipv6`
    const script = `${ipv6 ? '' : off}\nip -batch -\n${ipv6 ? waitForLinkLocal(name) : ''}`
    await this.namespace.sh(script, { input: `${setup.join('\n')}\n` })
    return name
  }

  /** Removes the interface, as if its network card were removed. */
  async removeInterface(name: string): Promise<void> {
    const { port, network } = this.#interface(name)
    this.#interfaces.delete(name)
    this.#names.delete(name)
    await network.namespace.ip([`link del ${port}`])
    await network.rules.remove((key) => key.startsWith(`${port} `))
  }

  /** `ip link set down` in the host. */
  async linkDown(name = 'eth0'): Promise<void> {
    this.#interface(name).up = false
    await this.namespace.ip([`link set ${name} down`])
  }

  /** `ip link set up` in the host. Resolves when its addresses are usable. */
  async linkUp(name = 'eth0'): Promise<void> {
    this.#interface(name).up = true
    await this.namespace.ip([`link set ${name} up`])
    await this.#addressesReady(name)
  }

  /** Sets the link down and up again, `times` times (default 1), without delay. */
  async flip(name = 'eth0', times = 1): Promise<void> {
    this.#interface(name).up = true
    const once = [`link set ${name} down`, `link set ${name} up`]
    await this.namespace.ip(Array.from({ length: times }, () => once).flat())
    await this.#addressesReady(name)
  }

  /** Disconnects the cable at the switch: the host loses the carrier. */
  async unplug(name = 'eth0'): Promise<void> {
    const cable = this.#interface(name)
    cable.plugged = false
    await cable.network.namespace.ip([`link set ${cable.port} down`])
  }

  /** Connects the cable again. */
  async plug(name = 'eth0'): Promise<void> {
    const cable = this.#interface(name)
    cable.plugged = true
    await cable.network.namespace.ip([`link set ${cable.port} up`])
    await this.#addressesReady(name)
  }

  /** The switch drops all traffic of the host, which keeps its carrier. Default: all interfaces, both directions. */
  async cut(name?: string, direction: Direction = 'both'): Promise<void> {
    await this.atPorts('cut', (port) => cutPortRules(port, direction), name)
  }

  /** Undoes `cut`. */
  async restore(name?: string): Promise<void> {
    await this.atPorts('cut', () => [], name)
  }

  /** Adds an address. The default prefix length is the network's (IPv4) or /64 (IPv6). */
  async addAddress(name: string, address: string): Promise<void> {
    await this.namespace.ip([this.#addLine(name, address)])
  }

  async removeAddress(name: string, address: string): Promise<void> {
    await this.namespace.ip([`addr del ${withPrefix(address, this.#interface(name).network)} dev ${name}`])
  }

  /** Replaces the IPv4 address of the interface, like a new DHCP lease. */
  async changeAddress(name: string, address: string): Promise<void> {
    const cable = this.#interface(name)
    const removal = cable.ipv4 === undefined ? [] : [`addr del ${cable.ipv4} dev ${name}`]
    await this.namespace.ip([...removal, this.#addLine(name, address)])
    cable.ipv4 = withPrefix(address, cable.network)
  }

  /** The IPv4 address of an interface. Throws if it has none. */
  address(name = 'eth0'): string {
    const [address] = this.#interface(name).ipv4?.split('/') ?? []
    if (address === undefined) throw new Error(`'${name}' of host '${this.name}' has no IPv4 address`)
    return address
  }

  mac(name = 'eth0'): string {
    return this.#interface(name).mac
  }

  /** The IPv6 link-local address of an interface without a zone, derived from its MAC address (EUI-64). */
  linkLocal(name = 'eth0'): string {
    const bytes = Buffer.from(this.mac(name).replaceAll(':', ''), 'hex')
    bytes.writeUInt8(bytes.readUInt8(0) ^ 2, 0)
    const id = Buffer.concat([bytes.subarray(0, 3), Buffer.from('fffe', 'hex'), bytes.subarray(3)]).toString('hex')
    // The URL class writes addresses in the canonical form of RFC 5952, which is also the kernel's form.
    return new URL(`http://[fe80::${id.match(/.{4}/g)?.join(':')}]`).hostname.slice(1, -1)
  }

  /** Names of the interfaces, in the order in which they were added. */
  get interfaces(): string[] {
    return [...this.#interfaces.keys()]
  }

  /** The host's ports at the switch of this network. */
  portsOn(network: Network): string[] {
    return [...this.#interfaces.values()].filter((cable) => cable.network === network).map((cable) => cable.port)
  }

  /**
   * Adds `count` bridges PREFIX0, PREFIX1 …, each with an address and one connected "container" (a veth, PREFIXv0 …),
   * like on a host that runs many containers. Their addresses are 172.18.0.1/24 and following.
   */
  async addBridges(prefix: string, count: number): Promise<void> {
    this.#containers ??= await Namespace.create({ hostname: 'containers', beside: this.namespace })
    const { pid } = this.#containers
    this.#groups += 1
    const group = this.#groups
    this.#bridges.set(prefix, group)
    const numbers = Array.from({ length: count }, (_, number) => number)
    const lines = numbers.flatMap((i) => [
      `link add ${prefix}${i} group ${group} type bridge stp_state 0 forward_delay 0`,
      `addr add 172.${18 + (i >> 8)}.${i & 255}.1/24 brd + dev ${prefix}${i}`,
      `link add ${prefix}v${i} group ${group} type veth peer name ${prefix}c${i} netns ${pid}`,
      `link set ${prefix}v${i} master ${prefix}${i} up`,
      `link set ${prefix}${i} up`,
    ])
    await this.namespace.ip(lines)
    await this.#containers.ip(numbers.map((i) => `link set ${prefix}c${i} up`))
  }

  /** Removes the bridges that `addBridges` added with this prefix. */
  async removeBridges(prefix: string): Promise<void> {
    const group = this.#bridges.get(prefix)
    if (group === undefined) throw new Error(`host '${this.name}' has no bridges '${prefix}…'`)
    this.#bridges.delete(prefix)
    // Removed as a group, because the kernel then needs 20 ms for each bridge. One by one it needs 60 ms.
    await this.namespace.ip([`link del group ${group}`])
  }

  /** Removes the namespaces and kills all processes in them. */
  async close(): Promise<void> {
    await Promise.all([this.#containers?.close(), this.namespace.close()])
  }

  /** Sets rules at the switch ports of one interface, or of all. */
  protected async atPorts(key: string, rules: (port: string) => readonly string[], name?: string): Promise<void> {
    const cables = name === undefined ? [...this.#interfaces.values()] : [this.#interface(name)]
    await Promise.all(cables.map(({ network, port }) => network.rules.set(`${port} ${key}`, rules(port))))
  }

  #interface(name: string): Interface {
    const found = this.#interfaces.get(name)
    if (!found) throw new Error(`host '${this.name}' has no interface '${name}'`)
    return found
  }

  #freeName(): string {
    for (let number = 0; ; number += 1) if (!this.#names.has(`eth${number}`)) return `eth${number}`
  }

  #addLine(name: string, address: string): string {
    const full = withPrefix(address, this.#interface(name).network)
    return `addr add ${full} ${address.includes(':') ? '' : 'brd + '}dev ${name}`
  }

  /** Waits until the kernel has assigned the link-local address again. */
  async #addressesReady(name: string): Promise<void> {
    const cable = this.#interface(name)
    if (!cable.plugged || !cable.up || !cable.network.ipv6 || !this.families.ipv6) return
    await this.namespace.sh(waitForLinkLocal(name))
  }
}

function withPrefix(address: string, network: Network): string
function withPrefix(address: string | false, network: Network): string | undefined
function withPrefix(address: string | false, network: Network): string | undefined {
  if (address === false || address.includes('/')) return address || undefined
  return `${address}/${address.includes(':') ? 64 : (network.prefix ?? 24)}`
}
