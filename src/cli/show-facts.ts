import type { OfferedService, Peer } from '../client/index.ts'
import { printable } from './printable.ts'
import { txtText } from './services.ts'

/**
 * What `show` prints for programs: one fact a line, its name first, tabs between the fields, values whole, times as
 * ISO 8601. Facts of which there are several (`address`, `service`) take a line each.
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
    ...peer.addresses.map((address) => addressFact(address, peer)),
    ...peer.services.map(serviceFact),
    ...Object.entries(peer.attributes).map(([key, value]) => ['attribute', key, value]),
    ...peer.paths.map((path) => ['path', path.interface, path.path, path.lastHeard]),
    ...peer.history.map(({ at, state }) => ['history', at, state]),
  ].map(factLine)
}

/** One line of facts: the fields with tabs between them, nothing in them that would end the line. */
export function factLine(fields: readonly (string | number | boolean)[]): string {
  return fields.map((field) => printable(String(field))).join('\t')
}

/** Whether the peer was heard from there, or its record only names it. */
function addressFact({ address, interface: through }: Peer['addresses'][number], { source, paths }: Peer): string[] {
  if (source === 'mdns') return ['address', address, through]
  return ['address', address, through, paths.some((path) => path.address === address) ? 'heard' : 'named']
}

function beaconFacts(peer: Peer): (string | number)[][] {
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

function serviceFact({ id, name, type, port, subtypes, txt, source }: OfferedService): (string | number)[] {
  return ['service', id, name, type, port, source ?? 'beacon', subtypes.join(','), txtText(txt)]
}
