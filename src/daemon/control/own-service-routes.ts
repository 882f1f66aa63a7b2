import type { IncomingHttpHeaders } from 'node:http'
import { Type } from 'typebox'
import { ServiceSchema } from '../../core/wire/record.ts'
import { ErrorRef, OwnServiceRef } from '../../shared/api.ts'
import { parseDuration } from '../../shared/duration.ts'
import { BadRequest, NoSuchService } from '../../shared/errors.ts'
import { ServiceEntrySchema, serviceOf } from '../services/service-entry.ts'
import type { App, AppContext } from './app.ts'
import { checkBody } from './bodies.ts'
import { NOT_MODIFIED } from './list-routes.ts'
import { checkPreconditions, names, serviceTag } from './service-tag.ts'
import { ownServiceJson } from './views.ts'

const SHORTEST_TTL_MS = 1000
const LONGEST_TTL_MS = 24 * 3_600_000
const TTL = 'a duration from 1s to 24h such as 30s or 5m'
const MOST_OWNER_CHARACTERS = 128

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
        description: 'It is withdrawn when it is not put again for so long: 1s to 24h. It stays unless given',
        examples: ['30s'],
        'x-expected': TTL,
      }),
    ),
  },
  { additionalProperties: false, 'x-expected': 'an object with type and port' },
)

const IfMatch = Type.Optional(
  Type.String({ description: 'Only while the service has this ETag (412 otherwise); `*`: only if it is registered' }),
)
const PutHeaders = Type.Object({
  'if-match': IfMatch,
  'if-none-match': Type.Optional(Type.String({ description: '`*`: only if no service has this id (412 otherwise)' })),
})
const DeleteHeaders = Type.Object({ 'if-match': IfMatch })
const GetHeaders = Type.Object({
  'if-none-match': Type.Optional(Type.String({ description: 'The ETag of the answer held: 304 if it still holds' })),
})

/** The calls that register, tell and withdraw a service of this peer. */
export function ownServiceRoutes(app: App, { station }: AppContext): void {
  const { catalogue } = station
  const wallClock = station.wallClock.bind(station)

  /** @throws ServiceHeld */
  function checkRegistered(headers: IncomingHttpHeaders, id: string): void {
    const held = catalogue.get(id)
    // What is set elsewhere can never be changed here, which the catalogue says.
    if (!held || held.source === 'api') checkPreconditions(headers, id, held)
  }

  app.get(
    '/v1/services/:id',
    {
      validatorCompiler: checkBody,
      schema: {
        operationId: 'service',
        summary: 'A service of this peer, and who registered it',
        params: ServiceParams,
        headers: GetHeaders,
        response: { 200: OwnServiceRef, 304: NOT_MODIFIED, '4xx': ErrorRef },
      },
    },
    async ({ params: { id }, headers }, reply) => {
      const held = catalogue.get(id)
      if (!held) throw new NoSuchService(id)
      reply.header('etag', serviceTag(held)).header('cache-control', 'no-cache')
      if (headers['if-none-match'] !== undefined && names(headers['if-none-match'], held)) {
        reply.code(304)
        return null
      }
      return ownServiceJson(held, wallClock)
    },
  )

  app.put(
    '/v1/services/:id',
    {
      validatorCompiler: checkBody,
      schema: {
        operationId: 'putService',
        summary: 'Registers a service of this peer, changes it, or renews it',
        description:
          'The program may name itself in the header User-Agent: it is told to others who want the same id. ' +
          'With `If-None-Match: *` or `If-Match` nobody overwrites what another has registered.',
        params: ServiceParams,
        headers: PutHeaders,
        body: ServiceBody,
        response: { 200: OwnServiceRef, 201: OwnServiceRef, '4xx': ErrorRef, 507: ErrorRef },
      },
    },
    async ({ params: { id }, headers, raw, body: { ttl, ...entry } }, reply) => {
      const service = serviceOf(entry, { id, name: station.reader.self().name })
      const ttlMs = readTtl(ttl)
      const options = { owner: ownerOf(raw.headers), usesPeerName: entry.name === undefined }
      checkRegistered(headers, id)
      const { service: own, created, needsSave } = catalogue.put(id, service, ttlMs, options)
      // What was answered is kept, also when the daemon is killed right after.
      if (needsSave) await catalogue.saved()
      reply.code(created ? 201 : 200).header('etag', serviceTag(own))
      return ownServiceJson(own, wallClock)
    },
  )

  app.delete(
    '/v1/services/:id',
    {
      validatorCompiler: checkBody,
      schema: {
        operationId: 'deleteService',
        summary: 'Withdraws a service of this peer',
        params: ServiceParams,
        headers: DeleteHeaders,
        response: { 204: Type.Null({ description: 'It is withdrawn' }), '4xx': ErrorRef, 507: ErrorRef },
      },
    },
    async ({ params: { id }, headers }, reply) => {
      checkRegistered(headers, id)
      const { needsSave } = catalogue.remove(id)
      if (needsSave) await catalogue.saved()
      reply.code(204)
      return null
    },
  )
}

/** @throws BadRequest */
function readTtl(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (ms === undefined || ms < SHORTEST_TTL_MS || ms > LONGEST_TTL_MS) {
    throw new BadRequest(`body/ttl must be ${TTL}, not '${text}'`)
  }
  return ms
}

/** What a program calls itself (RFC 9110, section 10.1.5), on one line. */
function ownerOf(headers: IncomingHttpHeaders): string | undefined {
  const text = headers['user-agent']
    ?.replace(/[^ -~]/g, '?')
    .trim()
    .slice(0, MOST_OWNER_CHARACTERS)
  return text || undefined
}
