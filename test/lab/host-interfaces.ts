import { Namespace } from './namespace.ts'
import type { Network, Port } from './network.ts'
import { cutPort, type Direction } from './traffic.ts'

export interface InterfaceOptions {
  /** Default: the first free of eth0, eth1, … */
  readonly name?: string
  /** IPv4 address (with or without prefix length), false for none. Default: the network's next. */
  readonly address?: string | false
  /** Default: made from the numbers of the network and the port. */
  readonly mac?: string
}

interface Interface extends Port {
  readonly name: string
  readonly network: Network
  ipv4: string | undefined
  plugged: boolean
  up: boolean
}

// Until the kernel has given it a link-local address an interface cannot speak IPv6; that takes it a few milliseconds.
const linkLocalThere = (name: string): string => `n=0
until [ ! -f /proc/net/if_inet6 ] || grep -q "^fe80.* ${name}$" /proc/net/if_inet6; do
  [ $n -lt 500 ] || { echo "${name} has no link-local address after 5 s" >&2; exit 1; }
  n=$((n + 1)); sleep 0.01
done`

/** A host's network interfaces: cables to switches, addresses, links. */
export class HostInterfaces {
  readonly name: string
  readonly namespace: Namespace
  /** Whether the host has IPv4 addresses, and speaks IPv6. */
  readonly families: { readonly ipv4: boolean; readonly ipv6: boolean }
  #interfaces = new Map<string, Interface>()
  // Names are taken at once, so that interfaces may be added side by side.
  #names = new Set<string>()
  #containers: Namespace | undefined
  // Prefix of the bridges → their link group; 0 is the group of all other interfaces.
  #bridges = new Map<string, number>()
  #groups = 0

  constructor(name: string, namespace: Namespace, families: { readonly ipv4: boolean; readonly ipv6: boolean }) {
    this.name = name
    this.namespace = namespace
    this.families = families
  }

  /** Lays a cable to a switch. Resolves with the interface's name when it is up and its addresses can be used. */
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
    const script = `${ipv6 ? '' : off}\nip -batch -\n${ipv6 ? linkLocalThere(name) : ''}`
    await this.namespace.sh(script, { input: `${setup.join('\n')}\n` })
    return name
  }

  /** Takes the interface away, as if its card were pulled out. */
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

  /** `ip link set up` in the host; resolves when its addresses can be used. */
  async linkUp(name = 'eth0'): Promise<void> {
    this.#interface(name).up = true
    await this.namespace.ip([`link set ${name} up`])
    await this.#settled(name)
  }

  /** Takes the link down and up again, `times` times (default 1), as fast as the kernel can. */
  async flip(name = 'eth0', times = 1): Promise<void> {
    this.#interface(name).up = true
    const once = [`link set ${name} down`, `link set ${name} up`]
    await this.namespace.ip(Array.from({ length: times }, () => once).flat())
    await this.#settled(name)
  }

  /** Pulls the cable at the switch: the host sees that the carrier is lost. */
  async unplug(name = 'eth0'): Promise<void> {
    const cable = this.#interface(name)
    cable.plugged = false
    await cable.network.namespace.ip([`link set ${cable.port} down`])
  }

  /** Puts the cable back. */
  async plug(name = 'eth0'): Promise<void> {
    const cable = this.#interface(name)
    cable.plugged = true
    await cable.network.namespace.ip([`link set ${cable.port} up`])
    await this.#settled(name)
  }

  /** The switch drops everything from and to the host (default: at all of its interfaces, both ways), unseen by it. */
  async cut(name?: string, direction: Direction = 'both'): Promise<void> {
    await this.atPorts('cut', (port) => cutPort(port, direction), name)
  }

  /** Undoes `cut`. */
  async mend(name?: string): Promise<void> {
    await this.atPorts('cut', () => [], name)
  }

  /** Adds an address; without a prefix length it gets the network's (IPv4) or /64 (IPv6). */
  async addAddress(name: string, address: string): Promise<void> {
    await this.namespace.ip([this.#addLine(name, address)])
  }

  async removeAddress(name: string, address: string): Promise<void> {
    await this.namespace.ip([`addr del ${withPrefix(address, this.#interface(name).network)} dev ${name}`])
  }

  /** Gives the interface another IPv4 address in the place of its own, as a new DHCP lease does. */
  async changeAddress(name: string, address: string): Promise<void> {
    const cable = this.#interface(name)
    const away = cable.ipv4 === undefined ? [] : [`addr del ${cable.ipv4} dev ${name}`]
    await this.namespace.ip([...away, this.#addLine(name, address)])
    cable.ipv4 = withPrefix(address, cable.network)
  }

  /** The IPv4 address of an interface. Throws when it has none. */
  address(name = 'eth0'): string {
    const [address] = this.#interface(name).ipv4?.split('/') ?? []
    if (address === undefined) throw new Error(`'${name}' of host '${this.name}' has no IPv4 address`)
    return address
  }

  mac(name = 'eth0'): string {
    return this.#interface(name).mac
  }

  /** The IPv6 link-local address of an interface, made from its MAC address as the kernel makes it; without a zone. */
  linkLocal(name = 'eth0'): string {
    const bytes = Buffer.from(this.mac(name).replaceAll(':', ''), 'hex')
    bytes.writeUInt8(bytes.readUInt8(0) ^ 2, 0)
    const id = Buffer.concat([bytes.subarray(0, 3), Buffer.from('fffe', 'hex'), bytes.subarray(3)]).toString('hex')
    // A URL's host is written as RFC 5952 wants addresses written, and so as the kernel writes them.
    return new URL(`http://[fe80::${id.match(/.{4}/g)?.join(':')}]`).hostname.slice(1, -1)
  }

  /** Names of its interfaces, in the order they came. */
  get interfaces(): string[] {
    return [...this.#interfaces.keys()]
  }

  /** Its ports at this network's switch. */
  portsOn(network: Network): string[] {
    return [...this.#interfaces.values()].filter((cable) => cable.network === network).map((cable) => cable.port)
  }

  /**
   * Adds `count` bridges PREFIX0, PREFIX1 … with an address each and one "container" plugged into each
   * (a veth, PREFIXv0 …), as a host full of containers has them. Their addresses are 172.18.0.1/24 and on.
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

  /** Removes what `addBridges` with the same prefix added. */
  async removeBridges(prefix: string): Promise<void> {
    const group = this.#bridges.get(prefix)
    if (group === undefined) throw new Error(`host '${this.name}' has no bridges '${prefix}…'`)
    this.#bridges.delete(prefix)
    // As a group: the kernel takes 20 ms for each bridge like this, and 60 ms when told one by one.
    await this.namespace.ip([`link del group ${group}`])
  }

  /** Lets the namespaces go, and all that runs in them. */
  async close(): Promise<void> {
    await Promise.all([this.#containers?.close(), this.namespace.close()])
  }

  /** Sets rules at the switch ports of one interface or of all. */
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

  /** Waits for the link-local address that comes back with the link. */
  async #settled(name: string): Promise<void> {
    const cable = this.#interface(name)
    if (!cable.plugged || !cable.up || !cable.network.ipv6 || !this.families.ipv6) return
    await this.namespace.sh(linkLocalThere(name))
  }
}

function withPrefix(address: string, network: Network): string
function withPrefix(address: string | false, network: Network): string | undefined
function withPrefix(address: string | false, network: Network): string | undefined {
  if (address === false || address.includes('/')) return address || undefined
  return `${address}/${address.includes(':') ? 64 : (network.prefix ?? 24)}`
}
