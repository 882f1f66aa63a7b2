import { type Static, Type } from 'typebox'
import { Attributes, anyKeys, Epoch, Family, Index, OwnServiceRef, Path, refer, Timestamp } from './api.ts'

/** The schema of `/v1/self`: what the daemon reports about itself. */

const Limit = Type.Object({ now: Type.Integer(), most: Type.Integer() })
const SharedLimit = Type.Object({
  now: Type.Integer(),
  most: Type.Integer(),
  full: Type.Array(Type.String(), {
    description: 'Source addresses that have used up their share, a quarter of `most`. More from them is ignored',
  }),
})
const Counts = anyKeys<number>({ type: 'integer' })

const Mdns = Type.Object(
  {
    hostname: Type.String({
      description: "The machine's host name in mDNS, or another one of the daemon's own if another host has that name",
      examples: ['kitchen.local', 'k3vq7m2xa4.local'],
    }),
    publications: Type.Array(
      Type.Object({
        id: Type.String({
          description:
            "The id of the service. `the daemon`, which is not a valid service id, for the daemon's own service",
        }),
        name: Type.String({
          description:
            'The instance name in use: the configured one, with a number appended if another host has that name',
          examples: ['Office (2)'],
        }),
        type: Type.String(),
        state: Type.Enum(['waiting', 'probing', 'published', 'elsewhere'], {
          description:
            '`waiting`: no interface can be used for mDNS, see `interfaces`; `elsewhere`: another mDNS program on this machine publishes the same service',
        }),
      }),
    ),
    interfaces: Type.Array(
      Type.Object({
        name: Type.String(),
        paths: Type.Array(
          Type.Object({
            path: Path,
            fault: Type.Optional(Type.String({ description: 'Why mDNS cannot send or receive on this path' })),
          }),
        ),
      }),
      { description: 'The interfaces in use, with the paths on which mDNS runs or should run' },
    ),
    browsing: Type.Array(Type.String(), { description: 'The service types that are browsed' }),
    limits: Type.Object({ hosts: SharedLimit, services: SharedLimit, txtBytes: SharedLimit }),
    counters: Type.Object({
      received: Type.Integer(),
      sent: Type.Integer(),
      dropped: Type.Integer(),
      unsent: Type.Integer({ description: 'Dropped because the send queue was full' }),
    }),
  },
  { description: 'null if mDNS is off' },
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
      description: 'The service files that cannot be used, and why',
    }),
    epoch: Epoch,
    index: Index,
    pid: Type.Integer(),
    startedAt: Timestamp,
    port: Type.Integer({ description: 'The UDP port of the beacons' }),
    socket: Type.String(),
    http: Type.Optional(Type.String({ examples: ['127.0.0.1:15353'], description: 'Absent if off' })),
    stateDir: Type.String(),
    stateFault: Type.Optional(
      Type.String({
        description: 'Why the state cannot be written to `stateDir`: a restart would lose it. Absent if it can',
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
              Type.String({
                format: 'date-time',
                description: 'When the daemon last received its own beat on this path',
              }),
            ),
            deaf: Type.Boolean({ description: 'The daemon no longer receives its own beats on this path' }),
            fault: Type.Optional(Type.String({ description: 'Why sending on this path fails' })),
          }),
        ),
      }),
    ),
    leftOut: Type.Array(
      Type.Object({
        name: Type.String(),
        cause: Type.Enum(['excluded', 'not-named', 'missing', 'no-address'], {
          description:
            '`missing`, `no-address`: the setting `interface` names it, but it does not exist or has no address',
        }),
        reason: Type.String({ description: 'For people' }),
        pattern: Type.Optional(Type.String({ description: 'The pattern in the setting `exclude` that matches' })),
        nearest: Type.Optional(
          Type.String({ description: 'The existing interface with the most similar name, if this one is missing' }),
        ),
      }),
      { description: 'The interfaces that are not used, and why' },
    ),
    counters: Type.Object({
      received: Counts,
      sent: Counts,
      refused: Counts,
      dropped: Type.Object(
        { unicast: Type.Integer(), shared: Type.Integer() },
        {
          description:
            'Datagrams dropped because the send queue was full: unicast, and broadcast or multicast (`shared`)',
        },
      ),
    }),
    limits: Type.Object({ peers: Limit, recordBytes: Limit }),
    mdns: Type.Union([Mdns, Type.Null()]),
  },
  { $id: 'Self' },
)
export type Self = Static<typeof SelfSchema>
export const SelfRef = refer<Self>('Self')
