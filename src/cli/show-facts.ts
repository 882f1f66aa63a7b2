import type { OfferedService, Peer } from '../client/index.ts'
import { printable } from './printable.ts'
import { txtText } from './services.ts'

/** A fact's name, and its values. */
export type Fact = readonly (string | number | boolean)[]

/**
 * What `show` prints for programs: under the headings that people see, one fact a line, its name first, tabs between
 * the fields, values whole, times as ISO 8601. Facts of which there are several (`address`, `service`) take a line each.
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
    ...under(
      'Addresses',
      peer.addresses.map((address) => addressFact(address, peer)),
    ),
    ...under('Services', peer.services.map(serviceFact)),
    ...under(
      'Attributes',
      Object.entries(peer.attributes).map(([key, value]) => ['attribute', key, value]),
    ),
    ...under(
      'Paths',
      peer.paths.map((path) => ['path', path.interface, path.path, path.lastHeard]),
    ),
    ...under(
      'History',
      peer.history.map(({ at, state }) => ['history', at, state]),
    ),
  ].map(factLine)
}

/** Facts with their heading before them; nothing where there are none. */
export function under(heading: string, facts: readonly Fact[]): Fact[] {
  return facts.length === 0 ? [] : [[heading], ...facts]
}

/** One line of facts: the fields with tabs between them, nothing in them that would end the line. */
export function factLine(fields: Fact): string {
  return fields.map((field) => printable(String(field))).join('\t')
}

/** Whether the peer was heard from there, or its record only names it. */
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
