import type { Service } from '../../core/wire/record.ts'
import { suggestion } from '../../shared/did-you-mean.ts'
import { BadService } from '../../shared/errors.ts'
import { checkEntry } from './check.ts'
import { serviceOf, slug } from './entry.ts'
import type { FileFacts } from './service-file.ts'
import { type Element, readXml } from './xml.ts'

const KNOWN: Readonly<Record<string, readonly string[]>> = {
  'service-group': ['name', 'service'],
  service: ['type', 'subtype', 'domain-name', 'host-name', 'port', 'txt-record'],
}

/**
 * The services of one of Avahi's files (avahi.service(5)), which are a group under one name.
 * @throws BadService, which names the element at fault
 */
export function readAvahiFile(text: string, base: string, facts: FileFacts): Service[] {
  const group = readXml(text)
  if (group.name !== 'service-group') {
    throw new BadService(`expected <service-group>, found <${group.name}>`)
  }
  refuseUnknown(group)
  const name = groupName(group, facts)
  const found = all(group, 'service')
  if (found.length === 0) throw new BadService('<service> is missing')
  const services = found.map((element, position) => {
    try {
      return readService(element, name, found.length === 1 ? base : undefined, facts)
    } catch (error) {
      if (!(error instanceof BadService) || found.length === 1) throw error
      throw new BadService(`service ${position + 1}: ${error.message}`)
    }
  })
  return found.length === 1 ? services : withIds(services, base)
}

function readService(element: Element, name: string, id: string | undefined, facts: FileFacts): Service {
  refuseUnknown(element)
  oneOf(element, 'protocol', ['any', 'ipv4', 'ipv6'])
  refuseOtherHost(only(element, 'host-name')?.text.trim() ?? '', facts)
  const type = only(element, 'type')?.text.trim()
  if (type === undefined) throw new BadService('<type> is missing')
  const port = only(element, 'port')?.text.trim() ?? '0'
  const entry = checkEntry({
    name,
    type,
    port: /^\d{1,9}$/.test(port) ? Number(port) : port,
    txt: txtOf(all(element, 'txt-record')),
    subtypes: all(element, 'subtype').map(({ text }) => text.trim().replace(/\._sub\..*$/s, '')),
  })
  return serviceOf(entry, { name, id })
}

function groupName(group: Element, { hostname }: FileFacts): string {
  const element = only(group, 'name')
  if (!element) throw new BadService('<name> is missing')
  const replaces = oneOf(element, 'replace-wildcards', ['no', 'yes']) === 'yes'
  const name = element.text.trim()
  return replaces ? name.replaceAll('%h', shortHost(hostname)) : name
}

/** Several services of one file are told apart by their types, in which a group's services differ as a rule. */
function withIds(services: readonly Service[], base: string): Service[] {
  const seen = new Map<string, number>()
  return services.map((service) => {
    const id = `${base}.${slug(service.type)}`.slice(-64)
    const count = (seen.get(id) ?? 0) + 1
    seen.set(id, count)
    return { ...service, id: count === 1 ? id : `${id.slice(0, 60)}.${count}` }
  })
}

/** Of a key given twice the first counts, whatever its case (RFC 6763, section 6.4). */
function txtOf(records: readonly Element[]): Record<string, string> {
  const pairs = new Map<string, [string, string]>()
  for (const record of records) {
    if (record.text === '') continue
    const [, key = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(record.text) ?? []
    const folded = key.toLowerCase()
    if (!pairs.has(folded)) pairs.set(folded, [key, decoded(record, key, value)])
  }
  return Object.fromEntries(pairs.values())
}

function decoded(record: Element, key: string, value: string): string {
  const format = oneOf(record, 'value-format', ['text', 'binary-hex', 'binary-base64'])
  if (format === 'text') return value
  const written = value.trim()
  const encoding = format === 'binary-hex' ? 'hex' : 'base64'
  const bytes = Buffer.from(written, encoding)
  const rewritten = bytes.toString(encoding)
  // Node's decoder passes over what it cannot read.
  if (rewritten.replace(/=+$/, '') !== (encoding === 'hex' ? written.toLowerCase() : written.replace(/=+$/, ''))) {
    throw new BadService(`txt.${key}: '${value}' is not ${encoding}`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new BadService(`txt.${key}: these bytes are no UTF-8 text, and a record carries nothing else`)
  }
}

/** A service on another machine is not this peer's: others would look for it here. */
function refuseOtherHost(host: string, { hostname }: FileFacts): void {
  const plain = (name: string) => name.replace(/\.$/, '').toLowerCase()
  const own = [hostname, shortHost(hostname), `${shortHost(hostname)}.local`].map(plain)
  if (host === '' || own.includes(plain(host))) return
  throw new BadService(`<host-name> is '${host}', and a peer tells of its own services only (run earshotd there)`)
}

function shortHost(hostname: string): string {
  return hostname.split('.')[0] ?? hostname
}

function all({ children }: Element, name: string): Element[] {
  return children.filter((child) => child.name === name)
}

function only(element: Element, name: string): Element | undefined {
  const [first, second] = all(element, name)
  if (second) throw new BadService(`<${name}> is given twice`)
  return first
}

/** The value of an attribute, by default the first of the possible ones. */
function oneOf({ attributes, name }: Element, attribute: string, possible: readonly string[]): string {
  const value = attributes[attribute] ?? possible[0] ?? ''
  if (possible.includes(value)) return value
  throw new BadService(`<${name}>: expected ${attribute} to be one of ${possible.join(', ')}, found '${value}'`)
}

function refuseUnknown({ name, children }: Element): void {
  const known = KNOWN[name] ?? []
  const unknown = children.find((child) => !known.includes(child.name))
  if (unknown) throw new BadService(`unknown element <${unknown.name}>${suggestion(unknown.name, known)}`)
}
