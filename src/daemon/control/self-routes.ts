import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { Type } from 'typebox'
import { AttributesSchema as RecordAttributesSchema, ServiceSchema, TextSchema } from '../../core/wire/record.ts'
import { AttributesRef, ErrorRef, HealthRef, OwnServiceRef } from '../../shared/api.ts'
import { NoSuchService, ServiceHeld } from '../../shared/errors.ts'
import { SelfRef } from '../../shared/self-api.ts'
import { type OwnService, sourceOf } from '../services/own-services.ts'
import { ServiceEntrySchema, serviceOf } from '../services/service-entry.ts'
import { ownServiceJson, selfJson } from './api-json.ts'
import type { App, ControlDependencies, ListenAddresses } from './context.ts'
import { IfNoneMatch, matchesStrongly, matchesWeakly } from './etags.ts'
import { NOT_MODIFIED } from './list-responses.ts'
import { bodyValidator, type DurationRange, JSON_TYPES, readDuration } from './request-input.ts'

const [ATTRIBUTE_KEY = ''] = Object.keys(RecordAttributesSchema.patternProperties)
const AttributesPatch = Type.Record(
  Type.String({ pattern: ATTRIBUTE_KEY }),
  Type.Union([TextSchema, Type.Number(), Type.Boolean(), Type.Null()], {
    'x-expected':
      'a text of at most 1024 characters, a number, true, false, or null to remove it (no unpaired surrogates in a text)',
  }),
  { additionalProperties: false, 'x-expected': 'keys of 1 to 64 printable ASCII characters, no spaces' },
)

const TTL_RANGE: DurationRange = {
  min: 1000,
  max: 24 * 3_600_000,
  expected: 'a duration from 1s to 24h such as 30s or 5m',
}
const MAX_OWNER_CHARACTERS = 128

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
const PutHeaders = Type.Object({
  'if-match': IfMatch,
  'if-none-match': Type.Optional(Type.String({ description: '`*`: 412 if there is a service with this id' })),
})
const DeleteHeaders = Type.Object({ 'if-match': IfMatch })
/** The routes for the daemon's own peer: its state, its attributes and its services. */
export function selfRoutes(app: App, deps: ControlDependencies, listening: ListenAddresses): void {
  const { presence, catalogue } = deps
  const wallClock = deps.wallClock.bind(deps)

  app.get(
    '/v1/services/:id',
    {
      validatorCompiler: bodyValidator,
      schema: {
        operationId: 'service',
        summary: 'Shows a service of this peer, and who registered it',
        params: ServiceParams,
        headers: IfNoneMatch,
        response: { 200: OwnServiceRef, 304: NOT_MODIFIED, '4xx': ErrorRef },
      },
    },
    async ({ params: { id }, headers }, reply) => {
      const service = catalogue.get(id)
      if (!service) throw new NoSuchService(id)
      const etag = serviceEtag(service)
      const known = headers['if-none-match']
      reply.header('etag', etag).header('cache-control', 'no-cache')
      if (known !== undefined && matchesWeakly(known, etag)) {
        reply.code(304)
        return null
      }
      return ownServiceJson(service, wallClock)
    },
  )

  app.put(
    '/v1/services/:id',
    {
      validatorCompiler: bodyValidator,
      schema: {
        operationId: 'putService',
        summary: 'Registers, changes or renews a service of this peer',
        description:
          'A program should send its name in the header User-Agent: others who want the same id will see it. ' +
          'With `If-None-Match: *` or `If-Match`, a program does not overwrite what another has registered.',
        params: ServiceParams,
        headers: PutHeaders,
        body: ServiceBody,
        response: { 200: OwnServiceRef, 201: OwnServiceRef, '4xx': ErrorRef, 507: ErrorRef },
      },
    },
    async ({ params: { id }, headers, raw, body: { ttl, ...entry } }, reply) => {
      const service = serviceOf(entry, { id, name: catalogue.peerName })
      const ttlMs = ttl === undefined ? undefined : readDuration(ttl, 'body/ttl', TTL_RANGE)
      const options = { owner: ownerOf(raw.headers), usesPeerName: entry.name === undefined }
      checkPreconditions(headers, id, catalogue.get(id))
      const { service: own, created, needsSave } = catalogue.put(id, service, ttlMs, options)
      // What was confirmed must survive a crash.
      if (needsSave) await catalogue.saved()
      reply.code(created ? 201 : 200).header('etag', serviceEtag(own))
      return ownServiceJson(own, wallClock)
    },
  )

  app.delete(
    '/v1/services/:id',
    {
      validatorCompiler: bodyValidator,
      schema: {
        operationId: 'deleteService',
        summary: 'Withdraws a service of this peer',
        params: ServiceParams,
        headers: DeleteHeaders,
        response: { 204: Type.Null({ description: 'Withdrawn' }), '4xx': ErrorRef, 507: ErrorRef },
      },
    },
    async ({ params: { id }, headers }, reply) => {
      checkPreconditions(headers, id, catalogue.get(id))
      const { needsSave } = catalogue.remove(id)
      if (needsSave) await catalogue.saved()
      reply.code(204)
      return null
    },
  )

  app.get(
    '/v1/self',
    { schema: { operationId: 'self', summary: 'Shows this daemon', response: { 200: SelfRef, '4xx': ErrorRef } } },
    () => selfJson(deps, listening),
  )

  app.patch(
    '/v1/self/attributes',
    {
      validatorCompiler: bodyValidator,
      schema: {
        operationId: 'patchAttributes',
        summary: "Changes this peer's attributes",
        description: 'A JSON merge patch (RFC 7396): null removes an attribute, attributes that are not named stay.',
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
        summary: 'Tells whether the daemon answers',
        response: { 200: HealthRef, '4xx': ErrorRef },
      },
    },
    () => ({ status: 'ok' as const, peers: presence.self().limits.peers.now, epoch: deps.epoch }),
  )
}

