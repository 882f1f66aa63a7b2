import type { CommandModule } from 'yargs'
import { serviceMatcher } from '../client/filter.ts'
import type { Peer, PeerFilter, Peers } from '../client/index.ts'
import { askOrListen } from './ask-or-listen.ts'
import { avahiLines, type Offer } from './avahi-lines.ts'
import { type Context, type GlobalOptions, Usage } from './command.ts'
import { remarkOnSilence } from './nobody-heard.ts'
import { type PeerArguments, peerFilter, peerOptions } from './peer-options.ts'
import { footer, peerTable } from './peer-table.ts'
import { printableJson } from './printable.ts'

interface LsOptions extends GlobalOptions, PeerArguments {
  wide?: boolean | undefined
  ids?: boolean | undefined
  headers: boolean
  parsable?: boolean | undefined
  live?: boolean | undefined
}

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
      parsable: {
        alias: 'p',
        type: 'boolean',
        describe: 'Their services, in the lines of avahi-browse -rpk',
        conflicts: ['json', 'live'],
      },
      live: { type: 'boolean', describe: 'Refresh the table in place, until Ctrl-C', conflicts: 'json' },
    },
    handler: async (options) => await (options.live ? refresh(options, context) : list(options, context)),
  }
}

async function list(options: LsOptions, context: Context): Promise<void> {
  const { output } = context
  const { found, failed } = withoutFailed(await ask(options, askingForFailed(options), context), options)
  await remarkIfEmpty(found.peers, failed, options, context)
  if (options.json) return await output.write(printableJson(found, 2))
  if (options.parsable) return await output.write(...avahiLines(offersOf(found.peers, options.service)))
  const { headers: headings, wide, ids } = options
  const { terminal, width, style } = output
  const lines = peerTable(found.peers, { terminal, width, style, now: context.now(), headings, wide, ids })
  await output.write(...lines, ...(terminal ? [style('dim', footer(found.peers, failed))] : []))
}

async function refresh(options: LsOptions, context: Context): Promise<void> {
  if (!context.output.terminal) throw new Usage("--live needs a terminal (for programs: 'earshot watch')")
  const { showLive } = await import('./live.ts')
  const { headers: headings, wide, ids } = options
  const ask = { filter: askingForFailed(options), split: (peers: Peers) => withoutFailed(peers, options) }
  await showLive(ask, { headings, wide, ids }, options, context)
}

/** Failed peers are counted in the footer also where they are not listed. */
function askingForFailed(options: LsOptions): PeerFilter {
  const filter = { ...peerFilter(options), ...(options.all && { hidden: true }) }
  return filter.state === undefined ? { ...filter, state: ['alive', 'suspect', 'failed'] } : filter
}

/** What is to be listed, and how many failed peers are not. */
function withoutFailed(all: Peers, { state, all: every }: LsOptions): { found: Peers; failed: number } {
  if (every || state !== undefined) return { found: all, failed: 0 }
  const peers = all.peers.filter((peer) => peer.state !== 'failed')
  return { found: { ...all, peers }, failed: all.peers.length - peers.length }
}

/** Nothing to list may mean that nobody is there, or that this machine hears nobody. */
async function remarkIfEmpty(
  peers: readonly Peer[],
  failed: number,
  options: LsOptions,
  context: Context,
): Promise<void> {
  const heard = peers.some(({ source }) => source === 'beacon')
  if (!heard && failed === 0) await remarkOnSilence(context.daemon(options), context)
}

/** Every service of these peers, or those of the types that were asked for. */
function offersOf(peers: readonly Peer[], types: string[] | undefined): Offer[] {
  const wanted = serviceMatcher(types)
  return peers.flatMap((peer) => peer.services.filter(wanted).map((service) => ({ service, peer })))
}

async function ask(options: LsOptions, filter: PeerFilter, context: Context): Promise<Peers> {
  const asking = () => context.daemon(options).peers(filter, { signal: context.signal })
  return await askOrListen(asking, filter, (heard) => heard, options, context)
}
