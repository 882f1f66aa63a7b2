import { Type } from 'typebox'
import { ErrorRef, PeerRef, PeersRef } from '../../shared/api.ts'
import type { App, AppContext } from './app.ts'
import { peersAsked } from './filter.ts'
import { flag } from './flag.ts'
import { LIST_DESCRIPTION, LIST_PARAMETERS, ListHeaders, NOT_MODIFIED, sendList } from './list-routes.ts'
import type { Lists } from './lists.ts'
import { SourceParameter } from './source.ts'
import { thePeer } from './the-peer.ts'
import { peerJson } from './views.ts'

const Values = Type.Array(Type.String({ maxLength: 1024 }), { maxItems: 64 })
export const ServiceParameter = Type.Optional(
  Type.Array(Type.String({ maxLength: 128 }), {
    maxItems: 64,
    description: 'Offers a service of this type: `http` (over TCP or UDP), `http/tcp` or `_http._tcp`',
  }),
)
export const NameParameter = Type.Optional(
  Type.Array(Type.String({ maxLength: 256 }), { maxItems: 64, description: 'Bears this very name' }),
)
export const StateParameter = Type.Optional(
  Type.Array(Type.String({ maxLength: 64 }), {
    maxItems: 64,
    description:
      'alive, suspect, failed, left or all; may be repeated or separated by commas. alive,suspect unless given',
  }),
)

export const PeerReference = Type.Object({
  reference: Type.String({ description: 'Its id, its name, or how its id begins (four characters or more)' }),
})

const PeersQuery = Type.Object(
  {
    service: ServiceParameter,
    name: NameParameter,
    state: StateParameter,
    source: SourceParameter,
    hidden: flag('Whether hosts of mDNS are among them that are not listed, since each is taken for a peer'),
    ...LIST_PARAMETERS,
  },
  {
    additionalProperties: false,
    // `attr.KEY=VALUE`: the peer has the attribute KEY, and it is written VALUE.
    patternProperties: { '^attr\\.[^]': Values },
  },
)

/** The calls that tell of peers as they are now. */
export function peerRoutes(app: App, { station }: AppContext, lists: Lists): void {
  const wallClock = station.wallClock.bind(station)

  app.get(
    '/v1/peers',
    {
      schema: {
        operationId: 'peers',
        summary: 'The peers, filtered',
        description: `\`attr.KEY=VALUE\` asks for an attribute, for example \`attr.status=idle\`. ${LIST_DESCRIPTION}`,
        querystring: PeersQuery,
        headers: ListHeaders,
        response: { 200: PeersRef, 304: NOT_MODIFIED, '4xx': ErrorRef, 503: ErrorRef },
      },
    },
    async ({ query, raw }, reply) => {
      const { since, wait, self, hidden, ...filter } = query
      const asked = peersAsked(filter)
      const answer = await lists.answer(
        {
          query: `peers ${JSON.stringify(filter)}`,
          parameters: { since, wait, self, hidden },
          concerns: (before, after) => asked(after) !== undefined || (before && asked(before)) !== undefined,
          list: (peers) => ({
            peers: peers.flatMap((view) => asked(view) ?? []).map((view) => peerJson(view, wallClock)),
          }),
        },
        raw,
        reply.raw,
      )
      return sendList(reply, answer)
    },
  )

  app.get(
    '/v1/peers/:reference',
    {
      schema: {
        operationId: 'peer',
        summary: 'One peer, in whatever state',
        params: PeerReference,
        querystring: Type.Object({ source: SourceParameter }, { additionalProperties: false }),
        response: { 200: PeerRef, '4xx': ErrorRef },
      },
    },
    ({ params, query }) => peerJson(thePeer(params.reference, station, query.source), wallClock),
  )
}
