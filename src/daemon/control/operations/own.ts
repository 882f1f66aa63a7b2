import { Type } from 'typebox'
import { AttributesSchema, ServiceSchema, TextSchema } from '../../../core/wire/record-schema.ts'
import { AttributesRef, ErrorRef, HealthRef, OwnServiceRef } from '../../../shared/api.ts'
import { SelfRef } from '../../../shared/self-api.ts'
import { ServiceEntrySchema } from '../../services/service-schema.ts'
import { IfNoneMatch, NOT_MODIFIED, type OperationSchema } from './parameters.ts'
import { JSON_TYPES, TTL_RANGE } from './request-values.ts'

/** The operations on the daemon's own peer: its state, its attributes and its services. */

const [ATTRIBUTE_KEY = ''] = Object.keys(AttributesSchema.patternProperties)
const AttributesPatch = Type.Record(
  Type.String({ pattern: ATTRIBUTE_KEY }),
  Type.Union([TextSchema, Type.Number(), Type.Boolean(), Type.Null()], {
    'x-expected':
      'a text of at most 1024 characters, a number, true, false, or null to remove it (no unpaired surrogates in a text)',
  }),
  { additionalProperties: false, 'x-expected': 'keys of 1 to 64 printable ASCII characters, no spaces' },
)

const { id: _id, ...entry } = ServiceEntrySchema.properties
const ServiceParams = Type.Object({
  id: Type.Unsafe<string>({
    ...ServiceSchema.properties.id,
    'x-expected': 'an id of 1 to 64 printable ASCII characters, no spaces',
  }),
})
const ServiceBody = Type.Object(
  {
    ...entry,
    ttl: Type.Optional(
      Type.String({
        maxLength: 32,
        description: 'The service is withdrawn after this time unless it is put again: 1s to 24h. Default: it stays',
        examples: ['30s'],
        'x-expected': TTL_RANGE.expected,
      }),
    ),
  },
  { additionalProperties: false, 'x-expected': 'an object with type and port' },
)

const IfMatch = Type.Optional(
  Type.String({ description: '412 unless the service has this ETag; `*`: unless it is registered' }),
)

export const ownOperations = {
  service: {
    method: 'GET',
    url: '/v1/services/:id',
    summary: 'Shows a service of this peer, and who registered it',
    params: ServiceParams,
    headers: IfNoneMatch,
    response: { 200: OwnServiceRef, 304: NOT_MODIFIED, '4xx': ErrorRef },
  },
  putService: {
    method: 'PUT',
    url: '/v1/services/:id',
    summary: 'Registers, changes or renews a service of this peer',
    description:
      'A program should send its name in the header User-Agent: others who want the same id will see it. ' +
      'With `If-None-Match: *` or `If-Match`, a program does not overwrite what another has registered.',
    params: ServiceParams,
    headers: Type.Object({
      'if-match': IfMatch,
      'if-none-match': Type.Optional(Type.String({ description: '`*`: 412 if there is a service with this id' })),
    }),
    body: ServiceBody,
    response: { 200: OwnServiceRef, 201: OwnServiceRef, '4xx': ErrorRef, 507: ErrorRef },
  },
  deleteService: {
    method: 'DELETE',
    url: '/v1/services/:id',
    summary: 'Withdraws a service of this peer',
    params: ServiceParams,
    headers: Type.Object({ 'if-match': IfMatch }),
    response: { 204: Type.Null({ description: 'Withdrawn' }), '4xx': ErrorRef, 507: ErrorRef },
  },
  self: {
    method: 'GET',
    url: '/v1/self',
    summary: 'Shows this daemon',
    response: { 200: SelfRef, '4xx': ErrorRef },
  },
  patchAttributes: {
    method: 'PATCH',
    url: '/v1/self/attributes',
    summary: "Changes this peer's attributes",
    description: 'A JSON merge patch (RFC 7396): null removes an attribute, attributes that are not named stay.',
    consumes: JSON_TYPES,
    body: AttributesPatch,
    response: { 200: AttributesRef, '4xx': ErrorRef, 507: ErrorRef },
  },
  health: {
    method: 'GET',
    url: '/healthz',
    summary: 'Tells whether the daemon answers',
    response: { 200: HealthRef, '4xx': ErrorRef },
  },
} as const satisfies Record<string, OperationSchema>
