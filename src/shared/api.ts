import { type Static, Type } from 'typebox'
import { PEER_STATES } from './peer-state.ts'

/**
 * The schemas of the HTTP API. The daemon documents them in OpenAPI, and the client's types come from them. Within `/v1`,
 * fields may be added, and no field changes its meaning.
 */

export const Timestamp = Type.String({ format: 'date-time', description: 'ISO 8601, UTC' })
const State = Type.Enum([...PEER_STATES])
const PATHS = ['unicast', 'broadcast', 'multicast4', 'multicast6'] as const
export const Path = Type.Enum([...PATHS])
export const Family = Type.Enum(['ipv4', 'ipv6'])

/** An object with any keys. TypeBox's Record would add a pattern for the keys to the OpenAPI document. */
export function anyKeys<Value>(value: object) {
  return Type.Unsafe<Record<string, Value>>({ type: 'object', additionalProperties: value })
}

/** A reference to a schema by its `$id`. The schema is registered once and so has a name in the OpenAPI document. */
export function refer<Shape>(id: string) {
  return Type.Unsafe<Shape>({ $ref: `${id}#` })
}

const SERVICE = {
  id: Type.String(),
  name: Type.String({ description: 'Instance name, for people' }),
  type: Type.String({ description: 'DNS-SD type', examples: ['_http._tcp'] }),
  port: Type.Integer({ minimum: 0, maximum: 65535 }),
  txt: anyKeys<string>({ type: 'string' }),
  subtypes: Type.Array(Type.String()),
}
export const ServiceSchema = Type.Object(SERVICE)
export type Service = Static<typeof ServiceSchema>

export const OwnServiceSchema = Type.Object(
  {
    ...SERVICE,
    source: Type.Enum(['api', 'file', 'config'], {
      description: 'Where the service is defined. It can only be changed or withdrawn there',
    }),
    file: Type.Optional(Type.String({ description: 'The file that defines the service' })),
    owner: Type.Optional(
      Type.String({ description: 'The program that registered the service, from its header User-Agent' }),
    ),
    expiresAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'When the service is withdrawn unless it is renewed. Absent if it stays',
      }),
    ),
  },
  { $id: 'OwnService' },
)
export type OwnService = Static<typeof OwnServiceSchema>
export const OwnServiceRef = refer<OwnService>('OwnService')

export const Attributes = anyKeys<string | number | boolean>({ type: ['string', 'number', 'boolean'] })

const Addresses = Type.Array(
  Type.Object({
    address: Type.String({ description: 'A link-local IPv6 address has its zone: fe80::1%eth0' }),
    family: Family,
    interface: Type.String({ description: 'The interface of this machine through which the address is reached' }),
  }),
)

const OFFERED = {
  ...SERVICE,
  source: Type.Optional(
    Type.Literal('mdns', { description: "The service was found by mDNS. Absent if it is in the peer's signed record" }),
  ),
  addresses: Type.Optional({
    ...Addresses,
    description:
      'Only for a service found by mDNS on a peer that sends beacons: its addresses, which may be some of the peer’s. If absent, the peer’s',
  }),
}
export const OfferedServiceSchema = Type.Object(OFFERED, { $id: 'OfferedService' })
export type OfferedService = Static<typeof OfferedServiceSchema>
const OfferedServiceRef = refer<OfferedService>('OfferedService')

export const PeerSchema = Type.Object(
  {
    id: Type.String({
      description: '26 characters in base32; people use the first 8. For a host found by mDNS, its host name',
      examples: ['k3vq7m2xa4nbt5cd6ryhw2jzqe', 'printer.local'],
    }),
    name: Type.String(),
    state: State,
    source: Type.Enum(['beacon', 'mdns'], {
      description: 'How the peer was found: by its signed beacons, or by mDNS only, which proves nothing',
    }),
    hostname: Type.String(),
    addresses: Addresses,
    services: Type.Array(OfferedServiceRef),
    attributes: Attributes,
    version: Type.String({ description: "The version of the peer's earshot. Empty if unknown" }),
    incarnation: Type.Integer({
      description: "Rises with every start of the peer's daemon. 0 for a host found by mDNS",
    }),
    recordVersion: Type.Integer(),
    intervalMs: Type.Number({ description: 'The interval of its beats. 0 if it sends none' }),
    firstSeen: Timestamp,
    lastSeen: Timestamp,
    paths: Type.Array(
      Type.Object({
        interface: Type.String(),
        path: Type.Enum([...PATHS, 'mdns']),
        address: Type.Optional(Type.String({ description: 'The source address of its datagrams. Absent for mDNS' })),
        lastHeard: Timestamp,
      }),
    ),
    beacons: Type.Object({ heard: Type.Integer(), lost: Type.Integer() }),
    jitterMs: Type.Number({ description: 'The interarrival jitter of its beats (RFC 3550, section 6.4.1)' }),
    rttMs: Type.Optional(
      Type.Number({ description: 'The round-trip time of the last probe. Absent before the first' }),
    ),
    flapping: Type.Boolean({
      description: 'The peer changes state so often that its returns are not sent as events until it is stable again',
    }),
    history: Type.Array(Type.Object({ at: Timestamp, state: State }), { description: 'The newest is last' }),
    hidden: Type.Optional(
      Type.Object(
        {
          id: Type.String({
            description: 'The id of the peer that the host is taken for, or of the daemon’s own peer',
          }),
          name: Type.String(),
          because: Type.Enum(['claim', 'address'], {
            description:
              '`claim`: the host says that it is that peer; `address`: it has an address from which the peer’s beacons come',
          }),
        },
        { description: 'Only for a host found by mDNS that is not listed' },
      ),
    ),
  },
  { $id: 'Peer' },
)
export type Peer = Static<typeof PeerSchema>
export const PeerRef = refer<Peer>('Peer')

