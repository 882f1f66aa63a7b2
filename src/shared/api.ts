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
const ServiceSchema = Type.Object(SERVICE)
export type Service = Static<typeof ServiceSchema>

export const OwnServiceSchema = Type.Object(
  {
    ...SERVICE,
    source: Type.Enum(['api', 'file', 'config'], { description: 'Only there can it be changed or withdrawn' }),
    file: Type.Optional(Type.String({ description: 'The file it comes from' })),
    owner: Type.Optional(
      Type.String({ description: 'The program that registered it, as it calls itself in the header User-Agent' }),
    ),
    expiresAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'It is withdrawn then unless it is renewed; absent when it stays',
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
    address: Type.String({ description: 'Link-local IPv6 with its zone: fe80::1%eth0' }),
    family: Family,
    interface: Type.String({ description: 'The interface of this machine that leads there' }),
  }),
)

const OFFERED = {
  ...SERVICE,
  source: Type.Optional(
    Type.Literal('mdns', { description: "Found by mDNS; absent of what stands in its peer's signed record" }),
  ),
  addresses: Type.Optional({
    ...Addresses,
    description:
      'Of one that mDNS adds to a peer that beacons: where it is, which need not be all of the peer’s addresses. Absent: the peer’s',
  }),
}
export const OfferedServiceSchema = Type.Object(OFFERED, { $id: 'OfferedService' })
export type OfferedService = Static<typeof OfferedServiceSchema>
const OfferedServiceRef = refer<OfferedService>('OfferedService')

export const PeerSchema = Type.Object(
  {
    id: Type.String({
      description: '26 characters of base32, the first 8 of which serve people; of one found by mDNS, its host name',
      examples: ['k3vq7m2xa4nbt5cd6ryhw2jzqe', 'printer.local'],
    }),
    name: Type.String(),
    state: State,
    source: Type.Enum(['beacon', 'mdns'], {
      description: 'By what it is known: its signed beacons, or, unproven, mDNS alone',
    }),
    hostname: Type.String(),
    addresses: Addresses,
    services: Type.Array(OfferedServiceRef),
    attributes: Attributes,
    version: Type.String({ description: "Version of the peer's earshot; empty when it tells of none" }),
    incarnation: Type.Integer({ description: "Higher at every start of the peer's daemon; 0 of one found by mDNS" }),
    recordVersion: Type.Integer(),
    intervalMs: Type.Number({ description: 'It beats this often; 0: it does not' }),
    firstSeen: Timestamp,
    lastSeen: Timestamp,
    paths: Type.Array(
      Type.Object({
        interface: Type.String(),
        path: Type.Enum([...PATHS, 'mdns']),
        address: Type.Optional(Type.String({ description: 'It was heard from there; absent by mDNS' })),
        lastHeard: Timestamp,
      }),
    ),
    beacons: Type.Object({ heard: Type.Integer(), lost: Type.Integer() }),
    jitterMs: Type.Number({ description: 'Interarrival jitter of its beats (RFC 3550, section 6.4.1)' }),
    rttMs: Type.Optional(Type.Number({ description: 'Last round trip of a probe; absent before the first' })),
    flapping: Type.Boolean({
      description: 'It changes state so often that its returns are not told as events until it has settled',
    }),
    history: Type.Array(Type.Object({ at: Timestamp, state: State }), { description: 'The newest last' }),
    hidden: Type.Optional(
      Type.Object(
        {
          id: Type.String({ description: 'The peer that it is taken for, or the daemon’s own' }),
          name: Type.String(),
          because: Type.Enum(['claim', 'address'], {
            description: 'It says itself that it is that peer, or has an address that the peer’s beacons come from',
          }),
        },
        { description: 'Of a host found by mDNS that is not listed; absent of all others' },
      ),
    ),
  },
  { $id: 'Peer' },
)
export type Peer = Static<typeof PeerSchema>
export const PeerRef = refer<Peer>('Peer')

export const Epoch = Type.String({ description: 'New at every start of the daemon' })
export const Index = Type.Integer({
  description: 'Rises by one with every change of the registry, also with the few that are not told as events',
})

export const PeersSchema = Type.Object({ epoch: Epoch, index: Index, peers: Type.Array(PeerRef) }, { $id: 'Peers' })
export type Peers = Static<typeof PeersSchema>
export const PeersRef = refer<Peers>('Peers')

export const EventSchema = Type.Object(
  {
    type: Type.Enum(['peer', 'peer-up', 'peer-update', 'peer-suspect', 'peer-failed', 'peer-left'], {
      description: '`peer` tells a part of the present state, every other a change',
    }),
    index: Type.Integer({ description: 'The change; of a `peer`, the registry as it stood when this was told' }),
    at: Timestamp,
    peer: PeerRef,
  },
  { $id: 'Event' },
)
export type Event = Static<typeof EventSchema>
export const EventRef = refer<Event>('Event')

const Offerer = Type.Object(
  { id: Type.String(), name: Type.String(), state: State, hostname: Type.String(), addresses: Addresses },
  { description: 'The peer that offers it' },
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
  { $id: 'ServiceEvent', description: 'What a change of a peer, told just before, means for one of its services' },
)
export type ServiceEvent = Static<typeof ServiceEventSchema>
export const ServiceEventRef = refer<ServiceEvent>('ServiceEvent')

export const SyncSchema = Type.Object(
  { type: Type.Literal('sync'), epoch: Epoch, index: Index, at: Timestamp },
  { $id: 'Sync', description: 'The reader now knows everything up to `index`' },
)
export type Sync = Static<typeof SyncSchema>
export const SyncRef = refer<Sync>('Sync')

export const GapSchema = Type.Object(
  { type: Type.Literal('gap'), epoch: Epoch, index: Index, at: Timestamp },
  { $id: 'Gap', description: 'Changes were missed: forget what you held; the present state and a `sync` follow' },
)
export type Gap = Static<typeof GapSchema>
export const GapRef = refer<Gap>('Gap')

export const AttributesSchema = Type.Object({ attributes: Attributes }, { $id: 'Attributes' })
export const AttributesRef = refer<Static<typeof AttributesSchema>>('Attributes')

export const ProbeSchema = Type.Object(
  {
    peer: Type.Object({ id: Type.String(), name: Type.String() }),
    rttMs: Type.Number({ description: 'Round-trip time' }),
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

export const ErrorSchema = Type.Object(
  {
    statusCode: Type.Integer(),
    code: Type.String({ description: 'Stable', examples: ['EARSHOT_NO_SUCH_PEER'] }),
    error: Type.String({ description: "The status code's name" }),
    message: Type.String({ description: 'For people: may be bettered' }),
  },
  { $id: 'Error' },
)
export type ApiError = Static<typeof ErrorSchema>
export const ErrorRef = refer<ApiError>('Error')

export const HealthSchema = Type.Object(
  { status: Type.Enum(['ok']), peers: Type.Integer({ description: 'Held, in whatever state' }), epoch: Epoch },
  { $id: 'Health' },
)
export const HealthRef = refer<Static<typeof HealthSchema>>('Health')
