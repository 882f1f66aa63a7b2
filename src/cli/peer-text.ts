import type { OfferedService, Peer } from '../client/index.ts'
import { bestAddress } from '../client/resolve.ts'
import { shortId as shortIdOf } from '../core/wire/id.ts'
import { printable } from './printable.ts'

/** How parts of a peer are written in tables and lines. Everything here is printable. */

/** Paths not heard for so many beats before the peer was last heard are not shown as ways to it. */
const SILENT_BEATS = 4

const PATH_SIGNS: Readonly<Record<Peer['paths'][number]['path'], string>> = {
  mdns: 'mdns',
  broadcast: 'b',
  multicast4: 'm4',
  multicast6: 'm6',
  unicast: 'u',
}

/** As much of an id as is shown; the host name of a peer that mDNS found whole, as its beginning could be another's id. */
export function shortId(id: string): string {
  return printable(shortIdOf(id))
}

/** The type without DNS-SD's underscores: `http`, and `osc/udp` for what is not TCP. */
export function typeText(type: string): string {
  const [, name = type, protocol = 'tcp'] = /^_(.+)\._(tcp|udp)$/.exec(type) ?? []
  return printable(protocol === 'tcp' ? name : `${name}/${protocol}`)
}

/** `http:8080 mqtt:1883`; of a peer that beacons, what it has not signed is `ipp:631(mdns)`. */
export function servicesText(peer: Pick<Peer, 'source' | 'services'>): string {
  return peer.services.map((service) => serviceText(service, peer)).join(' ')
}

/** One of them. */
export function serviceText({ type, port, source }: OfferedService, peer: Pick<Peer, 'source'>): string {
  return `${typeText(type)}:${port}${source === 'mdns' && peer.source === 'beacon' ? '(mdns)' : ''}`
}

/** The address to show where there is room for one: IPv4 before IPv6, as people know those. */
export function mainAddress(peer: Pick<Peer, 'addresses'>): string {
  return printable(bestAddress(peer)?.address ?? '')
}

/** Every address once, the main one first, separated by commas. */
export function allAddresses(peer: Peer): string {
  const main = mainAddress(peer)
  return [...new Set([main, ...peer.addresses.map(({ address }) => printable(address))])].join(',')
}

/** The paths on which it was heard of late, by interface: `eth0 b m4 m6,wlan0 b`; `eth0 mdns` of one that does not beat; and of one that is not listed for whom it is taken. */
export function viaText({ source, paths, lastSeen, intervalMs, hidden }: Peer): string {
  const oldest = source === 'mdns' ? Number.NEGATIVE_INFINITY : Date.parse(lastSeen) - SILENT_BEATS * intervalMs
  const heard = paths.filter(({ lastHeard }) => Date.parse(lastHeard) >= oldest)
  const interfaces = [...new Set(heard.map((path) => path.interface))].sort()
  const ways = interfaces
    .map((name) => {
      const there = heard.filter((path) => path.interface === name).map(({ path }) => path)
      const signs = Object.keys(PATH_SIGNS).flatMap((path) => there.filter((one) => one === path))
      // Answers come by unicast from every peer: that says nothing beside the paths that all can hear.
      const shared = signs.filter((path) => path !== 'unicast')
      return [printable(name), ...(shared.length > 0 ? shared : signs).map((path) => PATH_SIGNS[path])].join(' ')
    })
    .join(',')
  return hidden ? `${ways} = ${shortId(hidden.id)}` : ways
}

/** What a person types to mean this peer on the command line: its name, or its short id where the name would need care. */
export function referenceTo({ name, id }: Peer): string {
  return /^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u.test(name) ? name : shortId(id)
}