export const Epoch = Type.String({ description: 'New at every start of the daemon' })
export const Index = Type.Integer({
  description: 'Rises by one with every change of the registry, including the few that are not sent as events',
})

export const PeersSchema = Type.Object({ epoch: Epoch, index: Index, peers: Type.Array(PeerRef) }, { $id: 'Peers' })
export type Peers = Static<typeof PeersSchema>
export const PeersRef = refer<Peers>('Peers')

export const EventSchema = Type.Object(
  {
    type: Type.Enum(['peer', 'peer-up', 'peer-update', 'peer-suspect', 'peer-failed', 'peer-left'], {
      description: '`peer` is one peer of the present state; all others are changes',
    }),
    index: Type.Integer({
      description: 'The index of the change. For `peer`, the index of the registry when the event was written',
    }),
    at: Timestamp,
    peer: PeerRef,
  },
  { $id: 'Event' },
)
export type Event = Static<typeof EventSchema>
export const EventRef = refer<Event>('Event')

const Offerer = Type.Object(
  { id: Type.String(), name: Type.String(), state: State, hostname: Type.String(), addresses: Addresses },
  { description: 'The peer that offers the service' },
)

export const OfferSchema = Type.Object({ ...OFFERED, peer: Offerer }, { $id: 'Offer' })
export type Offer = Static<typeof OfferSchema>
const OfferRef = refer<Offer>('Offer')

export const ServicesSchema = Type.Object(
  { epoch: Epoch, index: Index, services: Type.Array(OfferRef) },
  { $id: 'Services' },
)
export type Services = Static<typeof ServicesSchema>
export const ServicesRef = refer<Services>('Services')

export const ServiceEventSchema = Type.Object(
  {
    type: Type.Enum(['service-up', 'service-update', 'service-down']),
    index: Index,
    at: Timestamp,
    service: OfferedServiceRef,
    peer: Offerer,
  },
  { $id: 'ServiceEvent', description: 'The change of a service. It follows the change of the peer that caused it' },
)
export type ServiceEvent = Static<typeof ServiceEventSchema>
export const ServiceEventRef = refer<ServiceEvent>('ServiceEvent')

export const SyncSchema = Type.Object(
  { type: Type.Literal('sync'), epoch: Epoch, index: Index, at: Timestamp },
  { $id: 'Sync', description: 'The client has all changes up to `index`' },
)
export type Sync = Static<typeof SyncSchema>
export const SyncRef = refer<Sync>('Sync')

export const GapSchema = Type.Object(
  { type: Type.Literal('gap'), epoch: Epoch, index: Index, at: Timestamp },
  { $id: 'Gap', description: 'Changes were missed: discard the old state. The present state and a `sync` follow' },
)
export type Gap = Static<typeof GapSchema>
export const GapRef = refer<Gap>('Gap')

export const AttributesSchema = Type.Object({ attributes: Attributes }, { $id: 'Attributes' })
export const AttributesRef = refer<Static<typeof AttributesSchema>>('Attributes')

export const ProbeSchema = Type.Object(
  {
    peer: Type.Object({ id: Type.String(), name: Type.String() }),
    rttMs: Type.Number({ description: 'The round-trip time' }),
  },
  { $id: 'Probe' },
)
export type Probe = Static<typeof ProbeSchema>
export const ProbeRef = refer<Probe>('Probe')

export const HostSchema = Type.Object(
  { hostname: Type.String({ examples: ['printer.local'] }), addresses: Addresses },
  { $id: 'Host' },
)
export type Host = Static<typeof HostSchema>
export const HostRef = refer<Host>('Host')

export const ApiErrorSchema = Type.Object(
  {
    statusCode: Type.Integer(),
    code: Type.String({ description: 'For programs: does not change', examples: ['EARSHOT_NO_SUCH_PEER'] }),
    error: Type.String({ description: 'The name of the status code' }),
    message: Type.String({ description: 'For people: the text may change' }),
  },
  { $id: 'Error' },
)
export type ApiError = Static<typeof ApiErrorSchema>
export const ErrorRef = refer<ApiError>('Error')

export const HealthSchema = Type.Object(
  {
    status: Type.Enum(['ok']),
    peers: Type.Integer({ description: 'The number of peers in the registry, in any state' }),
    epoch: Epoch,
  },
  { $id: 'Health' },
)
export const HealthRef = refer<Static<typeof HealthSchema>>('Health')
