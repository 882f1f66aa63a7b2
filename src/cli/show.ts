import type { CommandModule } from 'yargs'
import type { OfferedService, Peer } from '../client/index.ts'
import { formatDuration } from '../shared/duration.ts'
import type { Context, GlobalOptions } from './command.ts'
import { aligned, counted, type Field, fields, measured, section } from './layout.ts'
import { printable, printableJson } from './printable.ts'
import { reasonOf } from './reason.ts'
import { peerFacts } from './show-facts.ts'
import { STATE_FORMATS, type Style } from './style.ts'
import { localTime, since } from './time.ts'

interface ShowOptions extends GlobalOptions {
  peer: string
}

/** `earshot show PEER`: everything known of one. */
export function showCommand(context: Context): CommandModule<GlobalOptions, ShowOptions> {
  return {
    command: 'show <peer>',
    describe: 'Everything known of one peer',
    builder: (yargs) =>
      yargs.positional('peer', {
        type: 'string',
        demandOption: true,
        describe: 'Its name, its id, or the beginning of its id (four characters or more)',
      }),
    handler: async (options) => {
      const { output, signal } = context
      const peer = await context.daemon(options).peer(options.peer, { signal })
      if (options.json) return await output.write(printableJson(peer, 2))
      if (!output.terminal) return await output.write(...peerFacts(peer))
      await output.write(...describePeer(peer, context.now(), output.style))
    },
  }
}

/** What `show` says of a peer, line by line. `now` is in ms since 1970. */
function describePeer(peer: Peer, now: number, style: Style): string[] {
  const reason = reasonOf(peer, now)
  return [
    `${style('bold', printable(peer.name))}  ${style(STATE_FORMATS[peer.state], peer.state)}`,
    ...(reason === undefined ? [] : [reason]),
    ...fields([
      ['id', printable(peer.id)],
      ['host', printable(peer.hostname)],
      ['software', peer.version && `earshot ${printable(peer.version)}`],
      ['last seen', `${since(peer.lastSeen, now)} ago`],
      ['first seen', `${since(peer.firstSeen, now)} ago, ${localTime(peer.firstSeen)}`],
      ...(peer.source === 'beacon' ? beaconFields(peer) : []),
      ['flapping', peer.flapping ? 'yes: that it is back is told when it has settled' : undefined],
    ]),
    ...section('Addresses', aligned(peer.addresses.map((address) => addressCells(address, peer))), style),
    ...section('Services', peer.services.flatMap(describeService), style),
    ...section(
      'Attributes',
      fields(Object.entries(peer.attributes).map(([key, value]) => [printable(key), printable(String(value))])),
      style,
    ),
    ...section(
      'Paths',
      aligned(
        peer.paths.map((path) => [
          printable(path.interface),
          path.path,
          `last heard ${since(path.lastHeard, now)} ago`,
        ]),
      ),
      style,
    ),
    ...section(
      'History',
      aligned(peer.history.map(({ at, state }) => [localTime(at), state, `${since(at, now)} ago`])),
      style,
    ),
  ]
}

/** What a record names and no beacon comes from is only the peer's word. */
function addressCells({ address, interface: through }: Peer['addresses'][number], { source, paths }: Peer): string[] {
  const isHeard = source === 'mdns' || paths.some((path) => path.address === address)
  return [printable(address), printable(through), isHeard ? '' : 'by its own word: nothing was heard from there']
}

function beaconFields({ intervalMs, beacons, jitterMs, rttMs, recordVersion, incarnation }: Peer): Field[] {
  const { heard, lost } = beacons
  return [
    ['beats', `every ${formatDuration(intervalMs)}, ${counted(heard)} heard, ${lossText(heard, lost)}`],
    ['jitter', measured(jitterMs)],
    ['round trip', rttMs === undefined ? 'not measured yet' : measured(rttMs)],
    ['record', `version ${recordVersion} of incarnation ${incarnation}`],
  ]
}

function lossText(heard: number, lost: number): string {
  const share = heard + lost === 0 ? 0 : (100 * lost) / (heard + lost)
  return `${counted(lost)} lost (${share.toFixed(1)} %)`
}

function describeService({ id, name, type, port, txt, subtypes, source }: OfferedService): string[] {
  const pairs = Object.entries(txt).map(([key, value]) => printable(`${key}=${value}`))
  return [
    `  ${printable(name)}`,
    ...fields([
      ['type', `${printable(type)}, port ${port}`],
      ['id', printable(id)],
      ['subtypes', subtypes.map(printable).join(', ')],
      ['found by', source && 'mDNS'],
      ['txt', pairs],
    ]).map((line) => `  ${line}`),
  ]
}
