import type { Peer } from '../client/index.ts'
import { ageText, type Column, tabSeparated } from './format.ts'
import {
  allAddresses,
  compareKeys,
  mainAddress,
  STATE_FORMATS,
  servicesText,
  shortId,
  sortKey,
  viaText,
} from './peer-text.ts'
import { printable } from './terminal.ts'

/** A column of the table of peers. `brief` is its cell on a terminal, `whole` its cell in a pipe and with `--wide`. */
export interface PeerColumn extends Column {
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

/** The columns of a list of peers, with or without their ids. */
export function peerColumns(ids = false): readonly PeerColumn[] {
  const [name, ...others] = COLUMNS
  return ids && name ? [name, ID, ...others] : COLUMNS
}

/** The peers for a pipe, sorted by name: whole values, separated by tabs. */
export function peerLines(
  peers: readonly Peer[],
  { headings = true, ids = false }: { headings?: boolean; ids?: boolean | undefined } = {},
): string[] {
  const columns = peerColumns(ids)
  const rows = sortedPeers(peers).map((peer) => columns.map(({ whole }) => whole(peer)))
  return tabSeparated(columns, rows, { headings })
}

export function sortedPeers(peers: readonly Peer[]): Peer[] {
  const keyed = peers.map((peer) => ({ peer, key: sortKey(peer.name) }))
  keyed.sort((one, other) => compareKeys(one.key, other.key) || (one.peer.id < other.peer.id ? -1 : 1))
  return keyed.map(({ peer }) => peer)
}
