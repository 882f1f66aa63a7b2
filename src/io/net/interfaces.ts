import type { networkInterfaces } from 'node:os'
import { isLinkLocal } from '../../shared/link-local.ts'

/** What the system says of one interface that is up and running. */
export interface SystemInterface {
  name: string
  mac: string
  /** The kernel's number of the device, a new one when it is made anew; 0 where it is not known. */
  index: number
  ipv4: { address: string; netmask: string }[]
  /** Those that can be used: not the ones that are not yet, or not at all, this machine's alone. */
  ipv6: { address: string; prefix: number }[]
  /** The first link-local IPv6 address, without zone, whether or not it can be used. */
  linkLocal: string | undefined
}

/**
 * Reads the answer of `os.networkInterfaces()`. An IPv4 address with a label of its own (`eth0:0`, `lo:avahi`) stands
 * there under the label, and belongs to the device whose name the label begins with.
 * @param unusable IPv6 addresses that no socket can be bound to, by device
 * @param exists whether there is a device of that name; undefined when that cannot be told
 */
export function readInterfaces(
  listing: ReturnType<typeof networkInterfaces>,
  unusable: ReadonlyMap<string, { has(address: string): boolean }> = new Map(),
  exists: (name: string) => boolean | undefined = () => undefined,
): Map<string, SystemInterface> {
  const interfaces = new Map<string, SystemInterface>()
  for (const [label, entries] of Object.entries(listing)) {
    const name = deviceOf(label, Object.keys(listing), exists)
    const found = interfaces.get(name) ?? { name, mac: '', index: 0, ipv4: [], ipv6: [], linkLocal: undefined }
    interfaces.set(name, found)
    for (const entry of entries ?? []) {
      found.mac = entry.mac
      if (entry.family === 'IPv4') {
        found.ipv4.push({ address: entry.address, netmask: entry.netmask })
        continue
      }
      const prefix = entry.cidr === null ? 128 : Number(entry.cidr.slice(entry.cidr.lastIndexOf('/') + 1))
      if (!unusable.get(name)?.has(entry.address)) found.ipv6.push({ address: entry.address, prefix })
      if (isLinkLocal(entry.address)) {
        found.linkLocal ??= entry.address
        found.index = entry.scopeid ?? 0
      }
    }
  }
  return interfaces
}

/** No name of a device has a colon. A label without one is known by there being no device of that name. */
function deviceOf(label: string, names: string[], exists: (name: string) => boolean | undefined): string {
  const [name = label] = label.split(':')
  if (exists(name) !== false) return name
  const prefixes = names.filter((other) => name.startsWith(other) && exists(other))
  return prefixes.sort((one, other) => other.length - one.length)[0] ?? name
}

/** Whether the same name now means another device, on which the sockets of the old one are of no use. */
export function isRemade(before: SystemInterface, now: SystemInterface): boolean {
  const otherIndex = before.index !== 0 && now.index !== 0 && before.index !== now.index
  return otherIndex || before.mac !== now.mac
}
