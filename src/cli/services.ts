import type { Options } from 'yargs'
import type { PeerService } from '../client/index.ts'
import { bestAddress, hostAndPort } from './best-address.ts'
import type { Command, Context, GlobalOptions } from './command.ts'
import { typeText } from './peer-text.ts'
import { printable, printableJson } from './printable.ts'
import { type Column, table, tabSeparated } from './table.ts'

interface ServicesOptions extends GlobalOptions {
  type?: string | undefined
  self?: boolean | undefined
  wide?: boolean | undefined
  headers: boolean
}

const FLAGS = {
  self: { type: 'boolean', describe: "Also this machine's own" },
  wide: { type: 'boolean', describe: 'Cut nothing' },
  headers: { type: 'boolean', default: true, describe: 'The line of headings; --no-headers leaves it out' },
} as const satisfies Record<string, Options>

const COLUMNS: readonly Column[] = [
  { heading: 'NAME', least: 12 },
  { heading: 'TYPE' },
  { heading: 'PEER', least: 12 },
  { heading: 'ADDRESS:PORT', least: 20 },
  { heading: 'TXT', least: 3 },
]

/** `earshot services`: what the peers offer. */
export function servicesCommand(context: Context): Command<ServicesOptions> {
  return {
    command: 'services [type]',
    describe: 'List the services on this network',
    builder: (yargs) =>
      yargs
        .positional('type', { type: 'string', describe: 'Only those of this type: http, osc/udp or _http._tcp' })
        .options(FLAGS),
    flags: FLAGS,
    handler: async (options) => {
      const { output, signal } = context
      const { type, self = false, wide, headers: headings } = options
      const found = await context.daemon(options).services({ ...(type !== undefined && { type }), self }, { signal })
      if (options.json) return await output.write(printableJson(found, 2))
      const rows = [...found.services].sort(byName).map(row)
      if (!output.terminal) return await output.write(...tabSeparated(COLUMNS, rows, { headings }))
      const width = wide ? Number.POSITIVE_INFINITY : output.width
      const lines = rows.length > 0 ? table(COLUMNS, rows, { width, style: output.style, headings }) : []
      await output.write(...lines, output.style('dim', footer(rows.length)))
    },
  }
}

function row({ name, type, port, txt, peer }: PeerService): string[] {
  const address = bestAddress(peer)
  return [
    printable(name),
    typeText(type),
    printable(peer.name),
    printable(address ? hostAndPort(address, port) : `:${port}`),
    txtText(txt),
  ]
}

/** `path=/ v=2`; a value that would look like more than one, or like another, is written as JSON writes it. */
export function txtText(txt: PeerService['txt']): string {
  return Object.entries(txt)
    .map(([key, value]) => `${printable(key)}=${isPlain(value) ? value : printableJson(value)}`)
    .join(' ')
}

function isPlain(value: string): boolean {
  return printable(value) === value && !/[\s"\\]/.test(value)
}

const names = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

function byName(one: PeerService, other: PeerService): number {
  return names.compare(one.name, other.name) || names.compare(one.peer.name, other.peer.name) || one.port - other.port
}

function footer(count: number): string {
  return count === 0 ? 'no services' : `${count} ${count === 1 ? 'service' : 'services'}`
}
