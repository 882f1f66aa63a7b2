import type { OwnService, Self } from '../client/index.ts'
import { formatDuration } from '../shared/duration.ts'
import type { Context, GlobalOptions } from './command.ts'
import { ageText, countText, type Fact, factLine, factSection, localTime, spanText } from './format.ts'
import { typeText } from './peer-text.ts'
import { printable, printableJson, type Style } from './terminal.ts'
import { alignedLines, fieldLines, section } from './text-columns.ts'
import { loadWidths } from './text-width.ts'

type OwnPath = Self['interfaces'][number]['paths'][number]
type Mdns = NonNullable<Self['mdns']>

const SOURCES: Readonly<Record<OwnService['source'], string>> = {
  api: 'registered',
  file: 'file',
  config: 'config file',
}

/** `earshot status`: what the daemon reports about itself. */
export async function status(options: GlobalOptions, context: Context): Promise<void> {
  const { output, signal } = context
  const self = await context.daemon(options).self({ signal })
  if (options.json) return await output.write(printableJson(self, 2))
  if (!output.terminal) return await output.write(...selfFacts(self))
  await loadWidths(self)
  await output.write(...selfLines(self, context.now(), output.style))
}

/** What `status` prints on a terminal. `now` is in ms since 1970. */
function selfLines(self: Self, now: number, style: Style): string[] {
  const { counters, limits } = self
  return [
    `${style('bold', printable(self.name))}  up ${ageText(self.startedAt, now)}, since ${localTime(self.startedAt)}`,
    ...fieldLines([
      ['id', printable(self.id)],
      ['host', printable(self.hostname)],
      ['software', `earshot ${printable(self.version)}, process ${self.pid}`],
      ['record', `version ${self.recordVersion} of incarnation ${self.incarnation}`],
      ['beats', `every ${formatDuration(self.intervalMs)}, UDP port ${self.port}`],
      [
        'attributes',
        Object.entries(self.attributes)
          .map(([key, value]) => printable(`${key}=${value}`))
          .join(' '),
      ],
      ['socket', printable(self.socket)],
      ['http', self.http === undefined ? 'off' : printable(self.http)],
      ['state', stateDirText(self, style)],
      ['registry', `index ${countText(self.index)}, epoch ${printable(self.epoch)}`],
    ]),
    ...section('Services', alignedLines(self.services.map((service) => serviceCells(service, now))), style),
    ...section(
      'Files that cannot be used',
      self.badFiles.map(({ file, error }) => style('red', `  ${printable(file)}: ${printable(error)}`)),
      style,
    ),
    ...interfacesSection(self, now, style),
    ...mdnsSection(self, style),
    ...section(
      'Left out',
      alignedLines(self.leftOut.map(({ name, reason }) => [printable(name), printable(reason)])),
      style,
    ),
    ...section(
      'Datagrams',
      fieldLines([
        ['received', countersText(counters.received)],
        ['sent', countersText(counters.sent)],
        ['refused', countersText(counters.refused)],
      ]),
      style,
    ),
    ...section(
      'Limits',
      fieldLines([
        ['peers', limitText(limits.peers, style)],
        ['records', limitText(limits.recordBytes, style, ' bytes')],
      ]),
      style,
    ),
  ]
}

function stateDirText({ stateDir, stateFault }: Self, style: Style): string {
  if (stateFault === undefined) return printable(stateDir)
  const fault = `cannot be written, so a restart loses recent changes: ${printable(stateFault)}`
  return `${printable(stateDir)} ${style('red', fault)}`
}

/** The id comes first, because `unpublish` takes it. */
function serviceCells({ id, name, type, port, source, file, expiresAt }: OwnService, now: number): string[] {
  const until = expiresAt === undefined ? '' : `, for ${spanText(Date.parse(expiresAt) - now)} unless renewed`
  return [printable(id), `${typeText(type)}:${port}`, printable(name), `${printable(file ?? SOURCES[source])}${until}`]
}

function interfacesSection({ interfaces }: Self, now: number, style: Style): string[] {
  if (interfaces.length === 0) {
    return ['', style('bold', 'Interfaces'), style('yellow', '  none in use: no other machine hears this one')]
  }
  const lines = interfaces.flatMap(({ name, addresses, paths }) => [
    `  ${printable(name)}  ${addresses.map(({ address }) => printable(address)).join(' ')}`.trimEnd(),
    ...alignedLines(paths.map((path) => [path.path, pathText(path, now, style)])).map((line) => `  ${line}`),
  ])
  return section('Interfaces', lines, style)
}

