import { type Static, Type } from 'typebox'
import { Attributes, anyKeys, Epoch, Family, Index, OwnServiceRef, Path, refer, Timestamp } from './api.ts'

/** The schema of `/v1/self`: what the daemon reports about itself. */

const Limit = Type.Object({ now: Type.Integer(), most: Type.Integer() })
const SharedLimit = Type.Object({
  now: Type.Integer(),
  most: Type.Integer(),
  full: Type.Array(Type.String(), {
    description: 'Source addresses of which more is passed over, as each of them has its share, a quarter of `most`',
  }),
})
const Counts = anyKeys<number>({ type: 'integer' })

const Mdns = Type.Object(
  {
    hostname: Type.String({
      description: "The machine's host name there, or one of the daemon's own where another has that",
      examples: ['kitchen.local', 'k3vq7m2xa4.local'],
    }),
    publications: Type.Array(
      Type.Object({
        id: Type.String({
          description: "The service's; `the daemon`, which is no service's id, of the daemon's own entry",
        }),
        name: Type.String({
          description:
            'The instance name in use: the wanted one, or with a number behind it when another host holds that',
          examples: ['Office (2)'],
        }),
        type: Type.String(),
        state: Type.Enum(['waiting', 'probing', 'published', 'elsewhere'], {
          description:
            '`waiting`: there is no interface on which mDNS can be spoken, see `interfaces`; `elsewhere`: another mDNS program on this machine publishes the same service',
        }),
      }),
    ),
    interfaces: Type.Array(
      Type.Object({
        name: Type.String(),
        paths: Type.Array(
          Type.Object({
            path: Path,
            fault: Type.Optional(Type.String({ description: 'Why nothing can be sent or heard there' })),
          }),
        ),
      }),
      { description: 'The interfaces in use, with the paths on which mDNS is spoken, or should be' },
    ),
    browsing: Type.Array(Type.String(), { description: 'Service types that are looked for' }),
    limits: Type.Object({ hosts: SharedLimit, services: SharedLimit, txtBytes: SharedLimit }),
    counters: Type.Object({
      received: Type.Integer(),
      sent: Type.Integer(),
      dropped: Type.Integer(),
      unsent: Type.Integer({ description: 'Dropped, as too many were waiting to be sent' }),
    }),
  },
  { description: 'null when it is off' },
)

export const SelfSchema = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    hostname: Type.String(),
    version: Type.String(),
    incarnation: Type.Integer(),
    recordVersion: Type.Integer(),
    intervalMs: Type.Number(),
    services: Type.Array(OwnServiceRef),
    attributes: Attributes,
    badFiles: Type.Array(Type.Object({ file: Type.String(), error: Type.String() }), {
      description: 'Service files that cannot be used, and why',
    }),
    epoch: Epoch,
    index: Index,
    pid: Type.Integer(),
    startedAt: Timestamp,
    port: Type.Integer({ description: 'UDP port of the beacons' }),
    socket: Type.String(),
    http: Type.Optional(Type.String({ examples: ['127.0.0.1:15353'], description: 'Absent when off' })),
    stateDir: Type.String(),
    stateFault: Type.Optional(
      Type.String({
        description:
          'Why what is to last cannot be written there now: a restart would lose it. Absent when all is well',
      }),
    ),
    interfaces: Type.Array(
      Type.Object({
        name: Type.String(),
        addresses: Type.Array(Type.Object({ address: Type.String(), family: Family })),
        paths: Type.Array(
          Type.Object({
            path: Path,
            lastEcho: Type.Optional(
              Type.String({ format: 'date-time', description: 'When it last heard itself there' }),
            ),
            deaf: Type.Boolean({ description: 'It no longer hears itself there' }),
            fault: Type.Optional(Type.String({ description: 'Why sending there fails' })),
          }),
        ),
      }),
    ),
    leftOut: Type.Array(
      Type.Object({
        name: Type.String(),
        cause: Type.Enum(['excluded', 'not-named', 'missing', 'no-address'], {
          description:
            '`missing` and `no-address`: named by the setting `interface`, and not there, or without an address',
        }),
        reason: Type.String({ description: 'For people' }),
        pattern: Type.Optional(Type.String({ description: 'The pattern of the setting `exclude` that it matches' })),
        nearest: Type.Optional(
          Type.String({ description: 'The interface that the name of a missing one most likely means' }),
        ),
      }),
      { description: 'Interfaces that are not used, and why' },
    ),
    counters: Type.Object({
      received: Counts,
      sent: Counts,
      refused: Counts,
      dropped: Type.Object(
        { unicast: Type.Integer(), shared: Type.Integer() },
        { description: 'Datagrams that were not sent, as too many were waiting: to one peer, and to everyone' },
      ),
    }),
    limits: Type.Object({ peers: Limit, recordBytes: Limit }),
    mdns: Type.Union([Mdns, Type.Null()]),
  },
  { $id: 'Self' },
)
export type Self = Static<typeof SelfSchema>
export const SelfRef = refer<Self>('Self')
