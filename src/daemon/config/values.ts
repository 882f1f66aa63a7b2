import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { BadConfig } from '../../shared/errors.ts'

/** Parsers for the values of settings. */

// Powers of 1000, as is usual for network rates.
const RATE_UNITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1000, mbit: 1_000_000, gbit: 1_000_000_000 }
const RATE = /^(\d{1,12}(?:\.\d{1,9})?)(bit|kbit|mbit|gbit)?$/

/** Parses a rate such as `256kbit`, `1.5mbit` or `256000` into bits per second; undefined when it is not a rate. */
export function parseRate(text: string): number | undefined {
  const [, number = '', unit = 'bit'] = RATE.exec(text) ?? []
  const factor = RATE_UNITS[unit]
  return number === '' || factor === undefined ? undefined : Math.round(Number(number) * factor)
}

const multicast4 = new BlockList()
multicast4.addSubnet('224.0.0.0', 4, 'ipv4')

/** Whether a text is an IPv4 multicast address. */
export function isGroup4(text: string): boolean {
  return isIPv4(text) && multicast4.check(text, 'ipv4')
}

/** Whether a text is an IPv6 multicast address of link-local scope (`ff02::…`, `ff12::…`), without a zone. */
export function isGroup6(text: string): boolean {
  return isIPv6(text) && /^ff[0-9a-f]2:/i.test(text) && !text.includes('%')
}

/** Where the HTTP API listens in addition to the Unix socket. */
export interface HttpAddress {
  /** 127.0.0.0/8 or ::1. */
  host: string
  /** 0: the system chooses one. */
  port: number
}

/**
 * Parses `--http`: `127.0.0.1:15353`, `localhost:15353`, `[::1]:15353`, a port alone, or `off`, which returns undefined.
 * @throws BadConfig when it is none of these, or not a loopback address
 */
export function parseHttpAddress(text: string): HttpAddress | undefined {
  if (text === 'off') return undefined
  const [, host = '127.0.0.1', digits] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65_535) {
    throw new BadConfig(`http must be an address with a port, such as 127.0.0.1:15353, or off, not '${text}'`)
  }
  // `localhost` may be IPv4 or IPv6. Chooses one, so that the address shown is the address that is bound.
  const address = { host: host === 'localhost' ? '127.0.0.1' : host.replace(/^\[(.*)\]$/, '$1'), port }
  checkLoopback(address)
  return address
}

/**
 * Refuses an address that other hosts could reach: over TCP, the API has no other access control for reading.
 * @throws BadConfig
 */
export function checkLoopback({ host, port }: HttpAddress): void {
  if (host === '::1' || (isIPv4(host) && host.startsWith('127.'))) return
  throw new BadConfig(
    `http must be on loopback, not ${host}: others on the network could read and change what this machine shows ` +
      `(use 127.0.0.1:${port}, or off and the control socket; from another host: ssh -L ${port}:127.0.0.1:${port})`,
  )
}

/** `host:port` as in a URL. */
export function formatHttpAddress({ host, port }: HttpAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
