export type {
  Event,
  Gap,
  Host,
  Offer as PeerService,
  OfferedService,
  OwnService,
  Peer,
  Peers,
  Service,
  ServiceEvent,
  Services,
  Sync,
} from '../shared/api.ts'
export type { PeerState } from '../shared/peer-state.ts'
export type { Self } from '../shared/self-api.ts'
export type { ServiceChangeType } from '../shared/service-changes.ts'
export type { DaemonEvent } from './api-client.ts'
export { type Attributes, type CallOptions, Earshot, type EarshotOptions, type EventOptions } from './earshot.ts'
export { EarshotError } from './error.ts'
export type { PeerFilter, ServiceFilter, WatchFilter } from './filter.ts'
export type { EntryChanges, Published, PublishOptions } from './published.ts'
export type { ServiceEntry } from './registration.ts'
export type { Resolved, ResolveOptions } from './resolve.ts'
export type { WaitOptions, WatchOptions } from './watch.ts'
export type { Change, PeerChange, PeerChangeType, ServiceChange, Synced } from './watch-state.ts'
