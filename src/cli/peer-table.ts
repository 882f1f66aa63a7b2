import type { Peer } from '../client/index.ts'
import { allAddresses, mainAddress, referenceTo, servicesText, shortId, viaText } from './peer-text.ts'
import { printable } from './printable.ts'
import { STATE_FORMATS, type Style } from './style.ts'
import { type Column, table, tabSeparated } from './table.ts'
import { since } from './time.ts'

export interface PeerTableOptions {
  terminal: boolean
  /** Columns of the terminal. */
  width: number
  style: Style
  /** ms since 1970. */
  now: number
  headings?: boolean | undefined
  /** Whether nothing is cut. */
  wide?: boolean | undefined
  /** Whether there is a column of ids. */
  ids?: boolean | undefined
}

/** One column of the list: how a peer looks in it to people, and to programs, which get every value whole. */
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
  { heading: 'NAME', least: 12, brief: ({ name }) => printable(name), whole: ({ name }) => printable(name) },
  STATE,
  { heading: 'ADDRESS', least: 15, brief: mainAddress, whole: allAddresses },
  {
    heading: 'SERVICES',
    least: 12,
    brief: (peer) => servicesText(peer),
    whole: (peer) => servicesText(peer),
  },
  { heading: 'SEEN', brief: ({ lastSeen }, now) => since(lastSeen, now), whole: ({ lastSeen }) => lastSeen },
  { heading: 'VIA', least: 6, brief: viaText, whole: viaText },
]

/** Peers by their names: a table on a terminal, elsewhere tab-separated with every value whole. */
export function peerTable(unsorted: readonly Peer[], options: PeerTableOptions): string[] {
  const { terminal, style, now, headings = true, wide, ids } = options
  const peers = [...unsorted].sort(byName)
  const [first, ...others] = COLUMNS
  const columns = ids && first ? [first, ID, ...others] : COLUMNS
  if (!terminal) {
    const rows = peers.map((peer) => columns.map(({ whole }) => whole(peer)))
    return tabSeparated(columns, rows, { headings })
  }
  const rows = peers.map((peer) => columns.map((column) => cellFor(column, peer, now, wide)))
  const width = wide ? Number.POSITIVE_INFINITY : options.width
  return peers.length > 0 ? table(columns, rows, { width, style, headings }) : []
}

/** SEEN is for people on every terminal; of the rest, `--wide` shows the whole. */
function cellFor({ heading, brief, whole }: PeerColumn, peer: Peer, now: number, wide: boolean | undefined): string {
  return wide && heading !== 'SEEN' ? whole(peer) : brief(peer, now)
}

const names = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

function byName(one: Peer, other: Peer): number {
  return names.compare(one.name, other.name) || (one.id < other.id ? -1 : 1)
}

/**
 * «3 peers, 2 alive — 'earshot show studio' says why it is suspect». `failed` is how many peers have failed and are not
 * among these.
 */
export function footer(peers: readonly Peer[], failed = 0): string {
  const alive = peers.filter(({ state }) => state === 'alive').length
  const listed =
    peers.length === 0 ? 'no peers' : `${peers.length} ${peers.length === 1 ? 'peer' : 'peers'}, ${alive} alive`
  const count = failed === 0 ? listed : `${listed}; ${failed} failed: --all`
  const ill = peers.find(({ state }) => state === 'suspect') ?? peers.find(({ state }) => state === 'failed')
  if (!ill) return count
  const reference = peers.filter(({ name }) => name === ill.name).length > 1 ? shortId(ill.id) : referenceTo(ill)
  return `${count} — 'earshot show ${reference}' says why it ${ill.state === 'suspect' ? 'is suspect' : 'has failed'}`
}
