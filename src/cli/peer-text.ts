import type { OfferedService, Peer, PeerState } from '../client/index.ts'
import { bestAddress } from '../client/resolve.ts'
import { shortId as shortIdOf } from '../core/wire/id.ts'
import { type Format, printable, printableJson } from './terminal.ts'

/** How a peer and its services are written in one line. All text is printable. */

/** The states of peers, with their colours. */
export const STATE_FORMATS: Readonly<Record<PeerState, Format>> = {
  alive: 'green',
  suspect: 'yellow',
  failed: 'red',
  left: 'dim',
}

/** VIA leaves out paths that were silent for this many beacon intervals before the peer was last heard. */
const SILENT_INTERVALS = 4

/** The paths to many peers, in the order of VIA. */
const SHARED_PATHS: readonly { path: Peer['paths'][number]['path']; abbreviation: string }[] = [
  { path: 'mdns', abbreviation: 'mdns' },
  { path: 'broadcast', abbreviation: 'b' },
  { path: 'multicast4', abbreviation: 'm4' },
  { path: 'multicast6', abbreviation: 'm6' },
]

/** The first characters of an id. The id of an mDNS host, which is its host name, is not shortened. */
export function shortId(id: string): string {
  return printable(shortIdOf(id))
}

/** A DNS-SD type without underscores: `http` for TCP, `osc/udp` for UDP. */
export function typeText(type: string): string {
  const [, name = type, protocol = 'tcp'] = /^_(.+)\._(tcp|udp)$/.exec(type) ?? []
  return printable(protocol === 'tcp' ? name : `${name}/${protocol}`)
}

/** All services of a peer: `http:8080 mqtt:1883 ipp:631(mdns)`. */
export function servicesText(peer: Pick<Peer, 'source' | 'services'>): string {
  return peer.services.map((service) => serviceText(service, peer)).join(' ')
}

/** One service: `http:8080`. A service found by mDNS on a peer that sends beacons is marked: `ipp:631(mdns)`. */
export function serviceText({ type, port, source }: OfferedService, peer: Pick<Peer, 'source'>): string {
  return `${typeText(type)}:${port}${source === 'mdns' && peer.source === 'beacon' ? '(mdns)' : ''}`
}

/** TXT pairs: `path=/ v=2`. A value with spaces, quotes or unprintable characters is written as a JSON string. */
export function txtText(txt: OfferedService['txt']): string {
  return Object.entries(txt)
    .map(([key, value]) => `${printable(key)}=${isPlain(value) ? value : printableJson(value)}`)
    .join(' ')
}

function isPlain(value: string): boolean {
  return printable(value) === value && !/[\s"\\]/.test(value)
}

/** The best address, or an empty text if there is none. */
export function mainAddress(peer: Pick<Peer, 'addresses'>): string {
  return printable(bestAddress(peer)?.address ?? '')
}

/** Every address once, the best one first, separated by commas. */
export function allAddresses(peer: Peer): string {
  const all = [mainAddress(peer)]
  for (const one of peer.addresses) {
    const address = printable(one.address)
    if (!all.includes(address)) all.push(address)
  }
  return all.join(',')
}

/**
 * The interfaces and paths on which a peer was heard recently: `eth0 b m4 m6,wlan0 b`; `eth0 mdns` for an mDNS host. If an
 * mDNS host is hidden because it is taken for another peer, the id of that peer follows: `eth0 mdns = k3vq7m2x`.
 */
export function viaText({ source, paths, lastSeen, intervalMs, hidden }: Peer): string {
  const oldest = source === 'mdns' ? Number.NEGATIVE_INFINITY : Date.parse(lastSeen) - SILENT_INTERVALS * intervalMs
  const recent = paths.filter(({ lastHeard }) => Date.parse(lastHeard) >= oldest)
  const interfaces: string[] = []
  for (const one of recent) if (!interfaces.includes(one.interface)) interfaces.push(one.interface)
  const via = interfaces
    .sort()
    .map((name) => {
      const heard = recent.filter((one) => one.interface === name).map(({ path }) => path)
      let shown = ''
      for (const { path, abbreviation } of SHARED_PATHS) if (heard.includes(path)) shown += ` ${abbreviation}`
      // Every peer answers by unicast: the path says something only where there is no other.
      return printable(name) + (shown || ' u')
    })
    .join(',')
  return hidden ? `${via} = ${shortId(hidden.id)}` : via
}

/** What to type for a peer on the command line: its name, or its short id if a shell would need quotes for the name. */
export function referenceTo({ name, id }: Peer): string {
  return /^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u.test(name) ? name : shortId(id)
}

/**
 * Compares names as people sort them: without case and accents, and `node2` before `node10`. It takes the place of
 * Intl.Collator, which takes longer to create than a command takes for everything else.
 */
export function compareNames(one: string, other: string): number {
  return compareKeys(sortKey(one), sortKey(other))
}

/** Compares names by their keys. To sort many names, make the key of each only once. */
export function compareKeys(words: readonly string[], otherWords: readonly string[]): number {
  const at = words.findIndex((word, place) => word !== otherWords[place])
  const word = words[at]
  const otherWord = otherWords[at]
  if (word === undefined || otherWord === undefined) return words.length - otherWords.length
  return Number(word) - Number(otherWord) || (word < otherWord ? -1 : 1)
}

/** The words and numbers of a name, in turn. */
export function sortKey(name: string): string[] {
  const isAscii = /^[ -~]*$/.test(name)
  const plain = isAscii ? name : name.normalize('NFD').replace(/\p{M}/gu, '')
  return plain.toLowerCase().match(/\d+|\D+/g) ?? []
}
