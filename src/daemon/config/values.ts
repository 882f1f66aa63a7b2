import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { BadConfig } from '../../shared/errors.ts'
import { parseServiceType } from '../../shared/service-names.ts'

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

/** The service types to browse for by default: those common in homes, offices and studios. */
export const DEFAULT_BROWSE_TYPES: readonly string[] = [
  // The web, files, terminals, screens
  '_http._tcp',
  '_https._tcp',
  '_webdav._tcp',
  '_webdavs._tcp',
  '_ftp._tcp',
  '_smb._tcp',
  '_afpovertcp._tcp',
  '_nfs._tcp',
  '_adisk._tcp',
  '_ssh._tcp',
  '_sftp-ssh._tcp',
  '_rfb._tcp',
  '_rdp._tcp',
  // Machines as such
  '_device-info._tcp',
  '_workstation._tcp',
  // Printing and scanning
  '_ipp._tcp',
  '_ipps._tcp',
  '_printer._tcp',
  '_pdl-datastream._tcp',
  '_scanner._tcp',
  '_uscan._tcp',
  '_uscans._tcp',
  // Sound and pictures
  '_airplay._tcp',
  '_raop._tcp',
  '_googlecast._tcp',
  '_androidtvremote2._tcp',
  '_spotify-connect._tcp',
  '_sonos._tcp',
  '_daap._tcp',
  '_dacp._tcp',
  '_mpd._tcp',
  '_apple-midi._udp',
  '_osc._udp',
  '_osc._tcp',
  // Homes and sensors
  '_hap._tcp',
  '_hap._udp',
  '_homekit._tcp',
  '_matter._tcp',
  '_matterc._udp',
  '_meshcop._udp',
  '_hue._tcp',
  '_home-assistant._tcp',
  '_esphomelib._tcp',
  '_shelly._tcp',
  '_mqtt._tcp',
  '_secure-mqtt._tcp',
  '_coap._udp',
  // Time
  '_ntp._udp',
]

/**
 * A service type in full and in lower case: `_ipp._tcp` for `ipp`, `_osc._udp` for `osc/udp`; `*` stays as it is. Undefined
 * when the text is not a service type.
 */
export function fullServiceType(text: string): string | undefined {
  if (text === '*') return text
  const { name, protocol = 'tcp' } = parseServiceType(text) ?? {}
  return name === undefined ? undefined : `_${name}._${protocol}`
}

/**
 * The types to browse for, each once, for a value of `mdns-browse`; undefined gives the default types. `*` stays in the
 * list, and adds the default types.
 */
export function browseTypes(setting: string | readonly string[] | undefined): readonly string[] {
  if (setting === undefined) return DEFAULT_BROWSE_TYPES
  const types = [setting].flat().flatMap((text) => fullServiceType(text) ?? [])
  return [...new Set(types.includes('*') ? [...types, ...DEFAULT_BROWSE_TYPES] : types)]
}
