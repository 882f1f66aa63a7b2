import type { OfferedService, Peer } from '../client/index.ts'
import { formatDuration } from '../shared/duration.ts'
import { LEASE_INTERVALS } from '../shared/peer-state.ts'
import type { Context, GlobalOptions } from './command.ts'
import { ageText, countText, type Fact, factLine, factSection, localTime, millisecondsText } from './format.ts'
import { STATE_FORMATS, shortId, txtText } from './peer-text.ts'
import { printable, printableJson, type Style } from './terminal.ts'
import { alignedLines, type Field, fieldLines, section } from './text-columns.ts'
import { loadWidths } from './text-width.ts'

interface ShowOptions extends GlobalOptions {
  peer: string
}

/** `earshot show PEER`: everything that is known about one peer. */
export async function show(options: ShowOptions, context: Context): Promise<void> {
  const { output, signal } = context
  const peer = await context.daemon(options).peer(options.peer, { signal })
  if (options.json) return await output.write(printableJson(peer, 2))
  if (!output.terminal) return await output.write(...peerFacts(peer))
  await loadWidths(peer)
  await output.write(...peerLines(peer, context.now(), output.style))
}

/** What `show` prints on a terminal. `now` is in ms since 1970. */
function peerLines(peer: Peer, now: number, style: Style): string[] {
  const reason = stateReason(peer, now)
  return [
    `${style('bold', printable(peer.name))}  ${style(STATE_FORMATS[peer.state], peer.state)}`,
    ...(reason === undefined ? [] : [reason]),
    ...fieldLines([
      ['id', printable(peer.id)],
      ['host', printable(peer.hostname)],
      ['software', peer.version && `earshot ${printable(peer.version)}`],
      ['last seen', `${ageText(peer.lastSeen, now)} ago`],
      ['first seen', `${ageText(peer.firstSeen, now)} ago, ${localTime(peer.firstSeen)}`],
      ...(peer.source === 'beacon' ? beaconFields(peer) : []),
      ['flapping', peer.flapping ? 'yes: its return is reported once it is stable' : undefined],
    ]),
    ...section('Addresses', alignedLines(peer.addresses.map((address) => addressCells(address, peer))), style),
    ...section('Services', peer.services.flatMap(serviceLines), style),
    ...section(
      'Attributes',
      fieldLines(Object.entries(peer.attributes).map(([key, value]) => [printable(key), printable(String(value))])),
      style,
    ),
    ...section(
      'Paths',
      alignedLines(
        peer.paths.map((path) => [
          printable(path.interface),
          path.path,
          `last heard ${ageText(path.lastHeard, now)} ago`,
        ]),
      ),
      style,
    ),
    ...section(
      'History',
      alignedLines(peer.history.map(({ at, state }) => [localTime(at), state, `${ageText(at, now)} ago`])),
      style,
    ),
  ]
}

/** Marks an address that is named in the peer's record, but from which no datagram came. */
function addressCells({ address, interface: through }: Peer['addresses'][number], { source, paths }: Peer): string[] {
  const isHeard = source === 'mdns' || paths.some((path) => path.address === address)
  return [printable(address), printable(through), isHeard ? '' : 'from its record only: nothing was heard from there']
}

function beaconFields({ intervalMs, beacons, jitterMs, rttMs, recordVersion, incarnation }: Peer): Field[] {
  const { heard, lost } = beacons
  return [
    ['beats', `every ${formatDuration(intervalMs)}, ${countText(heard)} heard, ${lossText(heard, lost)}`],
    ['jitter', millisecondsText(jitterMs)],
    ['round trip', rttMs === undefined ? 'not measured yet' : millisecondsText(rttMs)],
    ['record', `version ${recordVersion} of incarnation ${incarnation}`],
  ]
}

function lossText(heard: number, lost: number): string {
  const share = heard + lost === 0 ? 0 : (100 * lost) / (heard + lost)
  return `${countText(lost)} lost (${share.toFixed(1)} %)`
}

function serviceLines({ id, name, type, port, txt, subtypes, source }: OfferedService): string[] {
  const pairs = Object.entries(txt).map(([key, value]) => printable(`${key}=${value}`))
  return [
    `  ${printable(name)}`,
    ...fieldLines([
      ['type', `${printable(type)}, port ${port}`],
      ['id', printable(id)],
      ['subtypes', subtypes.map(printable).join(', ')],
      ['found by', source && 'mDNS'],
      ['txt', pairs],
    ]).map((line) => `  ${line}`),
  ]
}

/** A path is silent if it missed this many beacons before the peer was last heard. */
const SILENT_BEACONS = 10

/**
 * Why a peer is in its state, in one sentence; undefined if it is alive and heard on all its paths. `now` is in ms since
 * 1970.
 */
