import type { OfferedService, Peer, PeerState } from '../client/index.ts'
import { bestAddress } from '../client/resolve.ts'
import { shortId as shortIdOf } from '../core/wire/id.ts'
import { ageText, type Column, table, tabSeparated } from './format.ts'
import { type Format, printable, printableJson, type Style } from './terminal.ts'

/** How a peer and its services are written in tables and lines. All text is printable. */

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

export interface PeerTableOptions {
  terminal: boolean
  /** Width of the terminal in columns. */
  width: number
  style: Style
  /** ms since 1970. */
  now: number
  headings?: boolean | undefined
  /** Show whole values. */
  wide?: boolean | undefined
  /** Add a column of ids. */
  ids?: boolean | undefined
}

/** A column of the table of peers. `brief` is its cell on a terminal, `whole` its cell in a pipe and with `--wide`. */
interface PeerColumn extends Column {
  brief: (peer: Peer, now: number) => string
  whole: (peer: Peer) => string
}

const ID: PeerColumn = { heading: 'ID', brief: ({ id }) => shortId(id), whole: ({ id }) => printable(id) }
const STATE: PeerColumn = {
  heading: 'STATE',
  brief: ({ state }) => state,
  whole: ({ state }) => state,
  paint: (cell, style) => {
    const state = Object.entries(STATE_FORMATS).find(([name]) => name === cell)
    return state ? style(state[1], cell) : cell
  },
}
const COLUMNS: readonly PeerColumn[] = [
  { heading: 'NAME', minWidth: 12, brief: ({ name }) => printable(name), whole: ({ name }) => printable(name) },
  STATE,
  { heading: 'ADDRESS', minWidth: 15, brief: mainAddress, whole: allAddresses },
  { heading: 'SERVICES', minWidth: 12, brief: servicesText, whole: servicesText },
  { heading: 'SEEN', brief: ({ lastSeen }, now) => ageText(lastSeen, now), whole: ({ lastSeen }) => lastSeen },
  { heading: 'VIA', minWidth: 6, brief: viaText, whole: viaText },
]

/** Peers sorted by name: a table on a terminal, tab-separated whole values elsewhere. */
export function peerTable(unsorted: readonly Peer[], options: PeerTableOptions): string[] {
  const { terminal, style, now, headings = true, wide, ids } = options
  const peers = [...unsorted].sort(byName)
  const [name, ...others] = COLUMNS
  const columns = ids && name ? [name, ID, ...others] : COLUMNS
  if (!terminal) {
    const rows = peers.map((peer) => columns.map(({ whole }) => whole(peer)))
    return tabSeparated(columns, rows, { headings })
  }
  const rows = peers.map((peer) => columns.map((column) => terminalCell(column, peer, now, wide)))
  const width = wide ? Number.POSITIVE_INFINITY : options.width
  return peers.length > 0 ? table(columns, rows, { width, style, headings }) : []
}

/** SEEN is a time span on every terminal, also with `--wide`. */
function terminalCell(column: PeerColumn, peer: Peer, now: number, wide: boolean | undefined): string {
  return wide && column.heading !== 'SEEN' ? column.whole(peer) : column.brief(peer, now)
}

/** Compares names as people sort them: without case, and `node2` before `node10`. */
export const compareNames = new Intl.Collator('en', { numeric: true, sensitivity: 'base' }).compare

function byName(one: Peer, other: Peer): number {
  return compareNames(one.name, other.name) || (one.id < other.id ? -1 : 1)
}

/**
 * The line below a table of peers: `3 peers, 2 alive — 'earshot show studio' says why it is suspect`. `failed` is the
 * number of failed peers that are not in the table.
 */
export function peerTableFooter(peers: readonly Peer[], failed = 0): string {
  const alive = peers.filter(({ state }) => state === 'alive').length
  const listed =
    peers.length === 0 ? 'no peers' : `${peers.length} ${peers.length === 1 ? 'peer' : 'peers'}, ${alive} alive`
  const count = failed === 0 ? listed : `${listed}; ${failed} failed: --all`
  const example = peers.find(({ state }) => state === 'suspect') ?? peers.find(({ state }) => state === 'failed')
  if (!example) return count
  const isUnique = peers.filter(({ name }) => name === example.name).length === 1
  const reference = isUnique ? referenceTo(example) : shortId(example.id)
  return `${count} — 'earshot show ${reference}' says why it ${example.state === 'suspect' ? 'is suspect' : 'has failed'}`
}
