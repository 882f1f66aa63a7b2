import { Type } from 'typebox'
import { AmbiguousPeer, NoSuchPeer } from '../errors.ts'
import type { PeerView, SelfView } from '../presence/types.ts'
import { ErrorRef, HealthSchema, PeerRef, PeersSchema, SelfRef } from './api.ts'
import type { App, AppContext } from './app.ts'
import { peersTest } from './filter.ts'
import { LongAnswers } from './long-answers.ts'
import type { Station } from './station.ts'
import { ownPeer, peerJson, selfJson } from './views.ts'

const FEWEST_PREFIX_CHARACTERS = 4
const MOST_IDS_LISTED = 8

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

const PeersQuery = Type.Object(
  {
    service: ServiceParameter,
    name: NameParameter,
    state: Type.Optional(
      Type.Array(Type.String({ maxLength: 64 }), {
        maxItems: 64,
        description:
          'alive, suspect, failed, left or all; may be repeated or separated by commas. alive,suspect unless given',
      }),
    ),
    self: Type.Optional(
      Type.Enum(['0', '1', 'false', 'true'], { description: "Whether this daemon's own peer is among them" }),
    ),
  },
  {
    additionalProperties: false,
    // `attr.KEY=VALUE`: the peer has the attribute KEY, and it is written VALUE.
    patternProperties: { '^attr\\.[^]': Values },
  },
)

/** The calls that answer with what is known now. */
export function peerRoutes(app: App, { station, listening, cameThroughSocket }: AppContext): void {
  const { reader } = station
  // Counted apart: what any user of this machine does on loopback does not keep those off who may open the socket.
  const onSocket = new LongAnswers()
  const onLoopback = new LongAnswers()
  const wallClock = station.wallClock.bind(station)

  app.get(
    '/v1/peers',
    {
      schema: {
        operationId: 'peers',
        summary: 'The peers, filtered',
        description:
          'A parameter may be repeated: any of its values will do. Different parameters must all hold. ' +
          '`attr.KEY=VALUE` asks for an attribute, for example `attr.status=idle`.',
        querystring: PeersQuery,
        response: { 200: PeersSchema, '4xx': ErrorRef, 503: ErrorRef },
      },
    },
    ({ query, raw }, reply) => {
      const passes = peersTest(query)
      const answers = cameThroughSocket(raw.socket) ? onSocket : onLoopback
      answers.add(reply.raw)
      const held = query.self === '1' || query.self === 'true' ? [ownPeer(reader.self(), station)] : []
      const peers = [...held, ...reader.peers()].filter(passes).map((view) => peerJson(view, wallClock))
      return { epoch: station.epoch, index: reader.index, peers }
    },
  )

  app.get(
    '/v1/peers/:reference',
    {
      schema: {
        operationId: 'peer',
        summary: 'One peer, in whatever state',
        params: Type.Object({
          reference: Type.String({ description: 'Its id, its name, or how its id begins (four characters or more)' }),
        }),
        response: { 200: PeerRef, '4xx': ErrorRef },
      },
    },
    ({ params }) => peerJson(thePeer(params.reference, station), wallClock),
  )

  app.get(
    '/v1/self',
    { schema: { operationId: 'self', summary: 'This daemon', response: { 200: SelfRef, '4xx': ErrorRef } } },
    () => selfJson(station, listening),
  )

  app.get(
    '/healthz',
    {
      schema: {
        operationId: 'health',
        summary: 'Whether the daemon answers',
        response: { 200: HealthSchema, '4xx': ErrorRef },
      },
    },
    () => ({ status: 'ok' as const, peers: reader.self().limits.peers.now, epoch: station.epoch }),
  )
}

/**
 * The one peer that a reference means, the daemon's own if no other. Where several share a name, the one that is alive
 * is meant: a machine that was set up anew has left its old identity behind under the same name.
 * @throws NoSuchPeer, AmbiguousPeer
 */
function thePeer(reference: string, station: Station): PeerView {
  const found = station.reader.find(reference)
  const [first, ...others] = found
  if (!first) {
    const self = station.reader.self()
    if (meansSelf(reference, self)) return ownPeer(self, station)
    throw new NoSuchPeer(reference)
  }
  if (others.length === 0) return first

  const byName = found.some(({ id }) => !id.startsWith(reference.toLowerCase()))
  const alive = found.filter(({ state }) => state === 'alive')
  const [only] = alive
  if (byName && only && alive.length === 1) return only
  throw new AmbiguousPeer(reference, listIds(byName && only ? alive : found))
}

function meansSelf(reference: string, { id, name }: SelfView): boolean {
  return reference === name || (reference.length >= FEWEST_PREFIX_CHARACTERS && id.startsWith(reference.toLowerCase()))
}

function listIds(peers: PeerView[]): string {
  const ids = peers.map(({ id }) => id)
  const more = ids.length - MOST_IDS_LISTED
  return more > 0 ? `${ids.slice(0, MOST_IDS_LISTED).join(', ')} and ${more} more` : ids.join(', ')
}
