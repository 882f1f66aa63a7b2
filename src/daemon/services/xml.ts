import { XMLParser } from 'fast-xml-parser'
import { BadService } from '../../shared/errors.ts'

/** An element of an XML document, its comments gone and its references resolved. */
export interface Element {
  name: string
  attributes: Readonly<Record<string, string>>
  children: Element[]
  /** All text directly in it, CDATA sections included. */
  text: string
}

// What XML itself defines (section 4.6): what a document declares is not looked at, so that nothing can be blown up.
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const REFERENCE = /&(?:#(\d{1,7})|#x([0-9A-Fa-f]{1,6})|([^;]*));/g
const TEXT = '#text'
const ATTRIBUTES = ':@'

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  entityDecoder: {
    decode: (text) => text.replace(REFERENCE, resolved),
    setExternalEntities() {},
    addInputEntities() {},
    setXmlVersion() {},
    reset() {},
  },
})

/** Reads a document. @throws BadService, with line and column where they are known */
export function readXml(text: string): Element {
  const [root, ...more] = elements(parse(text))
  if (!root || more.length > 0) throw new BadService('expected one element that holds all others')
  return root
}

function parse(text: string): unknown {
  try {
    return parser.parse(text, true)
  } catch (error) {
    if (error instanceof BadService || !(error instanceof Error)) throw error
    const [, reason, line, column] = /^(.*):(\d+):(\w+)$/s.exec(error.message) ?? []
    throw new BadService(reason === undefined ? error.message : `line ${line}, column ${column}: ${reason}`)
  }
}

function resolved(reference: string, decimal?: string, hexadecimal?: string, name = ''): string {
  const point = decimal ? Number(decimal) : hexadecimal ? Number.parseInt(hexadecimal, 16) : undefined
  const character = point === undefined ? ENTITIES[name] : point <= 0x10ffff ? String.fromCodePoint(point) : undefined
  if (character === undefined) throw new BadService(`unknown reference '${reference}'`)
  return character
}

/** The parser gives an array of objects, each with the element's name as its key, and its attributes under another. */
function elements(nodes: unknown): Element[] {
  return list(nodes).flatMap((node) => {
    const { [ATTRIBUTES]: attributes = {}, [TEXT]: text, ...rest } = node
    const [[name, children] = []] = Object.entries(rest)
    if (text !== undefined || name === undefined) return []
    return [
      { name, attributes: attributes as Record<string, string>, children: elements(children), text: textOf(children) },
    ]
  })
}

function textOf(nodes: unknown): string {
  return list(nodes)
    .map(({ [TEXT]: text = '' }) => String(text))
    .join('')
}

function list(nodes: unknown): Record<string, unknown>[] {
  return Array.isArray(nodes) ? nodes : []
}