export function stateReason(peer: Peer, now: number): string | undefined {
  if (peer.source === 'mdns') return mdnsStateReason(peer, now)
  const lastHeard = `last heard ${ageText(peer.lastSeen, now)} ago, although it sends a beacon every ${formatDuration(peer.intervalMs)}`
  switch (peer.state) {
    case 'suspect':
      return `Suspect: ${lastHeard} (a peer is suspect after ${LEASE_INTERVALS} intervals without a beacon); it has not answered a direct probe yet.`
    case 'failed':
      return `Failed: ${lastHeard}; it did not answer a direct probe.`
    case 'left':
      return `Left: it said goodbye ${ageText(lastChange(peer), now)} ago.`
    case 'alive':
      return silentPathsReason(peer)
  }
}

function mdnsStateReason(peer: Peer, now: number): string {
  if (peer.hidden) return hiddenReason(peer.hidden)
  const lastHeard = `last heard ${ageText(peer.lastSeen, now)} ago`
  switch (peer.state) {
    case 'suspect':
      return `Suspect: ${lastHeard}; it has not answered an mDNS query yet.`
    case 'failed':
      return `Failed: ${lastHeard}; it answered no mDNS query, and its records expired.`
    case 'left':
      return `Left: ${ageText(lastChange(peer), now)} ago it withdrew its services or became known by its beacons.`
    case 'alive':
      return 'Alive according to mDNS only: it sends no beacons, and mDNS is not signed, so any host can forge it.'
  }
}

function hiddenReason({ id, name, because }: NonNullable<Peer['hidden']>): string {
  const peer = `'${printable(name)}' (${shortId(id)})`
  const why = because === 'claim' ? `it says by mDNS that it is ${peer}` : `its mDNS address is an address of ${peer}`
  return `Not listed: ${why}. mDNS is not signed, so any host could say this.`
}

/** If one path is silent while others are heard, the network has a fault. */
function silentPathsReason({ paths, lastSeen, intervalMs }: Peer): string | undefined {
  const oldest = Date.parse(lastSeen) - SILENT_BEACONS * intervalMs
  const silent = paths.filter(({ path, lastHeard }) => path !== 'unicast' && Date.parse(lastHeard) < oldest)
  if (silent.length === 0) return undefined
  const names = silent.map((path) => `${printable(path.interface)} ${path.path}`).join(', ')
  return `Alive, but no longer heard on ${names}: a switch, access point or firewall may drop these packets.`
}

function lastChange({ history, lastSeen }: Peer): string {
  return history.at(-1)?.at ?? lastSeen
}

/**
 * What `show` prints in a pipe: one fact in each line, its name first, with tabs between the fields, whole values and
 * ISO 8601 times. Headings are lines without a tab.
 */
export function peerFacts(peer: Peer): string[] {
  return [
    ['name', peer.name],
    ['state', peer.state],
    ['source', peer.source],
    ['id', peer.id],
    ['host', peer.hostname],
    ['last-seen', peer.lastSeen],
    ['first-seen', peer.firstSeen],
    ['flapping', peer.flapping],
    ...(peer.source === 'beacon' ? beaconFacts(peer) : []),
    ...(peer.hidden ? [['hidden', peer.hidden.id, peer.hidden.name, peer.hidden.because]] : []),
    ...factSection(
      'Addresses',
      peer.addresses.map((address) => addressFact(address, peer)),
    ),
    ...factSection('Services', peer.services.map(serviceFact)),
    ...factSection(
      'Attributes',
      Object.entries(peer.attributes).map(([key, value]) => ['attribute', key, value]),
    ),
    ...factSection(
      'Paths',
      peer.paths.map((path) => ['path', path.interface, path.path, path.lastHeard]),
    ),
    ...factSection(
      'History',
      peer.history.map(({ at, state }) => ['history', at, state]),
    ),
  ].map(factLine)
}

/** `heard` if datagrams came from this address, `named` if only the peer's record names it. */
function addressFact({ address, interface: through }: Peer['addresses'][number], { source, paths }: Peer): Fact {
  if (source === 'mdns') return ['address', address, through]
  return ['address', address, through, paths.some((path) => path.address === address) ? 'heard' : 'named']
}

function beaconFacts(peer: Peer): Fact[] {
  return [
    ['version', peer.version],
    ['interval-ms', peer.intervalMs],
    ['beats-heard', peer.beacons.heard],
    ['beats-lost', peer.beacons.lost],
    ['jitter-ms', peer.jitterMs],
    ...(peer.rttMs === undefined ? [] : [['rtt-ms', peer.rttMs]]),
    ['record-version', peer.recordVersion],
    ['incarnation', peer.incarnation],
  ]
}

function serviceFact({ id, name, type, port, subtypes, txt, source }: OfferedService): Fact {
  return ['service', id, name, type, port, source ?? 'beacon', subtypes.join(','), txtText(txt)]
}
