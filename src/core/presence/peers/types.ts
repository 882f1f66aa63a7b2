import type { PeerState } from '../../../shared/peer-state.ts'
import type { AddressOnInterface, Interface, Path, SharedPath } from '../../link.ts'
import type { PeerId } from '../../wire/id.ts'
import type { AttributeValue, Service } from '../../wire/record.ts'

/** A datagram to send: on a shared path of an interface, or to one address through it. */
export interface Outgoing {
  interface: string
  to: SharedPath | { address: string; port: number }
  bytes: Uint8Array
}

/** A shared path of one interface. */
export interface SharedPathOn {
  interface: string
  path: SharedPath
}

/** The answer to a probe: its nonce and round-trip time, ms. */
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

/** One peer as it stood at one moment: never changed once made. All times are monotonic ms. */
export interface PeerView {
  /** Of one found by mDNS, its host name in lower case. */
  id: string
  name: string
  state: PeerState
  /** By what it is known: by its signed beacons, or, unproven, by mDNS alone. */
  source: 'beacon' | 'mdns'
  hostname: string
  /** Of one that beacons, what its record says, those first that its beats come from (see `paths`). */
  addresses: AddressOnInterface[]
  services: OfferedService[]
  attributes: Record<string, AttributeValue>
  /** Version of the peer's software. */
  version: string
  incarnation: number
  recordVersion: number
  /** Its beat interval, ms. */
  interval: number
  firstSeen: number
  lastSeen: number
  /** `address` is where it was heard from there: its record may name others, which are its word alone. */
  paths: { interface: string; path: Path | 'mdns'; lastHeard: number; address?: string | undefined }[]
  beacons: { heard: number; lost: number }
  /** Interarrival jitter of its beats, ms (RFC 3550, section 6.4.1). */
  jitter: number
  /** Last round trip of a probe, ms. */
  rtt: number | undefined
  /** It changes state so often that its returns are no longer told, until it has settled. Its deaths are. */
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
  /** The peer that it says it is. Only a host that runs earshotd says so. */
  claim: PeerId | undefined
}

export type PeerChangeType = 'peer-up' | 'peer-update' | 'peer-suspect' | 'peer-failed' | 'peer-left'
export type ServiceChangeType = 'service-up' | 'service-update' | 'service-down'
/**
 * Changes of the list that are not told as events: the return of a peer that flaps (its deaths are told), and that the
 * registry no longer holds a peer that had gone.
 */
export type SilentChangeType = 'peer-damped' | 'peer-forgotten'
export type ChangeType = PeerChangeType | ServiceChangeType | SilentChangeType

/**
 * One change of the registry. `index` rises by one with each. What a change of a peer means for its services follows
 * right behind it, one change for each service: up when it is offered by a peer that is alive, down when it is no
 * longer, or when its peer has failed or left.
 */
export type ReportedChange = ChangeOf<PeerChangeType> | (ChangeOf<ServiceChangeType> & { service: OfferedService })
export type Change = ReportedChange | ChangeOf<SilentChangeType>

interface ChangeOf<Type extends ChangeType> {
  type: Type
  index: number
  /** Monotonic ms. */
  at: number
  peer: PeerView
  /** It is this daemon's own peer: told only to those who ask for it. */
  own?: true
}

/** What the log should say, once. */
export type Notice =
  | { type: 'identity-taken'; id: PeerId; address: string; interface: string }
  /** Our own key was heard in a higher incarnation than ours, so that a still higher one was begun: `incarnation`. */
  | { type: 'incarnation'; heard: number; incarnation: number; address: string; interface: string }
  | { type: 'name-shared'; name: string; ids: PeerId[] }
  | { type: 'deaf'; interface: string; path: SharedPath }
  | { type: 'hearing-again'; interface: string; path: SharedPath }
  | { type: 'doubt'; cause: 'late' | 'silence'; ms: number }
  | { type: 'limit'; limit: 'peers' | 'record-bytes' }
  | { type: 'interval'; interval: number; peers: number }
  | { type: 'exception'; error: Error }

/** This daemon's own state, for `status`. */
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
    /** When this daemon last heard its own beat there, monotonic ms; absent when never. */
    echoes: { path: SharedPath; lastHeard: number | undefined; deaf: boolean }[]
  })[]
  counters: Counters
  limits: {
    peers: { now: number; most: number }
    recordBytes: { now: number; most: number }
  }
}

/** Datagrams by message type, and refusals by reason, since the start. */
export interface Counters {
  received: Record<string, number>
  sent: Record<string, number>
  refused: Record<string, number>
}

/** What the control side may ask of the registry. */
export interface PresenceReader {
  /** Index of the newest change; 0 when there was none. */
  readonly index: number
  peers(): PeerView[]
  /** The listed peer of this very id. */
  get(id: string): PeerView | undefined
  /** The listed peers that a person may mean, in whatever state: by id, else by name, else by how the id begins; see `closest`. */
  find(reference: string, source?: PeerView['source']): PeerView[]
  /** The hosts found by mDNS that are there and not listed, since each is taken for a peer; see `PeerView.hidden`. */
  hidden(): PeerView[]
  self(): SelfView
  /** This daemon's own peer, seen as others are. `peers`, `get` and `find` do not tell of it. */
  ownPeer(now: number): PeerView
  /** The changes after `index`, oldest first; undefined when they are no longer all kept. */
  changesSince(index: number): readonly Change[] | undefined
}
