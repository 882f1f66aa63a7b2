import { XMLParser } from 'fast-xml-parser'
import type { Service } from '../../core/wire/record-schema.ts'
import { suggestion } from '../../shared/did-you-mean.ts'
import { BadService } from '../../shared/errors.ts'
import { slug } from '../../shared/service-names.ts'
import { checkEntry, MAX_ID_LENGTH, serviceOf } from './service-entry.ts'

/** What service files refer to. */
export interface FileContext {
  /** The peer's name: the default name of its services. */
  name: string
  hostname: string
}

const KNOWN_CHILDREN: Readonly<Record<string, readonly string[]>> = {
  'service-group': ['name', 'service'],
  service: ['type', 'subtype', 'domain-name', 'host-name', 'port', 'txt-record'],
}

/**
 * Parses a service file of Avahi (avahi.service(5)): a group of services with one name.
 * @param base the file's name without `.service`, from which the ids are made
 * @throws BadService, which names the wrong element
 */
export function readAvahiFile(text: string, base: string, context: FileContext): Service[] {
  const group = parseXml(text)
  if (group.name !== 'service-group') {
    throw new BadService(`expected <service-group>, found <${group.name}>`)
  }
  refuseUnknown(group)
  const name = groupName(group, context)
  const found = childrenOf(group, 'service')
  if (found.length === 0) throw new BadService('<service> is missing')
  const services = found.map((element, position) => {
    try {
      return readService(element, name, found.length === 1 ? base : undefined, context)
    } catch (error) {
      if (!(error instanceof BadService) || found.length === 1) throw error
      throw new BadService(`service ${position + 1}: ${error.message}`)
    }
  })
  return found.length === 1 ? services : withIds(services, base)
}

function readService(element: Element, name: string, id: string | undefined, context: FileContext): Service {
  refuseUnknown(element)
  oneOf(element, 'protocol', ['any', 'ipv4', 'ipv6'])
  refuseOtherHost(atMostOne(element, 'host-name')?.text.trim() ?? '', context)
  const type = atMostOne(element, 'type')?.text.trim()
  if (type === undefined) throw new BadService('<type> is missing')
  const port = atMostOne(element, 'port')?.text.trim() ?? '0'
  const entry = checkEntry({
    name,
    type,
    port: /^\d{1,9}$/.test(port) ? Number(port) : port,
    txt: txtOf(childrenOf(element, 'txt-record')),
    subtypes: childrenOf(element, 'subtype').map(({ text }) => text.trim().replace(/\._sub\..*$/s, '')),
  })
  return serviceOf(entry, { name, id })
}

function groupName(group: Element, { hostname }: FileContext): string {
  const element = atMostOne(group, 'name')
  if (!element) throw new BadService('<name> is missing')
  const replaces = oneOf(element, 'replace-wildcards', ['no', 'yes']) === 'yes'
  const name = element.text.trim()
  return replaces ? name.replaceAll('%h', shortHost(hostname)) : name
}

/** Gives the services of a group ids made of the file's name and their types, which usually differ. */
function withIds(services: readonly Service[], base: string): Service[] {
  const seen = new Map<string, number>()
  return services.map((service) => {
    const id = `${base}.${slug(service.type, MAX_ID_LENGTH)}`.slice(-MAX_ID_LENGTH)
    const count = (seen.get(id) ?? 0) + 1
    seen.set(id, count)
    return { ...service, id: count === 1 ? id : `${id.slice(0, 60)}.${count}` }
  })
}

/** If a key occurs twice, in any case, the first one counts (RFC 6763, section 6.4). */
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
  // Node's decoder skips invalid characters.
  if (rewritten.replace(/=+$/, '') !== (encoding === 'hex' ? written.toLowerCase() : written.replace(/=+$/, ''))) {
    throw new BadService(`txt.${key}: '${value}' is not ${encoding}`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new BadService(`txt.${key}: the value is not UTF-8 text, which a record requires`)
  }
}

