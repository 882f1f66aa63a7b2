import type { PeerState } from '../../../shared/peer-state.ts'
import type { ServiceChangeType } from '../../../shared/service-changes.ts'
import type { AddressOnInterface, Interface, Path, SharedPath } from '../../link.ts'
import type { PeerId } from '../../wire/id.ts'
import type { AttributeValue, Service } from '../../wire/record-schema.ts'

/** A datagram to send: on a shared path of an interface, or to one address through it. */
export interface OutgoingDatagram {
  interface: string
  to: SharedPath | { address: string; port: number }
  bytes: Uint8Array
}

/** A shared path of one interface. */
export interface SharedPathOnInterface {
  interface: string
  path: SharedPath
}

/** The answer to a probe. `rtt` is the round-trip time in ms. */
export interface Echo {
  nonce: number
  rtt: number
}

/**
 * One thing that a host says about itself by mDNS: that it has an address, or that it offers a service. Without a type,
 * it is the name of its `_earshot._udp` service. Without a port, the port may be any.
 */
export type HostAssertion = { address: string; interface: string } | { name: string; type?: string; port?: number }

/** A service that a peer offers. */
export interface OfferedService extends Service {
  /** Set if the service was found by mDNS and is not in the signed record of the peer. */
  source?: 'mdns'
  /** For a service that mDNS added to a peer that sends beacons: the addresses of its mDNS host that the record of the peer contains too. */
  addresses?: PeerView['addresses']
}

/** An immutable snapshot of one peer. All times are monotonic ms. */
export interface PeerView {
  /** The peer id, or for a host found by mDNS its host name in lower case. */
  id: string
  name: string
  state: PeerState
  /** `beacon`: the peer sends signed beacons. `mdns`: it is known only by mDNS, and nothing about it is authenticated. */
  source: 'beacon' | 'mdns'
  hostname: string
  /** For a peer with beacons the addresses in its record. Those that its beats come from (see `paths`) are first. */
  addresses: AddressOnInterface[]
  services: OfferedService[]
  attributes: Record<string, AttributeValue>
  /** Version of the peer's software. */
  version: string
  incarnation: number
  recordVersion: number
  /** The beat interval, in ms. */
  interval: number
  firstSeen: number
  lastSeen: number
  /** The paths on which the peer was heard, and the source address on each. */
  paths: { interface: string; path: Path | 'mdns'; lastHeard: number; address?: string | undefined }[]
  beacons: { heard: number; lost: number }
  /** Interarrival jitter of the beats, in ms (RFC 3550, section 6.4.1). */
  jitter: number
  /** The round-trip time of the last probe, in ms. */
  rtt: number | undefined
  /** The peer changes its state so often that its returns are not reported until it is stable. Its failures are reported. */
  flapping: boolean
  /** The newest last. */
  history: { at: number; state: PeerState }[]
  /**
   * Only for a host found by mDNS that is not listed: the peer that it is identified as, which may be this daemon, and
   * the reason. `claim`: the host says by mDNS that it is that peer. `address`: the beacons of that peer come from an
   * address of the host. Any program on the network can cause either.
   */
  hidden?: { id: string; name: string; because: 'claim' | 'address' }
}

/** The state of a host that mDNS has found, at one moment. Nothing in it is proven. */
export interface Sighting {
  /** Its host name in lower case, e.g. `printer.local`. This is also its id in the list of peers. */
  id: string
  /** The host name as the host writes it. */
  hostname: string
  /** The name of its `_earshot._udp` service. Without one, the first label of its host name. */
  name: string
  state: PeerState
  addresses: AddressOnInterface[]
  /** The id of each service is its full instance name, e.g. `Office._ipp._tcp`. */
  services: Service[]
  /** The version of earshot that it runs. Empty if unknown. */
  version: string
  /** When it was last heard, monotonic ms. */
  lastSeen: number
  /** The interfaces on which it was heard, and when. */
  heardOn: { interface: string; lastHeard: number }[]
  /** The id of the peer that this host claims to be. Only hosts that run earshotd claim one. */
  claim: PeerId | undefined
}

