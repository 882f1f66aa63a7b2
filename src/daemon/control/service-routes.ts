import { Type } from 'typebox'
import { ErrorRef, type Offer, ServicesRef } from '../../shared/api.ts'
import type { App, AppContext } from './app.ts'
import { LIST_DESCRIPTION, LIST_PARAMETERS, ListHeaders, NOT_MODIFIED, sendList } from './list-routes.ts'
import type { Lists } from './lists.ts'
import { NameParameter, StateParameter } from './peer-routes.ts'
import { servicesAsked } from './service-filter.ts'
import { SourceParameter } from './source.ts'
import { offerJson } from './views.ts'

const Values = (description: string) =>
  Type.Optional(Type.Array(Type.String({ maxLength: 256 }), { maxItems: 64, description }))

const ServicesQuery = Type.Object(
  {
    type: Values('Is of this type: `http` (over TCP or UDP), `http/tcp` or `_http._tcp`'),
    name: NameParameter,
    peer: Values('Is offered by this peer: its id, its name, or how its id begins (four characters or more)'),
    state: StateParameter,
    source: SourceParameter,
    ...LIST_PARAMETERS,
  },
  { additionalProperties: false },
)

/** The call that tells of services. */
export function serviceRoutes(app: App, { station }: AppContext, lists: Lists): void {
  app.get(
    '/v1/services',
    {
      schema: {
        operationId: 'services',
        summary: 'The services, filtered, each with the peer that offers it',
        description: LIST_DESCRIPTION,
        querystring: ServicesQuery,
        headers: ListHeaders,
        response: { 200: ServicesRef, 304: NOT_MODIFIED, '4xx': ErrorRef, 503: ErrorRef },
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
}

/** A peer's attributes, say, are no part of what it offers. */
function isSame(before: readonly Offer[], after: readonly Offer[]): boolean {
  if (before.length !== after.length) return false
  return before.length === 0 || JSON.stringify(before) === JSON.stringify(after)
}
