import { closeSync, openSync, readSync } from 'node:fs'
import { SocketAddress } from 'node:net'

/** What Linux tells in /proc/net and Node does not. Elsewhere these files are missing, and nothing is known. */

/** Bytes that are read of a file at most: a router's table of routes can have hundreds of megabytes. */
const MOST_BYTES = 1 << 16

/** Flags of an IPv6 address (linux/if_addr.h). */
const DADFAILED = 0x08
const OPTIMISTIC = 0x04
const TENTATIVE = 0x40
/** Flags of a route (linux/route.h). */
const UP = 0x0001
const REJECT = 0x0200

/** What is wrong with an IPv6 address: not known yet whether it is this machine's alone, or known that it is not. */
export type AddressTrouble = 'tentative' | 'duplicate'

/** The IPv6 addresses that no socket can be bound to, by device; undefined when that cannot be told. */
export function readAddressTroubles(): Map<string, Map<string, AddressTrouble>> | undefined {
  const text = readStart('/proc/net/if_inet6')
  return text === undefined ? undefined : parseAddressTroubles(text)
}

/** @param text lines of address, index, prefix, scope, flags (all in hexadecimal) and device */
export function parseAddressTroubles(text: string): Map<string, Map<string, AddressTrouble>> {
  const troubles = new Map<string, Map<string, AddressTrouble>>()
  for (const line of text.split('\n')) {
    const [digits = '', , , , flagText = '', device] = line.trim().split(/\s+/)
    const address = ipv6Of(digits)
    if (device === undefined || address === undefined) continue
    const flags = Number.parseInt(flagText, 16)
    const isTentative = (flags & TENTATIVE) !== 0 && (flags & OPTIMISTIC) === 0
    const trouble = (flags & DADFAILED) !== 0 ? 'duplicate' : isTentative ? 'tentative' : undefined
    if (trouble === undefined) continue
    const ofDevice = troubles.get(device) ?? new Map<string, AddressTrouble>()
    troubles.set(device, ofDevice.set(address, trouble))
  }
  return troubles
}

/** The devices that default routes lead through; none when that cannot be told. */
export function readDefaultDevices(): Set<string> {
  return parseDefaultDevices(readStart('/proc/net/route') ?? '', readStart('/proc/net/ipv6_route') ?? '')
}

/**
 * @param route lines of device, destination, gateway, flags, three numbers and mask
 * @param ipv6Route lines of destination, prefix, source, its prefix, gateway, three numbers, flags and device
 */
export function parseDefaultDevices(route: string, ipv6Route: string): Set<string> {
  const devices = new Set<string>()
  const isUsed = (flagText: string | undefined) => {
    const flags = Number.parseInt(flagText ?? '0', 16)
    return (flags & UP) !== 0 && (flags & REJECT) === 0
  }
  for (const line of route.split('\n')) {
    const [device, destination, , flags, , , , mask] = line.trim().split(/\s+/)
    if (device && destination === '00000000' && mask === '00000000' && isUsed(flags)) devices.add(device)
  }
  for (const line of ipv6Route.split('\n')) {
    const [destination, prefix, , , , , , , flags, device] = line.trim().split(/\s+/)
    if (device && /^0{32}$/.test(destination ?? '') && prefix === '00' && isUsed(flags)) devices.add(device)
  }
  return devices
}

/** In the form in which Node writes addresses. */
function ipv6Of(digits: string): string | undefined {
  if (!/^[0-9a-f]{32}$/i.test(digits)) return undefined
  const address = digits.replace(/(.{4})(?!$)/g, '$1:')
  return new SocketAddress({ address, family: 'ipv6' }).address
}

/** Undefined when it cannot be read. */
function readStart(path: string): string | undefined {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const bytes = Buffer.alloc(MOST_BYTES)
    let length = 0
    for (let read = -1; read !== 0 && length < MOST_BYTES; length += read) {
      read = readSync(file, bytes, length, MOST_BYTES - length, null)
    }
    return bytes.toString('latin1', 0, length)
  } catch {
    return undefined
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
