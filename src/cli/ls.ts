import { serviceMatcher } from '../client/filter.ts'
import type { Peer, PeerFilter, Peers } from '../client/index.ts'
import { avahiBrowseLines, type BrowsedService } from './avahi-browse.ts'
import { type Context, type GlobalOptions, type PeerArguments, peerFilter } from './command.ts'
import { UsageError } from './errors.ts'
import type { Listing } from './ls-live.ts'
import { askOrListen, warnIfNoPeersHeard } from './no-peers.ts'
import { peerLines } from './peer-columns.ts'
import { printableJson } from './terminal.ts'
import { loadWidths } from './text-width.ts'

interface LsOptions extends GlobalOptions, PeerArguments {
  wide?: boolean | undefined
  ids?: boolean | undefined
  'no-headers'?: boolean | undefined
  parsable?: boolean | undefined
  live?: boolean | undefined
}

/** `earshot ls`: the peers, as a table on a terminal, tab-separated elsewhere. */
export async function ls(options: LsOptions, context: Context): Promise<void> {
  await (options.live ? refresh(options, context) : list(options, context))
}

async function list(options: LsOptions, context: Context): Promise<void> {
  const { output } = context
  const { listed, failed } = withoutFailed(await askForPeers(options, context), options)
  const isHeard = listed.peers.some(({ source }) => source === 'beacon')
  if (!isHeard && failed === 0) await warnIfNoPeersHeard(context.daemon(options), context)
  if (options.json) return await output.write(printableJson(listed, 2))
  if (options.parsable) return await output.write(...avahiBrowseLines(servicesOf(listed.peers, options.service)))
  const { 'no-headers': bare = false, wide, ids } = options
  if (!output.terminal) return await output.write(...peerLines(listed.peers, { headings: !bare, ids }))
  const { peerTable, peerTableFooter } = await import('./peer-table.ts')
  await loadWidths(listed.peers)
  const { width, style } = output
  const lines = peerTable(listed.peers, { width, style, now: context.now(), headings: !bare, wide, ids })
  await output.write(...lines, style('dim', peerTableFooter(listed.peers, failed)))
}

async function refresh(options: LsOptions, context: Context): Promise<void> {
  if (!context.output.terminal) throw new UsageError("--live needs a terminal (for programs: 'earshot watch')")
  const { showLiveTable } = await import('./ls-live.ts')
  const { 'no-headers': bare = false, wide, ids } = options
  const daemon = context.daemon(options)
  const ask = async () => withoutFailed(await daemon.peers(filterOf(options), { signal: context.signal }), options)
  await showLiveTable(ask, { headings: !bare, wide, ids }, context)
}

async function askForPeers(options: LsOptions, context: Context): Promise<Peers> {
  const filter = filterOf(options)
  const ask = () => context.daemon(options).peers(filter, { signal: context.signal })
  return await askOrListen(ask, filter, (heard) => heard, options, context)
}

/** The filter for the daemon. Without `--state` it includes failed peers, which the footer counts. */
function filterOf(options: LsOptions): PeerFilter {
  const filter = { ...peerFilter(options), ...(options.all && { hidden: true }) }
  return filter.state === undefined ? { ...filter, state: ['alive', 'suspect', 'failed'] } : filter
}

/** Leaves out failed peers, unless the user asks for them. */
function withoutFailed(found: Peers, { state, all }: LsOptions): Listing {
  if (all || state !== undefined) return { listed: found, failed: 0 }
  const peers = found.peers.filter((peer) => peer.state !== 'failed')
  return { listed: { ...found, peers }, failed: found.peers.length - peers.length }
}

/** The services of these peers, or only those of the given types. */
function servicesOf(peers: readonly Peer[], types: string[] | undefined): BrowsedService[] {
  const matches = serviceMatcher(types)
  return peers.flatMap((peer) => peer.services.filter(matches).map((service) => ({ service, peer })))
}
