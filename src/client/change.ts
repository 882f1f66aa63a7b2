import type { Event, OfferedService, Peer, ServiceEvent } from '../shared/api.ts'

export type PeerChangeType = Exclude<Event['type'], 'peer'>
export type ServiceChangeType = ServiceEvent['type']

interface Told {
  /** When it was known, ISO 8601. */
  at: string
  /**
   * Whether the peer, or the service, is there after this change and passes the filter: one who keeps what is present and
   * drops what is not holds the present state.
   */
  present: boolean
  /** As it is after this change. */
  peer: Peer
}

/** What became of a peer. One that ceases to pass the filter is told as `peer-update`, and is not `present`. */
export type PeerChange = Told & { type: PeerChangeType }

/** What became of a service of this peer; comes after the change of the peer. */
export type ServiceChange = Told & { type: ServiceChangeType; service: OfferedService }

export type Change = PeerChange | ServiceChange

/** The present state has been told; from here on it is changes. */
export interface Synced {
  type: 'sync'
  at: string
}
