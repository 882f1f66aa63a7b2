import { type Static, Type } from 'typebox'
import { NameSchema, type Service, ServiceSchema, TextSchema } from '../../core/wire/record.ts'
import { BadService } from '../../shared/errors.ts'

/** Most bytes that a TXT string `key=value` may have: its length is told in one byte (RFC 6763, section 6.1). */
const TXT_BYTES = 255

/**
 * RFC 6335, section 5.1: at most 15 letters, digits and hyphens, one letter at least, and no hyphen at either end or beside
 * another. What others announce need not keep to it.
 */
const TYPE_NAME = '(?=[A-Za-z0-9-]{1,15}(?![A-Za-z0-9-]))(?=[0-9-]*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*'

const { id, port, subtypes } = ServiceSchema.properties

/** A service as people and programs write it: shorter than the record's form, and with defaults. */
export const ServiceEntrySchema = Type.Object(
  {
    id: Type.Optional(
      Type.Unsafe<string>({ ...id, 'x-expected': 'an id of 1 to 64 printable ASCII characters, no spaces' }),
    ),
    name: Type.Optional(
      Type.Unsafe<string>({
        ...NameSchema,
        'x-expected': 'a name of 1 to 63 characters without control characters and unpaired surrogates',
      }),
    ),
    type: Type.String({
      pattern: `^(${TYPE_NAME}|_${TYPE_NAME}\\._(tcp|udp))$`,
      'x-expected':
        'a type such as http or _http._tcp (at most 15 letters, digits and single hyphens, one letter at least)',
    }),
    protocol: Type.Optional(Type.Enum(['tcp', 'udp'], { 'x-expected': 'tcp or udp' })),
    port: Type.Unsafe<number>({ ...port, 'x-expected': 'a port from 0 to 65535' }),
    txt: Type.Optional(
      Type.Record(
        // The record's keys but for the sign that ends a key in a TXT string.
        Type.String({ pattern: '^(?!__proto__$)[!-<>-~]{1,64}$' }),
        Type.Union([TextSchema, Type.Number(), Type.Boolean()], {
          'x-expected': 'a text of at most 1024 characters (no unpaired surrogates), a number or a boolean',
        }),
        {
          additionalProperties: false,
          'x-expected': 'keys of 1 to 64 printable ASCII characters, no spaces and no =',
        },
      ),
    ),
    subtypes: Type.Optional(
      Type.Unsafe<string[]>({ ...subtypes, 'x-expected': 'at most 16 names of 1 to 63 characters' }),
    ),
  },
  { additionalProperties: false, 'x-expected': 'a table with type and port' },
)
export type ServiceEntry = Static<typeof ServiceEntrySchema>

/** What holds for a service that does not say it itself. */
export interface ServiceDefaults {
  /** The peer's name. */
  name: string
  /** Undefined: a slug of the service's own name, or else of its type. */
  id?: string | undefined
}

/**
 * The service as the record carries it: type `http` becomes `_http._tcp`, and everything has a value.
 * @throws BadService when `protocol` contradicts a type written in full, two TXT keys are the same but for their case, or
 * a TXT string is longer than 255 bytes
 */
export function serviceOf(entry: ServiceEntry, defaults: ServiceDefaults): Service {
  const type = fullType(entry)
  refuseSameKeys(Object.keys(entry.txt ?? {}))
  return {
    id: entry.id ?? defaults.id ?? (slug(entry.name ?? '') || slug(type)),
    name: entry.name ?? defaults.name,
    type,
    port: entry.port,
    txt: Object.fromEntries(Object.entries(entry.txt ?? {}).map(([key, value]) => [key, txtValue(key, String(value))])),
    subtypes: [...(entry.subtypes ?? [])],
  }
}

function fullType({ type, protocol }: ServiceEntry): string {
  if (!type.startsWith('_')) return `_${type}._${protocol ?? 'tcp'}`
  if (protocol !== undefined && !type.endsWith(`._${protocol}`)) {
    throw new BadService(`protocol: expected the protocol of type '${type}', found "${protocol}"`)
  }
  return type
}

/** Who reads TXT strings compares their keys without regard to case, and takes the first (RFC 6763, section 6.4). */
function refuseSameKeys(keys: readonly string[]): void {
  const seen = new Map<string, string>()
  for (const key of keys) {
    const other = seen.get(key.toLowerCase())
    if (other !== undefined) {
      throw new BadService(
        `txt.${key}: it differs from txt.${other} in case only (RFC 6763, section 6.4: they are one key)`,
      )
    }
    seen.set(key.toLowerCase(), key)
  }
}

function txtValue(key: string, value: string): string {
  const bytes = Buffer.byteLength(`${key}=${value}`)
  if (bytes <= TXT_BYTES) return value
  throw new BadService(
    `txt.${key}: key and value have ${bytes} bytes with the = between them, and ${TXT_BYTES} is the most (RFC 6763, section 6.1)`,
  )
}

/** A name in lower case, its accents dropped, everything but ASCII letters and digits as single hyphens; empty when none is left. */
export function slug(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 64)
    .replace(/^-|-$/g, '')
}
