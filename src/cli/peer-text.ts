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

const PATH_ABBREVIATIONS: Readonly<Record<Peer['paths'][number]['path'], string>> = {
  mdns: 'mdns',
  broadcast: 'b',
  multicast4: 'm4',
  multicast6: 'm6',
  unicast: 'u',
}

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
  const main = mainAddress(peer)
  return [...new Set([main, ...peer.addresses.map(({ address }) => printable(address))])].join(',')
}

/**
 * The interfaces and paths on which a peer was heard recently: `eth0 b m4 m6,wlan0 b`; `eth0 mdns` for an mDNS host. If an
 * mDNS host is hidden because it is taken for another peer, the id of that peer follows: `eth0 mdns = k3vq7m2x`.
 */
export function viaText({ source, paths, lastSeen, intervalMs, hidden }: Peer): string {
  const oldest = source === 'mdns' ? Number.NEGATIVE_INFINITY : Date.parse(lastSeen) - SILENT_INTERVALS * intervalMs
  const recent = paths.filter(({ lastHeard }) => Date.parse(lastHeard) >= oldest)
  const interfaces = [...new Set(recent.map((path) => path.interface))].sort()
  const via = interfaces
    .map((name) => {
      const heard = recent.filter((path) => path.interface === name).map(({ path }) => path)
      const ordered = Object.keys(PATH_ABBREVIATIONS).flatMap((path) => heard.filter((one) => one === path))
      // Every peer answers by unicast: the path says something only where there is no other.
      const shared = ordered.filter((path) => path !== 'unicast')
      const shown = shared.length > 0 ? shared : ordered
      return [printable(name), ...shown.map((path) => PATH_ABBREVIATIONS[path])].join(' ')
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
  for (const [at, word] of words.entries()) {
    const otherWord = otherWords[at]
    if (otherWord === undefined) return 1
    if (word === otherWord) continue
    const [number, otherNumber] = [Number(word), Number(otherWord)]
    if (number !== otherNumber && !Number.isNaN(number) && !Number.isNaN(otherNumber)) return number - otherNumber
    return word < otherWord ? -1 : 1
  }
  return words.length - otherWords.length
}

/** The words and numbers of a name, in turn. */
export function sortKey(name: string): string[] {
  const isAscii = /^[ -~]*$/.test(name)
  const plain = isAscii ? name : name.normalize('NFD').replace(/\p{M}/gu, '')
  return plain.toLowerCase().match(/\d+|\D+/g) ?? []
}
