import type { Peer } from '../client/index.ts'
import { type PeerColumn, peerColumns, sortedPeers } from './peer-columns.ts'
import { referenceTo, shortId } from './peer-text.ts'
import type { Style } from './terminal.ts'
import { table } from './text-columns.ts'

export interface PeerTableOptions {
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

/** The peers as a table for people, sorted by name; nothing if there are none. */
export function peerTable(unsorted: readonly Peer[], options: PeerTableOptions): string[] {
  const { style, now, headings = true, wide, ids } = options
  const peers = sortedPeers(unsorted)
  const columns = peerColumns(ids)
  const rows = peers.map((peer) => columns.map((column) => terminalCell(column, peer, now, wide)))
  const width = wide ? Number.POSITIVE_INFINITY : options.width
  return peers.length > 0 ? table(columns, rows, { width, style, headings }) : []
}

/** SEEN is a time span on every terminal, also with `--wide`. */
function terminalCell(column: PeerColumn, peer: Peer, now: number, wide: boolean | undefined): string {
  return wide && column.heading !== 'SEEN' ? column.whole(peer) : column.brief(peer, now)
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
