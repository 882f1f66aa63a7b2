import type { CommandModule } from 'yargs'
import { EarshotError, type Peer, type PeerFilter, type Peers } from '../client/index.ts'
import type { Context, GlobalOptions } from './command.ts'
import { type PeerArguments, peerFilter, peerOptions } from './peer-options.ts'
import { allAddresses, mainAddress, referenceTo, servicesText, shortId, viaText } from './peer-text.ts'
import { printable, printableJson } from './printable.ts'
import { STATE_FORMATS } from './style.ts'
import { type Column, table, tabSeparated } from './table.ts'
import { since } from './time.ts'

interface LsOptions extends GlobalOptions, PeerArguments {
  wide?: boolean | undefined
  ids?: boolean | undefined
  headers: boolean
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
    brief: (peer) => servicesText(peer.services),
    whole: (peer) => servicesText(peer.services),
  },
  { heading: 'SEEN', brief: ({ lastSeen }, now) => since(lastSeen, now), whole: ({ lastSeen }) => lastSeen },
  { heading: 'VIA', least: 6, brief: viaText, whole: viaText },
]

/** `earshot ls`: the peers, as a table on a terminal, tab-separated elsewhere. */
export function lsCommand(context: Context): CommandModule<GlobalOptions, LsOptions> {
  return {
    command: 'ls',
    aliases: ['members'],
    describe: 'List the peers on this network',
    builder: {
      ...peerOptions,
      wide: { type: 'boolean', describe: 'Cut nothing, show all addresses' },
      ids: { type: 'boolean', describe: "Also the peers' ids" },
      headers: { type: 'boolean', default: true, describe: 'The line of headings; --no-headers leaves it out' },
    },
    handler: async (options) => await list(options, context),
  }
}

async function list(options: LsOptions, context: Context): Promise<void> {
  const { output } = context
  const found = await ask(options, peerFilter(options), context)
  if (options.json) return await output.write(printableJson(found, 2))

  const peers = [...found.peers].sort(byName)
  const [first, ...others] = COLUMNS
  const columns = options.ids && first ? [first, ID, ...others] : COLUMNS
  const { headers: headings } = options
  if (!output.terminal) {
    const rows = peers.map((peer) => columns.map(({ whole }) => whole(peer)))
    return await output.write(...tabSeparated(columns, rows, { headings }))
  }
  const now = context.now()
  const rows = peers.map((peer) => columns.map((column) => cellFor(column, peer, now, options.wide)))
  const width = options.wide ? Number.POSITIVE_INFINITY : output.width
  const lines = peers.length > 0 ? table(columns, rows, { width, style: output.style, headings }) : []
  await output.write(...lines, output.style('dim', footer(peers)))
}

/** SEEN is for people on every terminal; of the rest, `--wide` shows the whole. */
function cellFor({ heading, brief, whole }: PeerColumn, peer: Peer, now: number, wide: boolean | undefined): string {
  return wide && heading !== 'SEEN' ? whole(peer) : brief(peer, now)
}

async function ask(options: LsOptions, filter: PeerFilter, context: Context): Promise<Peers> {
  try {
    return await context.daemon(options).peers(filter, { signal: context.signal })
  } catch (error) {
    // One who names a daemon wants its answer and no other.
    const nobodyThere = error instanceof EarshotError && error.code === 'EARSHOT_NO_DAEMON'
    if (!nobodyThere || options.socket !== undefined) throw error
    context.output.remark('no daemon is running: listening for a second (start one: earshotd)')
    const { listenInstead } = await import('./without-daemon.ts')
    return await listenInstead(filter)
  }
}

const names = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

function byName(one: Peer, other: Peer): number {
  return names.compare(one.name, other.name) || (one.id < other.id ? -1 : 1)
}

/** «3 peers, 2 alive — 'earshot show studio' says why it is suspect». */
function footer(peers: readonly Peer[]): string {
  if (peers.length === 0) return 'no peers'
  const alive = peers.filter(({ state }) => state === 'alive').length
  const count = `${peers.length} ${peers.length === 1 ? 'peer' : 'peers'}, ${alive} alive`
  const ill = peers.find(({ state }) => state === 'suspect') ?? peers.find(({ state }) => state === 'failed')
  if (!ill) return count
  const reference = peers.filter(({ name }) => name === ill.name).length > 1 ? shortId(ill.id) : referenceTo(ill)
  return `${count} — 'earshot show ${reference}' says why it ${ill.state === 'suspect' ? 'is suspect' : 'has failed'}`
}
