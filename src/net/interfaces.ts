import type { networkInterfaces } from 'node:os'

/** What the system says of one interface that is up and running. */
export interface Interface {
  name: string
  mac: string
  /** The kernel's number of the device, a new one when it is made anew; 0 where it is not known. */
  index: number
  ipv4: { address: string; netmask: string }[]
  ipv6: { address: string; prefix: number }[]
  /** The first link-local IPv6 address, without zone. */
  linkLocal: string | undefined
}

/** Reads the answer of `os.networkInterfaces()`. */
export function readInterfaces(listing: ReturnType<typeof networkInterfaces>): Map<string, Interface> {
  const interfaces = new Map<string, Interface>()
  for (const [name, entries] of Object.entries(listing)) {
    const found: Interface = { name, mac: '', index: 0, ipv4: [], ipv6: [], linkLocal: undefined }
    for (const entry of entries ?? []) {
      found.mac = entry.mac
      if (entry.family === 'IPv4') {
        found.ipv4.push({ address: entry.address, netmask: entry.netmask })
        continue
      }
      const prefix = entry.cidr === null ? 128 : Number(entry.cidr.slice(entry.cidr.lastIndexOf('/') + 1))
      found.ipv6.push({ address: entry.address, prefix })
      if (isLinkLocal(entry.address)) {
        found.linkLocal ??= entry.address
        found.index = entry.scopeid ?? 0
      }
    }
    interfaces.set(name, found)
  }
  return interfaces
}

/** Whether an IPv6 address lies in fe80::/10. */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(address)
}

/** Whether the same name now means another device, on which the sockets of the old one are of no use. */
export function isRemade(before: Interface, now: Interface): boolean {
  const otherIndex = before.index !== 0 && now.index !== 0 && before.index !== now.index
  return otherIndex || before.mac !== now.mac
}
