import type { Self } from '../client/index.ts'
import { counted, fields, limitText, section } from './layout.ts'
import { typeText } from './peer-text.ts'
import { printable } from './printable.ts'
import type { Style } from './style.ts'

type Mdns = NonNullable<Self['mdns']>

/** How this machine is seen by mDNS, under which names, and what it looks for there. */
export function mdnsSection({ mdns, services, name }: Self, style: Style): string[] {
  if (!mdns) return section('mDNS', ['  off'], style)
  const { hostname, publications, interfaces, browsing, limits, counters } = mdns
  const { received, sent, dropped } = counters
  const wanted = new Map(services.map((service) => [service.id, service.name]))
  const lines = fields([
    ['host', printable(hostname)],
    ['names', publications.map((each) => publicationText(each, wanted.get(each.id) ?? name, style))],
    ['looks for', browsing.map(typeText).join(' ')],
    ['faults', interfaces.flatMap((on) => faultTexts(on, style))],
    ['messages', `${counted(received)} received, ${counted(sent)} sent, ${counted(dropped)} dropped`],
    ['hosts', sharedLimitText(limits.hosts, style)],
    ['services', sharedLimitText(limits.services, style)],
    ['txt', sharedLimitText(limits.txtBytes, style, ' bytes')],
  ])
  return section('mDNS', lines, style)
}

/** No single source address may fill more than a quarter. */
function sharedLimitText(limit: Mdns['limits']['hosts'], style: Style, unit = ''): string {
  const text = limitText(limit, style, unit)
  if (limit.full.length === 0) return text
  return `${text}${style('yellow', `, no more from ${limit.full.map(printable).join(', ')}: one address may fill a quarter`)}`
}

/** Paths on which mDNS cannot be spoken, and why. */
function faultTexts({ name, paths }: Mdns['interfaces'][number], style: Style): string[] {
  return paths.flatMap(({ path, fault }) =>
    fault === undefined ? [] : [style('red', `${printable(name)} ${path}: ${printable(fault)}`)],
  )
}

/** What is taken on the network, or by another service of this machine, has a number behind it. */
function publicationText({ name, type, state }: Mdns['publications'][number], wanted: string, style: Style): string {
  const isNumbered = name !== wanted && / \(\d+\)$/.test(name)
  const instead = isNumbered ? style('yellow', `, as '${printable(wanted)}' is taken`) : ''
  const how = state === 'elsewhere' ? 'published by another program on this machine' : state
  return `${printable(name)}, ${typeText(type)}: ${how}${instead}`
}