export type PeerChangeType = 'peer-up' | 'peer-update' | 'peer-suspect' | 'peer-failed' | 'peer-left'
/** Changes that are not reported as events: a flapping peer has returned, or a failed or left peer was removed. */
export type SilentChangeType = 'peer-damped' | 'peer-forgotten'
export type ChangeType = PeerChangeType | ServiceChangeType | SilentChangeType

/**
 * One change of the list of peers that is reported as an event. A change of a peer is directly followed by one change for
 * each service that it affects: `service-up` if a present peer offers it now, `service-down` if the peer no longer offers
 * it, or has failed or left.
 */
export type ReportedChange = ChangeOf<PeerChangeType> | (ChangeOf<ServiceChangeType> & { service: OfferedService })
/** One change of the list of peers. */
export type Change = ReportedChange | ChangeOf<SilentChangeType>

interface ChangeOf<Type extends ChangeType> {
  type: Type
  /** The number of the change: one higher than that of the change before it. */
  index: number
  /** Monotonic ms. */
  at: number
  peer: PeerView
  /** The peer is this daemon itself. Only clients that ask for it get such a change. */
  own?: true
}

/** Something to be logged once. */
export type Notice =
  | { type: 'identity-taken'; id: PeerId; address: string; interface: string }
  /** A record with this peer's key has the incarnation `heard`, so this peer has started the higher one `incarnation`. */
  | { type: 'incarnation'; heard: number; incarnation: number; address: string; interface: string }
  | { type: 'name-shared'; name: string; ids: PeerId[] }
  | { type: 'loopback-lost'; interface: string; path: SharedPath }
  | { type: 'loopback-restored'; interface: string; path: SharedPath }
  | { type: 'doubt'; cause: 'late' | 'silence'; ms: number }
  | { type: 'limit'; limit: 'peers' | 'record-bytes' }
  | { type: 'interval'; interval: number; peers: number }
  | { type: 'exception'; error: Error }

/** The state of this daemon, for `earshot status`. */
export interface SelfView {
  id: PeerId
  name: string
  hostname: string
  version: string
  incarnation: number
  recordVersion: number
  interval: number
  services: Service[]
  attributes: Record<string, AttributeValue>
  interfaces: (Interface & {
    /** When this daemon last received its own beat on each path, in monotonic ms; undefined if never. */
    echoes: { path: SharedPath; lastHeard: number | undefined; deaf: boolean }[]
  })[]
  counters: Counters
  limits: {
    peers: { now: number; most: number }
    recordBytes: { now: number; most: number }
  }
}

/** The number of datagrams by message type, and of refused datagrams by reason, since the start. */
interface Counters {
  received: Record<string, number>
  sent: Record<string, number>
  refused: Record<string, number>
}

/** What the control API reads from the core. */
export interface PresenceReader {
  /** The index of the newest change, 0 if there was none. */
  readonly index: number
  peers(): PeerView[]
  /**
   * The same peers, each as it is when it is read. Peers may change, come and go between two of them: a peer that comes is
   * among them or not, and `changesSince` has the change.
   */
  eachPeer(): Iterable<PeerView>
  /** The listed peer with exactly this id. */
  get(id: string): PeerView | undefined
  /** The listed peers, in any state, that a reference given by a person can mean; see `bestMatches`. */
  find(reference: string, source?: PeerView['source']): PeerView[]
  /** The present hosts found by mDNS that are not listed; see `PeerView.hidden`. */
  hidden(): PeerView[]
  self(): SelfView
  /** This daemon itself as a peer. `peers`, `get` and `find` do not return it. */
  ownPeer(now: number): PeerView
  /** The changes after `index`, oldest first. Undefined if not all of them are kept any more. */
  changesSince(index: number): readonly Change[] | undefined
}
