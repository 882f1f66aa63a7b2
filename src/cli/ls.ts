import type { CommandModule } from 'yargs'
import { serviceTest } from '../client/filter.ts'
import { EarshotError, type Peer, type PeerFilter, type Peers } from '../client/index.ts'
import { avahiLines, type Offer } from './avahi-lines.ts'
import { type Context, type GlobalOptions, Usage } from './command.ts'
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
  const found = await ask(options, peerFilter(options), context)
  if (options.json) return await output.write(printableJson(found, 2))
  if (options.parsable) return await output.write(...avahiLines(offersOf(found.peers, options.service)))
  const { headers: headings, wide, ids } = options
  const { terminal, width, style } = output
  const lines = peerTable(found.peers, { terminal, width, style, now: context.now(), headings, wide, ids })
  await output.write(...lines, ...(terminal ? [style('dim', footer(found.peers))] : []))
}

async function refresh(options: LsOptions, context: Context): Promise<void> {
  if (!context.output.terminal) throw new Usage("--live needs a terminal (for programs: 'earshot watch')")
  const { showLive } = await import('./live.ts')
  const { headers: headings, wide, ids } = options
  await showLive(peerFilter(options), { headings, wide, ids }, options, context)
}

/** Every service of these peers, or those of the types that were asked for. */
function offersOf(peers: readonly Peer[], types: string[] | undefined): Offer[] {
  const wanted = serviceTest(types)
  return peers.flatMap((peer) => peer.services.filter(wanted).map((service) => ({ service, peer })))
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
