import { type Static, Type } from 'typebox'
import { NameSchema, ServiceSchema, TextSchema } from '../../core/wire/record-schema.ts'

/** The schema of services in the form in which people and programs write them. */

/**
 * RFC 6335, section 5.1: 1 to 15 letters, digits and hyphens, at least one letter, no hyphen at either end or next to
 * another hyphen. Services of other hosts may break this rule.
 */
const TYPE_NAME = '(?=[A-Za-z0-9-]{1,15}(?![A-Za-z0-9-]))(?=[0-9-]*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*'

const { id, port, subtypes } = ServiceSchema.properties

/** A service as people and programs write it: shorter than in a record, and with defaults. */
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
        // As in a record, without the `=`, which ends a key in a TXT string.
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
