import { type Static, Type } from 'typebox'
import { NameSchema, type Service, ServiceSchema } from '../wire/record.ts'

const { id, port, txt, subtypes } = ServiceSchema.properties

/** A service as people write it in the config file: shorter than the record's form, and with defaults. */
export const ServiceEntrySchema = Type.Object(
  {
    id: Type.Optional(
      Type.Unsafe<string>({ ...id, expected: 'an id of 1 to 64 printable ASCII characters, no spaces' }),
    ),
    name: Type.Unsafe<string>({ ...NameSchema, expected: 'a name of 1 to 63 characters without control characters' }),
    type: Type.String({
      pattern: '^([A-Za-z0-9-]{1,15}|_[A-Za-z0-9-]{1,15}\\._(tcp|udp))$',
      expected: 'a type such as http or _http._tcp (at most 15 letters, digits and hyphens)',
    }),
    protocol: Type.Optional(Type.Enum(['tcp', 'udp'], { expected: 'tcp or udp' })),
    port: Type.Unsafe<number>({ ...port, expected: 'a port from 0 to 65535' }),
    txt: Type.Optional(
      Type.Record(
        Type.String({ pattern: Object.keys(txt.patternProperties)[0] ?? '' }),
        Type.Union([Type.String({ maxLength: 1024 }), Type.Number(), Type.Boolean()], {
          expected: 'a text of at most 1024 characters, a number or a boolean',
        }),
        {
          additionalProperties: false,
          expected: 'keys of 1 to 64 printable ASCII characters, no spaces',
        },
      ),
    ),
    subtypes: Type.Optional(Type.Unsafe<string[]>({ ...subtypes, expected: 'at most 16 names of 1 to 63 characters' })),
  },
  { additionalProperties: false, expected: 'a table with name, type and port' },
)
export type ServiceEntry = Static<typeof ServiceEntrySchema>

/**
 * The service as the record carries it: type `http` becomes `_http._tcp`, the id defaults to a slug of the name.
 * Undefined when `protocol` contradicts a type written in full.
 */
export function serviceOf(entry: ServiceEntry): Service | undefined {
  const full = entry.type.startsWith('_')
  if (full && entry.protocol !== undefined && !entry.type.endsWith(`._${entry.protocol}`)) return undefined
  const type = full ? entry.type : `_${entry.type}._${entry.protocol ?? 'tcp'}`
  return {
    id: entry.id ?? (slug(entry.name) || slug(type)),
    name: entry.name,
    type,
    port: entry.port,
    txt: Object.fromEntries(Object.entries(entry.txt ?? {}).map(([key, value]) => [key, String(value)])),
    subtypes: [...(entry.subtypes ?? [])],
  }
}

/** A name in lower case, its accents dropped, everything but ASCII letters and digits as single hyphens. */
function slug(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 64)
    .replace(/^-|-$/g, '')
}
