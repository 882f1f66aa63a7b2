import { Type } from 'typebox'
import { parseDuration } from '../config/duration.ts'
import { BadRequest } from '../errors.ts'
import { ServiceEntrySchema, serviceOf } from '../services/entry.ts'
import { ServiceSchema } from '../wire/record.ts'
import { ErrorRef, type Offer, OwnServiceRef, ServicesSchema } from './api.ts'
import type { App, AppContext } from './app.ts'
import { checkBody } from './bodies.ts'
import { LIST_DESCRIPTION, LIST_PARAMETERS, ListHeaders, NOT_MODIFIED, sendList } from './list-routes.ts'
import type { Lists } from './lists.ts'
import { NameParameter, StateParameter } from './peer-routes.ts'
import { servicesAsked } from './service-filter.ts'
import { offerJson, ownServiceJson } from './views.ts'

const SHORTEST_TTL_MS = 1000
const LONGEST_TTL_MS = 24 * 3_600_000
const TTL = 'a duration from 1s to 24h such as 30s or 5m'

const Values = (description: string) =>
  Type.Optional(Type.Array(Type.String({ maxLength: 256 }), { maxItems: 64, description }))

const ServicesQuery = Type.Object(
  {
    type: Values('Is of this type: `http` (over TCP or UDP), `http/tcp` or `_http._tcp`'),
    name: NameParameter,
    peer: Values('Is offered by this peer: its id, its name, or how its id begins (four characters or more)'),
    state: StateParameter,
    ...LIST_PARAMETERS,
  },
  { additionalProperties: false },
)

const { id: _id, ...entry } = ServiceEntrySchema.properties
const ServiceParams = Type.Object({
  id: Type.Unsafe<string>({
    ...ServiceSchema.properties.id,
    expected: 'an id of 1 to 64 printable ASCII characters, no spaces',
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
        expected: TTL,
      }),
    ),
  },
  { additionalProperties: false, expected: 'an object with type and port' },
)

/** The calls that tell of services, and those that register and withdraw this peer's own. */
export function serviceRoutes(app: App, { station }: AppContext, lists: Lists): void {
  const { catalogue } = station

  app.get(
    '/v1/services',
    {
      schema: {
        operationId: 'services',
        summary: 'The services, filtered, each with the peer that offers it',
        description: LIST_DESCRIPTION,
        querystring: ServicesQuery,
        headers: ListHeaders,
        response: { 200: ServicesSchema, 304: NOT_MODIFIED, '4xx': ErrorRef, 503: ErrorRef },
      },
    },
    async ({ query, raw }, reply) => {
      const { since, wait, self, ...filter } = query
      const asked = servicesAsked(filter, station)
      const offers = (peer: Parameters<typeof asked>[0]) => asked(peer).map((service) => offerJson(service, peer))
      const answer = await lists.answer(
        {
          query: `services ${JSON.stringify(filter)}`,
          parameters: { since, wait, self },
          concerns: (before, after) => !isSame(before ? offers(before) : [], offers(after)),
          list: (peers) => ({ services: peers.flatMap(offers) }),
        },
        raw,
        reply.raw,
      )
      return sendList(reply, answer)
    },
  )

  app.put(
    '/v1/services/:id',
    {
      validatorCompiler: checkBody,
      schema: {
        operationId: 'putService',
        summary: 'Registers a service of this peer, changes it, or renews it',
        params: ServiceParams,
        body: ServiceBody,
        response: { 200: OwnServiceRef, 201: OwnServiceRef, '4xx': ErrorRef, 507: ErrorRef },
      },
    },
    async ({ params: { id }, body: { ttl, ...entry } }, reply) => {
      const service = serviceOf(entry, { id, name: station.reader.self().name })
      const { service: own, created, isToKeep } = catalogue.put(id, service, readTtl(ttl))
      // What was answered is kept, also when the daemon is killed right after.
      if (isToKeep) await catalogue.saved()
      reply.code(created ? 201 : 200)
      return ownServiceJson(own, station.wallClock.bind(station))
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
        response: { 204: Type.Null({ description: 'It is withdrawn' }), '4xx': ErrorRef, 507: ErrorRef },
      },
    },
    async ({ params }, reply) => {
      const { isToKeep } = catalogue.remove(params.id)
      if (isToKeep) await catalogue.saved()
      reply.code(204)
      return null
    },
  )
}

/** A peer's attributes, say, are no part of what it offers. */
function isSame(before: readonly Offer[], after: readonly Offer[]): boolean {
  if (before.length !== after.length) return false
  return before.length === 0 || JSON.stringify(before) === JSON.stringify(after)
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
