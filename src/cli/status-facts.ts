import type { OwnService, Self } from '../client/index.ts'
import { type Fact, factLine, under } from './show-facts.ts'

/**
 * What `status` prints for programs: under the headings that people see, one fact a line, its name first, tabs between
 * the fields, values whole, times as ISO 8601. Facts of which there are several (`service`, `interface`) take a line each.
 */
export function selfFacts(self: Self): string[] {
  return [
    ['name', self.name],
    ['id', self.id],
    ['host', self.hostname],
    ['version', self.version],
    ['pid', self.pid],
    ['started-at', self.startedAt],
    ['interval-ms', self.intervalMs],
    ['port', self.port],
    ['record-version', self.recordVersion],
    ['incarnation', self.incarnation],
    ['socket', self.socket],
    ['http', self.http ?? 'off'],
    ['state-dir', self.stateDir],
    ...(self.stateFault === undefined ? [] : [['state-fault', self.stateFault]]),
    ['epoch', self.epoch],
    ['index', self.index],
    ...Object.entries(self.attributes).map(([key, value]) => ['attribute', key, value]),
    ...under('Services', self.services.map(serviceFact)),
    ...under(
      'Files that cannot be used',
      self.badFiles.map(({ file, error }) => ['bad-file', file, error]),
    ),
    ...under('Interfaces', self.interfaces.flatMap(interfaceFacts)),
    ...under('mDNS', mdnsFacts(self.mdns)),
    ...under(
      'Left out',
      self.leftOut.map(({ name, reason }) => ['left-out', name, reason]),
    ),
    ...under(
      'Datagrams',
      Object.entries(self.counters).flatMap(([name, counts]) => countFacts(name, counts)),
    ),
    ...under('Limits', limitFacts(self.limits)),
  ].map(factLine)
}

function serviceFact({ id, name, type, port, source, file = '', expiresAt = '' }: OwnService): Fact {
  return ['service', id, name, type, port, source, file, expiresAt]
}

function interfaceFacts({ name, addresses, paths }: Self['interfaces'][number]): Fact[] {
  return [
    ...addresses.map(({ address }) => ['interface', name, address]),
    ...paths.map(({ path, lastEcho = '', deaf, fault }) => {
      const condition = fault ?? (deaf ? 'deaf' : 'ok')
      return ['path', name, path, lastEcho, condition]
    }),
  ]
}

function countFacts(name: string, counts: Readonly<Record<string, number>>): Fact[] {
  return Object.entries(counts).map(([kind, count]) => [name, kind, count])
}

function limitFacts(limits: Readonly<Record<string, { now: number; most: number }>>): Fact[] {
  return Object.entries(limits).map(([name, { now, most }]) => ['limit', name, now, most])
}

function mdnsFacts(mdns: Self['mdns']): Fact[] {
  if (!mdns) return [['mdns', 'off']]
  return [
    ['mdns', 'on'],
    ['mdns-host', mdns.hostname],
    ...mdns.publications.map(({ id, name, type, state }) => ['mdns-name', id, name, type, state]),
    ...mdns.interfaces.flatMap(({ name, paths }) =>
      paths.map(({ path, fault }) => ['mdns-path', name, path, fault ?? 'ok']),
    ),
    ...mdns.browsing.map((type) => ['mdns-browsing', type]),
    ...countFacts('mdns-messages', mdns.counters),
    ...limitFacts(mdns.limits),
    ...Object.entries(mdns.limits).flatMap(([name, { full }]) => full.map((source) => ['mdns-full', name, source])),
  ]
}
