import type { Options } from 'yargs'
import { serviceMatcher } from '../client/filter.ts'
import type { PeerService, Peers, Services } from '../client/index.ts'
import { bestAddress, hostAndPort } from '../client/resolve.ts'
import { dnsTypes } from '../shared/service-type.ts'
import { askOrListen } from './ask-or-listen.ts'
import { avahiLines } from './avahi-lines.ts'
import { type Command, type Context, type GlobalOptions, Usage } from './command.ts'
import { remarkOnSilence } from './nobody-heard.ts'
import { type PeerArguments, peerFilter, peerOptions } from './peer-options.ts'
import { typeText } from './peer-text.ts'
import { printable, printableJson } from './printable.ts'
import { type Column, table, tabSeparated } from './table.ts'

interface ServicesOptions extends GlobalOptions, Pick<PeerArguments, 'state' | 'where' | 'all' | 'self' | 'signed'> {
  type?: string | undefined
  wide?: boolean | undefined
  headers: boolean
  parsable?: boolean | undefined
}

const FLAGS = {
  state: { ...peerOptions.state, describe: 'Only of peers in this state: alive, suspect, failed, left or all' },
  where: { ...peerOptions.where, describe: 'Only of peers with this attribute: status=idle' },
  signed: peerOptions.signed,
  all: { ...peerOptions.all, describe: 'Also of peers that have failed or left' },
  self: { type: 'boolean', describe: "Also this machine's own" },
  wide: { type: 'boolean', describe: 'Cut nothing' },
  headers: { type: 'boolean', default: true, describe: 'The line of headings; --no-headers leaves it out' },
  parsable: { alias: 'p', type: 'boolean', describe: 'In the lines of avahi-browse -rpk', conflicts: 'json' },
} as const satisfies Record<string, Options>

const COLUMNS: readonly Column[] = [
  { heading: 'NAME', least: 12 },
  { heading: 'TYPE' },
  { heading: 'PEER', least: 12 },
  { heading: 'ADDRESS:PORT', least: 20 },
  { heading: 'TXT', least: 3 },
  { heading: 'SOURCE' },
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
      const { output } = context
      const { wide, headers: headings } = options
      const found = await ask(options, context)
      if (found.services.length === 0) await remarkOnSilence(context.daemon(options), context)
      if (options.json) return await output.write(printableJson(found, 2))
      const services = [...found.services].sort(byName)
      if (options.parsable) {
        return await output.write(...avahiLines(services.map((service) => ({ service, peer: service.peer }))))
      }
      const rows = services.map(row)
      if (!output.terminal) return await output.write(...tabSeparated(COLUMNS, rows, { headings }))
      const width = wide ? Number.POSITIVE_INFINITY : output.width
      const lines = rows.length > 0 ? table(COLUMNS, rows, { width, style: output.style, headings }) : []
      await output.write(...lines, output.style('dim', footer(rows.length)))
    },
  }
}

/** Of peers with certain attributes, which the API's list of services does not look at, the list of peers tells. */
async function ask(options: ServicesOptions, context: Context): Promise<Services> {
  const { type } = options
  if (type !== undefined && dnsTypes(type).length === 0) {
    throw new Usage(`TYPE: expected a service type such as http, osc/udp or _http._tcp, found "${type}"`)
  }
  const { state, self = false, attributes, source } = peerFilter(options)
  const peersAsked = {
    self,
    ...(type !== undefined && { service: type }),
    ...(state && { state }),
    ...(attributes && { attributes }),
    source,
  }
  const servicesAsked = { self, source, ...(type !== undefined && { type }), ...(state && { state }) }
  const ofPeers = (peers: Peers): Services => servicesOf(peers, type)
  const daemon = context.daemon(options)
  const { signal } = context
  const asking = async () =>
    attributes ? ofPeers(await daemon.peers(peersAsked, { signal })) : await daemon.services(servicesAsked, { signal })
  return await askOrListen(asking, peersAsked, ofPeers, options, context)
}

/** The services of these peers, in the shape of the API's list of services. */
function servicesOf({ epoch, index, peers }: Peers, type: string | undefined): Services {
  const wanted = serviceMatcher(type)
  const services = peers.flatMap(({ services, id, name, state, hostname, addresses }) =>
    services.filter(wanted).map((service) => ({ ...service, peer: { id, name, state, hostname, addresses } })),
  )
  return { epoch, index, services }
}

function row({ name, type, port, txt, source, addresses, peer }: PeerService): string[] {
  const address = bestAddress({ addresses: addresses ?? peer.addresses })
  return [
    printable(name),
    typeText(type),
    printable(peer.name),
    printable(address ? hostAndPort(address, port) : `:${port}`),
    txtText(txt),
    source ?? 'beacon',
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
