import { Type } from 'typebox'
import { AttributesSchema as RecordAttributesSchema, TextSchema } from '../../core/wire/record.ts'
import { AttributesRef, ErrorRef, HealthRef } from '../../shared/api.ts'
import { SelfRef } from '../../shared/self-api.ts'
import type { App, AppContext } from './app.ts'
import { checkBody, JSON_TYPES } from './bodies.ts'
import { selfJson } from './views.ts'

const [KEY = ''] = Object.keys(RecordAttributesSchema.patternProperties)
const AttributesPatch = Type.Record(
  Type.String({ pattern: KEY }),
  Type.Union([TextSchema, Type.Number(), Type.Boolean(), Type.Null()], {
    'x-expected':
      'a text of at most 1024 characters, a number, true, false, or null to remove it (no unpaired surrogates in a text)',
  }),
  { additionalProperties: false, 'x-expected': 'keys of 1 to 64 printable ASCII characters, no spaces' },
)

/** The calls that are about this daemon. */
export function selfRoutes(app: App, { station, listening }: AppContext): void {
  const { reader, catalogue } = station

  app.get(
    '/v1/self',
    { schema: { operationId: 'self', summary: 'This daemon', response: { 200: SelfRef, '4xx': ErrorRef } } },
    () => selfJson(station, listening),
  )

  app.patch(
    '/v1/self/attributes',
    {
      validatorCompiler: checkBody,
      schema: {
        operationId: 'patchAttributes',
        summary: "Changes this peer's attributes",
        description: 'A JSON merge patch (RFC 7396): null removes an attribute, those not named stay.',
        consumes: JSON_TYPES,
        body: AttributesPatch,
        response: { 200: AttributesRef, '4xx': ErrorRef, 507: ErrorRef },
      },
    },
    async ({ body }) => {
      const attributes = catalogue.patchAttributes(body)
      await catalogue.saved()
      return { attributes }
    },
  )

  app.get(
    '/healthz',
    {
      schema: {
        operationId: 'health',
        summary: 'Whether the daemon answers',
        response: { 200: HealthRef, '4xx': ErrorRef },
      },
    },
    () => ({ status: 'ok' as const, peers: reader.self().limits.peers.now, epoch: station.epoch }),
  )
}
