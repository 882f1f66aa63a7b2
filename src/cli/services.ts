import { serviceMatcher } from '../client/filter.ts'
import type { PeerService, Peers, Services } from '../client/index.ts'
import { bestAddress, hostAndPort } from '../client/resolve.ts'
import { dnsTypes } from '../shared/service-names.ts'
import { avahiBrowseLines } from './avahi-browse.ts'
import { type Context, type GlobalOptions, type PeerArguments, peerFilter } from './command.ts'
import { UsageError } from './errors.ts'
import { type Column, tabSeparated } from './format.ts'
import { askOrListen, warnIfNoPeersHeard } from './no-peers.ts'
import { compareNames, txtText, typeText } from './peer-text.ts'
import { printable, printableJson } from './terminal.ts'
import { loadWidths } from './text-width.ts'

interface ServicesOptions extends GlobalOptions, Pick<PeerArguments, 'state' | 'where' | 'all' | 'self' | 'signed'> {
  type?: string | undefined
  wide?: boolean | undefined
  'no-headers'?: boolean | undefined
  parsable?: boolean | undefined
}

const COLUMNS: readonly Column[] = [
  { heading: 'NAME', minWidth: 12 },
  { heading: 'TYPE' },
  { heading: 'PEER', minWidth: 12 },
  { heading: 'ADDRESS:PORT', minWidth: 20 },
  { heading: 'TXT', minWidth: 3 },
  { heading: 'SOURCE' },
]

/** `earshot services`: the services that the peers offer. */
export async function services(options: ServicesOptions, context: Context): Promise<void> {
  const { output } = context
  const { wide, 'no-headers': bare = false } = options
  const found = await askForServices(options, context)
  if (found.services.length === 0) await warnIfNoPeersHeard(context.daemon(options), context)
  if (options.json) return await output.write(printableJson(found, 2))
  const services = [...found.services].sort(byName)
  if (options.parsable) {
    return await output.write(...avahiBrowseLines(services.map((service) => ({ service, peer: service.peer }))))
  }
  const rows = services.map(cells)
  if (!output.terminal) return await output.write(...tabSeparated(COLUMNS, rows, { headings: !bare }))
  const { table } = await import('./text-columns.ts')
  await loadWidths(rows)
  const width = wide ? Number.POSITIVE_INFINITY : output.width
  const lines = rows.length > 0 ? table(COLUMNS, rows, { width, style: output.style, headings: !bare }) : []
  await output.write(...lines, output.style('dim', footer(rows.length)))
}

/** Asks for services; with `--where` for peers, because the API cannot filter services by the attributes of their peers. */
async function askForServices(options: ServicesOptions, context: Context): Promise<Services> {
  const { type } = options
  if (type !== undefined && dnsTypes(type).length === 0) {
    throw new UsageError(`TYPE: expected a service type such as http, osc/udp or _http._tcp, found "${type}"`)
  }
  const { state, self = false, attributes, source } = peerFilter(options)
  const peerQuery = {
    self,
    ...(type !== undefined && { service: type }),
    ...(state && { state }),
    ...(attributes && { attributes }),
    source,
  }
  const serviceQuery = { self, source, ...(type !== undefined && { type }), ...(state && { state }) }
  const fromPeers = (peers: Peers): Services => servicesOf(peers, type)
  const daemon = context.daemon(options)
  const { signal } = context
  const ask = async () =>
    attributes ? fromPeers(await daemon.peers(peerQuery, { signal })) : await daemon.services(serviceQuery, { signal })
  return await askOrListen(ask, peerQuery, fromPeers, options, context)
}

/** The services of these peers, in the shape of the API's list of services. */
function servicesOf({ epoch, index, peers }: Peers, type: string | undefined): Services {
  const matches = serviceMatcher(type)
  const services = peers.flatMap(({ services, id, name, state, hostname, addresses }) =>
    services.filter(matches).map((service) => ({ ...service, peer: { id, name, state, hostname, addresses } })),
  )
  return { epoch, index, services }
}

function cells({ name, type, port, txt, source, addresses, peer }: PeerService): string[] {
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

function byName(one: PeerService, other: PeerService): number {
  return compareNames(one.name, other.name) || compareNames(one.peer.name, other.peer.name) || one.port - other.port
}

function footer(count: number): string {
  return count === 0 ? 'no services' : `${count} ${count === 1 ? 'service' : 'services'}`
}
