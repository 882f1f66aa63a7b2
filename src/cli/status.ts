import type { CommandModule } from 'yargs'
import type { OwnService, Self } from '../client/index.ts'
import { formatDuration } from '../shared/duration.ts'
import type { Context, GlobalOptions } from './command.ts'
import { aligned, counted, fields, limitText, section } from './layout.ts'
import { typeText } from './peer-text.ts'
import { printable, printableJson } from './printable.ts'
import { selfFacts } from './status-facts.ts'
import { mdnsSection } from './status-mdns.ts'
import type { Style } from './style.ts'
import { localTime, since, span } from './time.ts'

const SOURCES: Readonly<Record<OwnService['source'], string>> = {
  api: 'registered',
  file: 'file',
  config: 'config file',
}

type OwnPath = Self['interfaces'][number]['paths'][number]

/** `earshot status`: the daemon about itself. */
export function statusCommand(context: Context): CommandModule<GlobalOptions, GlobalOptions> {
  return {
    command: 'status',
    describe: 'This daemon: identity, interfaces, counters, limits',
    handler: async (options) => {
      const { output, signal } = context
      const self = await context.daemon(options).self({ signal })
      if (options.json) return await output.write(printableJson(self, 2))
      if (!output.terminal) return await output.write(...selfFacts(self))
      await output.write(...describeSelf(self, context.now(), output.style))
    },
  }
}

/** What `status` says, line by line. `now` is in ms since 1970. */
export function describeSelf(self: Self, now: number, style: Style): string[] {
  const { counters, limits } = self
  return [
    `${style('bold', printable(self.name))}  up ${since(self.startedAt, now)}, since ${localTime(self.startedAt)}`,
    ...fields([
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
      ['state', stateText(self, style)],
      ['registry', `index ${counted(self.index)}, epoch ${printable(self.epoch)}`],
    ]),
    ...section('Services', aligned(self.services.map((service) => serviceRow(service, now))), style),
    ...section(
      'Files that cannot be used',
      self.badFiles.map(({ file, error }) => style('red', `  ${printable(file)}: ${printable(error)}`)),
      style,
    ),
    ...interfacesSection(self, now, style),
    ...mdnsSection(self, style),
    ...section(
      'Left out',
      aligned(self.leftOut.map(({ name, reason }) => [printable(name), printable(reason)])),
      style,
    ),
    ...section(
      'Datagrams',
      fields([
        ['received', countsText(counters.received)],
        ['sent', countsText(counters.sent)],
        ['refused', countsText(counters.refused)],
      ]),
      style,
    ),
    ...section(
      'Limits',
      fields([
        ['peers', limitText(limits.peers, style)],
        ['records', limitText(limits.recordBytes, style, ' bytes')],
      ]),
      style,
    ),
  ]
}

function stateText({ stateDir, stateFault }: Self, style: Style): string {
  if (stateFault === undefined) return printable(stateDir)
  return `${printable(stateDir)} ${style('red', `cannot be written, and a restart loses what is new: ${printable(stateFault)}`)}`
}

/** Its id comes first: it is what `unpublish` wants. */
function serviceRow({ id, name, type, port, source, file, expiresAt }: OwnService, now: number): string[] {
  const until = expiresAt === undefined ? '' : `, for ${span(Date.parse(expiresAt) - now)} unless renewed`
  return [printable(id), `${typeText(type)}:${port}`, printable(name), `${printable(file ?? SOURCES[source])}${until}`]
}

function interfacesSection({ interfaces }: Self, now: number, style: Style): string[] {
  if (interfaces.length === 0)
    return ['', style('bold', 'Interfaces'), style('yellow', '  none in use: nobody hears this machine')]
  return section(
    'Interfaces',
    interfaces.flatMap(({ name, addresses, paths }) => [
      `  ${printable(name)}  ${addresses.map(({ address }) => printable(address)).join(' ')}`.trimEnd(),
      ...aligned(paths.map((path) => [path.path, pathText(path, now, style)])).map((line) => `  ${line}`),
    ]),
    style,
  )
}

/** How a path does: a fault in sending before deafness, and that before all being well. */
function pathText({ lastEcho, deaf, fault }: OwnPath, now: number, style: Style): string {
  const echo = lastEcho === undefined ? 'never heard itself' : `heard itself ${since(lastEcho, now)} ago`
  if (fault !== undefined) return style('red', `fault: ${printable(fault)}`)
  return deaf ? style('yellow', `deaf: ${echo}`) : echo
}

/** `record 3, beat 851`, the most frequent first; `none` when nothing was counted. */
function countsText(counts: Readonly<Record<string, number>>): string {
  const nonZero = Object.entries(counts).filter(([, count]) => count > 0)
  const ordered = nonZero.sort(([, one], [, other]) => other - one)
  return ordered.map(([name, count]) => `${printable(name)} ${counted(count)}`).join(', ') || 'none'
}