/** The condition of a path: a send error, else whether this machine receives its own beacons there. */
function pathText({ lastEcho, deaf, fault }: OwnPath, now: number, style: Style): string {
  const echo = lastEcho === undefined ? 'never heard itself' : `heard itself ${ageText(lastEcho, now)} ago`
  if (fault !== undefined) return style('red', `fault: ${printable(fault)}`)
  return deaf ? style('yellow', `deaf: ${echo}`) : echo
}

/** Counters above zero, the highest first: `beat 851, record 3`; `none` if all are zero. */
function countersText(counters: Readonly<Record<string, number>>): string {
  const nonZero = Object.entries(counters).filter(([, count]) => count > 0)
  const ordered = nonZero.sort(([, one], [, other]) => other - one)
  return ordered.map(([name, count]) => `${printable(name)} ${countText(count)}`).join(', ') || 'none'
}

/** `3 of 16,384`; in red, with `(full)`, if the limit is reached. */
function limitText({ now, most }: { now: number; most: number }, style: Style, unit = ''): string {
  const text = `${countText(now)} of ${countText(most)}${unit}`
  return now >= most ? style('red', `${text} (full)`) : text
}

/** This machine's names in mDNS, the types it browses, and how much it holds of other hosts. */
function mdnsSection({ mdns, services, name }: Self, style: Style): string[] {
  if (!mdns) return section('mDNS', ['  off'], style)
  const { hostname, publications, interfaces, browsing, limits, counters } = mdns
  const { received, sent, dropped } = counters
  const wantedNames = new Map(services.map((service) => [service.id, service.name]))
  const lines = fieldLines([
    ['host', printable(hostname)],
    ['names', publications.map((each) => publicationText(each, wantedNames.get(each.id) ?? name, style))],
    ['looks for', browsing.map(typeText).join(' ')],
    ['faults', interfaces.flatMap((each) => mdnsFaults(each, style))],
    ['messages', `${countText(received)} received, ${countText(sent)} sent, ${countText(dropped)} dropped`],
    ['hosts', sharedLimitText(limits.hosts, style)],
    ['services', sharedLimitText(limits.services, style)],
    ['txt', sharedLimitText(limits.txtBytes, style, ' bytes')],
  ])
  return section('mDNS', lines, style)
}

/** A limit of which one source address may take a quarter at most, and the addresses that have taken theirs. */
function sharedLimitText(limit: Mdns['limits']['hosts'], style: Style, unit = ''): string {
  const text = limitText(limit, style, unit)
  if (limit.full.length === 0) return text
  const sources = limit.full.map(printable).join(', ')
  return text + style('yellow', `, no more from ${sources}: one address may fill a quarter`)
}

/** The paths on which mDNS cannot send or receive, and why. */
function mdnsFaults({ name, paths }: Mdns['interfaces'][number], style: Style): string[] {
  return paths.flatMap(({ path, fault }) =>
    fault === undefined ? [] : [style('red', `${printable(name)} ${path}: ${printable(fault)}`)],
  )
}

/** An instance name in use. If the wanted name is taken, a number follows it: `OSC (2)`. */
function publicationText({ name, type, state }: Mdns['publications'][number], wanted: string, style: Style): string {
  const isNumbered = name !== wanted && / \(\d+\)$/.test(name)
  const instead = isNumbered ? style('yellow', `, as '${printable(wanted)}' is taken`) : ''
  const how = state === 'elsewhere' ? 'published by another program on this machine' : state
  return `${printable(name)}, ${typeText(type)}: ${how}${instead}`
}

/**
 * What `status` prints in a pipe: one fact in each line, its name first, with tabs between the fields, whole values and
 * ISO 8601 times. Headings are lines without a tab.
 */
function selfFacts(self: Self): string[] {
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
    ...factSection('Services', self.services.map(serviceFact)),
    ...factSection(
      'Files that cannot be used',
      self.badFiles.map(({ file, error }) => ['bad-file', file, error]),
    ),
    ...factSection('Interfaces', self.interfaces.flatMap(interfaceFacts)),
    ...factSection('mDNS', mdnsFacts(self.mdns)),
    ...factSection(
      'Left out',
      self.leftOut.map(({ name, reason }) => ['left-out', name, reason]),
    ),
    ...factSection(
      'Datagrams',
      Object.entries(self.counters).flatMap(([name, counters]) => counterFacts(name, counters)),
    ),
    ...factSection('Limits', limitFacts(self.limits)),
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

function counterFacts(name: string, counters: Readonly<Record<string, number>>): Fact[] {
  return Object.entries(counters).map(([kind, count]) => [name, kind, count])
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
    ...counterFacts('mdns-messages', mdns.counters),
    ...limitFacts(mdns.limits),
    ...Object.entries(mdns.limits).flatMap(([name, { full }]) => full.map((source) => ['mdns-full', name, source])),
  ]
}