/** The name that a program gives itself (RFC 9110, section 10.1.5), in printable ASCII. */
function ownerOf(headers: IncomingHttpHeaders): string | undefined {
  const text = headers['user-agent']
    ?.replace(/[^ -~]/g, '?')
    .trim()
    .slice(0, MAX_OWNER_CHARACTERS)
  return text || undefined
}

/**
 * The entity tag of a service of this peer (RFC 9110, section 8.8.3). It changes with the service and its owner, but not when the
 * service is renewed.
 */
function serviceEtag({ id, name, type, port, txt, subtypes, source, file, owner }: OwnService): string {
  const facts = JSON.stringify([id, name, type, port, txt, subtypes, source, file, owner])
  return `"${createHash('sha256').update(facts).digest('base64url').slice(0, 22)}"`
}

/**
 * Checks `If-Match` and `If-None-Match` (RFC 9110, sections 13.1.1 and 13.1.2) before a service is changed or withdrawn.
 * Does nothing for a service from a file or the config file: the catalogue refuses to change it in any case.
 * @param service the service with this id, if there is one
 * @throws ServiceHeld
 */
function checkPreconditions(headers: IncomingHttpHeaders, id: string, service: OwnService | undefined): void {
  if (service && service.source !== 'api') return
  const match = headers['if-match']
  const noneMatch = headers['if-none-match']
  if (match !== undefined && !(service && matchesStrongly(match, serviceEtag(service)))) {
    throw new ServiceHeld(
      service
        ? `service '${id}' was meanwhile registered by ${sourceOf(service)}`
        : `service '${id}' is not registered`,
    )
  }
  if (service && noneMatch !== undefined && matchesWeakly(noneMatch, serviceEtag(service))) {
    throw new ServiceHeld(`service '${id}' is registered already, by ${sourceOf(service)} (take another id)`)
  }
}
