import { closeSync, openSync, readSync } from 'node:fs'
import { SocketAddress } from 'node:net'
import type { networkInterfaces } from 'node:os'
import { isLinkLocal } from '../../shared/link-local.ts'

/** What the operating system reports about one interface that is up and has an address. */
export interface SystemInterface {
  name: string
  mac: string
  /** The kernel's interface index. A recreated interface gets a new one. 0 means unknown. */
  index: number
  ipv4: PrefixedAddress[]
  /** The usable addresses: without those that are tentative or that another machine has too. */
  ipv6: PrefixedAddress[]
  /** The first link-local IPv6 address, without a zone. It is set even if it is not usable yet. */
  linkLocal: string | undefined
}

/** An address with the length of its subnet's prefix in bits. */
export interface PrefixedAddress {
  address: string
  prefix: number
}

/**
 * Why no socket can be bound to an IPv6 address (RFC 4862, section 5.4): duplicate address detection is still running,
 * or it found another machine with the same address.
 */
export type AddressProblem = 'tentative' | 'duplicate'

/** Bytes read from a file in /proc. A router's routing table can have hundreds of megabytes. */
const MAX_BYTES = 1 << 16

/** Flags of an IPv6 address (linux/if_addr.h). */
const DADFAILED = 0x08
const OPTIMISTIC = 0x04
const TENTATIVE = 0x40
/** Flags of a route (linux/route.h). */
const UP = 0x0001
const REJECT = 0x0200

/**
 * Converts the result of `os.networkInterfaces()`. Node lists an IPv4 address that has a label of its own (`eth0:0`,
 * `lo:avahi`) under the label. Here it is listed under its interface.
 * @param unusable the IPv6 addresses that no socket can be bound to, by interface
 * @param exists whether there is an interface of that name; undefined if unknown
 */
export function readInterfaces(
  listing: ReturnType<typeof networkInterfaces>,
  unusable: ReadonlyMap<string, { has(address: string): boolean }> = new Map(),
  exists: (name: string) => boolean | undefined = () => undefined,
): Map<string, SystemInterface> {
  const interfaces = new Map<string, SystemInterface>()
  for (const [label, entries] of Object.entries(listing)) {
    const name = interfaceOfLabel(label, Object.keys(listing), exists)
    const found = interfaces.get(name) ?? { name, mac: '', index: 0, ipv4: [], ipv6: [], linkLocal: undefined }
    interfaces.set(name, found)
    for (const { address, cidr, family, mac, scopeid } of entries ?? []) {
      found.mac = mac
      if (family === 'IPv4') {
        found.ipv4.push({ address, prefix: prefixOf(cidr, 32) })
        continue
      }
      if (!unusable.get(name)?.has(address)) found.ipv6.push({ address, prefix: prefixOf(cidr, 128) })
      if (isLinkLocal(address)) {
        found.linkLocal ??= address
        found.index = scopeid ?? 0
      }
    }
  }
  return interfaces
}

/** Node has no CIDR for a netmask with gaps. Such an address counts as alone in its subnet. */
function prefixOf(cidr: string | null, longest: number): number {
  return cidr === null ? longest : Number(cidr.slice(cidr.lastIndexOf('/') + 1))
}

/** Interface names contain no colon. A label without a colon is recognized because no interface has its name. */
function interfaceOfLabel(label: string, names: string[], exists: (name: string) => boolean | undefined): string {
  const [name = label] = label.split(':')
  if (exists(name) !== false) return name
  const prefixes = names.filter((other) => name.startsWith(other) && exists(other))
  return prefixes.sort((one, other) => other.length - one.length)[0] ?? name
}

/** Whether the interface was deleted and created again under the same name. Sockets of the old one no longer work. */
export function isRecreated(before: SystemInterface, now: SystemInterface): boolean {
  const hasOtherIndex = before.index !== 0 && now.index !== 0 && before.index !== now.index
  return hasOtherIndex || before.mac !== now.mac
}

/**
 * The IPv6 addresses that no socket can be bound to, by interface.
 * @param text lines of address, index, prefix, scope, flags (all in hexadecimal) and interface
 */
export function parseAddressProblems(text: string): Map<string, Map<string, AddressProblem>> {
  const problems = new Map<string, Map<string, AddressProblem>>()
  for (const line of text.split('\n')) {
    const [digits = '', , , , flagText = '', name] = line.trim().split(/\s+/)
    const address = formatIpv6(digits)
    if (name === undefined || address === undefined) continue
    const flags = Number.parseInt(flagText, 16)
    const isTentative = (flags & TENTATIVE) !== 0 && (flags & OPTIMISTIC) === 0
    const problem = (flags & DADFAILED) !== 0 ? 'duplicate' : isTentative ? 'tentative' : undefined
    if (problem === undefined) continue
    const ofInterface = problems.get(name) ?? new Map<string, AddressProblem>()
    problems.set(name, ofInterface.set(address, problem))
  }
  return problems
}

/** The interfaces of the default routes. Empty if unknown, as on systems without /proc. */
export function readDefaultInterfaces(): Set<string> {
  return parseDefaultInterfaces(readStart('/proc/net/route') ?? '', readStart('/proc/net/ipv6_route') ?? '')
}

/**
 * @param route lines of interface, destination, gateway, flags, three numbers and mask
 * @param ipv6Route lines of destination, prefix, source, its prefix, gateway, three numbers, flags and interface
 */
export function parseDefaultInterfaces(route: string, ipv6Route: string): Set<string> {
  const names = new Set<string>()
  const isUsed = (flagText: string | undefined) => {
    const flags = Number.parseInt(flagText ?? '0', 16)
    return (flags & UP) !== 0 && (flags & REJECT) === 0
  }
  for (const line of route.split('\n')) {
    const [name, destination, , flags, , , , mask] = line.trim().split(/\s+/)
    if (name && destination === '00000000' && mask === '00000000' && isUsed(flags)) names.add(name)
  }
  for (const line of ipv6Route.split('\n')) {
    const [destination, prefix, , , , , , , flags, name] = line.trim().split(/\s+/)
    if (name && /^0{32}$/.test(destination ?? '') && prefix === '00' && isUsed(flags)) names.add(name)
  }
  return names
}

/** Formats 32 hexadecimal digits as Node formats addresses. */
function formatIpv6(digits: string): string | undefined {
  if (!/^[0-9a-f]{32}$/i.test(digits)) return undefined
  const address = digits.replace(/(.{4})(?!$)/g, '$1:')
  return new SocketAddress({ address, family: 'ipv6' }).address
}

/** The kernel's tables are read again and again, so the memory for it is kept. */
const bytes = Buffer.alloc(MAX_BYTES)

/**
 * A table of the kernel in /proc that is read again and again. It stays open: to open and close it costs more than to read
 * it.
 */
export class KernelTable {
  readonly #path: string
  #file: number | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** The first `MAX_BYTES` bytes of the present content. Undefined if it cannot be read. */
  read(): string | undefined {
    try {
      this.#file ??= openSync(this.#path, 'r')
      let length = 0
      for (let read = -1; read !== 0 && length < MAX_BYTES; length += read) {
        read = readSync(this.#file, bytes, length, MAX_BYTES - length, length)
      }
      return bytes.toString('latin1', 0, length)
    } catch {
      this.close()
      return undefined
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }
}

/** The first `MAX_BYTES` bytes of a file; undefined if it cannot be read. */
function readStart(path: string): string | undefined {
  const table = new KernelTable(path)
  const text = table.read()
  table.close()
  return text
}