/** A peer publishes its own services only: other peers look for them at its addresses. */
function refuseOtherHost(host: string, { hostname }: FileContext): void {
  const plain = (name: string) => name.replace(/\.$/, '').toLowerCase()
  const own = [hostname, shortHost(hostname), `${shortHost(hostname)}.local`].map(plain)
  if (host === '' || own.includes(plain(host))) return
  throw new BadService(`<host-name> is '${host}', and a peer publishes its own services only (run earshotd there)`)
}

function shortHost(hostname: string): string {
  return hostname.split('.')[0] ?? hostname
}

function childrenOf({ children }: Element, name: string): Element[] {
  return children.filter((child) => child.name === name)
}

function atMostOne(element: Element, name: string): Element | undefined {
  const [first, second] = childrenOf(element, name)
  if (second) throw new BadService(`<${name}> is given twice`)
  return first
}

/** The value of an attribute, by default the first of the `allowed` values. */
function oneOf({ attributes, name }: Element, attribute: string, allowed: readonly string[]): string {
  const value = attributes[attribute] ?? allowed[0] ?? ''
  if (allowed.includes(value)) return value
  throw new BadService(`<${name}>: expected ${attribute} to be one of ${allowed.join(', ')}, found '${value}'`)
}

function refuseUnknown({ name, children }: Element): void {
  const known = KNOWN_CHILDREN[name] ?? []
  const unknown = children.find((child) => !known.includes(child.name))
  if (unknown) throw new BadService(`unknown element <${unknown.name}>${suggestion(unknown.name, known)}`)
}

/** An element of an XML document, without comments, and with references resolved. */
interface Element {
  name: string
  attributes: Readonly<Record<string, string>>
  children: Element[]
  /** The text directly in the element, with CDATA sections. */
  text: string
}

// The entities that XML itself defines (section 4.6). Declared ones are ignored, so that they cannot expand without limit.
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const REFERENCE = /&(?:#(\d{1,7})|#x([0-9A-Fa-f]{1,6})|([^;]*));/g
const TEXT_KEY = '#text'
const ATTRIBUTES_KEY = ':@'

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  entityDecoder: {
    decode: (text) => text.replace(REFERENCE, resolveReference),
    setExternalEntities() {},
    addInputEntities() {},
    setXmlVersion() {},
    reset() {},
  },
})

/** Parses a document. @throws BadService, with line and column where the parser reports them */
function parseXml(text: string): Element {
  const [root, ...more] = elements(parsedNodes(text))
  if (!root || more.length > 0) throw new BadService('expected exactly one top-level element')
  return root
}

function parsedNodes(text: string): unknown {
  try {
    return parser.parse(text, true)
  } catch (error) {
    if (error instanceof BadService || !(error instanceof Error)) throw error
    const [, reason, line, column] = /^(.*):(\d+):(\w+)$/s.exec(error.message) ?? []
    throw new BadService(reason === undefined ? error.message : `line ${line}, column ${column}: ${reason}`)
  }
}

function resolveReference(reference: string, decimal?: string, hexadecimal?: string, name = ''): string {
  const point = decimal ? Number(decimal) : hexadecimal ? Number.parseInt(hexadecimal, 16) : undefined
  const character = point === undefined ? ENTITIES[name] : point <= 0x10ffff ? String.fromCodePoint(point) : undefined
  if (character === undefined) throw new BadService(`unknown reference '${reference}'`)
  return character
}

/** The parser returns an array of objects, each with two keys: the element's name, and `:@` for its attributes. */
function elements(nodes: unknown): Element[] {
  return nodeList(nodes).flatMap((node) => {
    const { [ATTRIBUTES_KEY]: attributes = {}, [TEXT_KEY]: text, ...rest } = node
    const [[name, children] = []] = Object.entries(rest)
    if (text !== undefined || name === undefined) return []
    return [
      { name, attributes: attributes as Record<string, string>, children: elements(children), text: textOf(children) },
    ]
  })
}

function textOf(nodes: unknown): string {
  return nodeList(nodes)
    .map(({ [TEXT_KEY]: text = '' }) => String(text))
    .join('')
}

function nodeList(nodes: unknown): Record<string, unknown>[] {
  return Array.isArray(nodes) ? nodes : []
}
