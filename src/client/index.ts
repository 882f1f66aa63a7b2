export type { Event, Gap, Peer, Peers, Self, Service, Sync } from '../control/api.ts'
export {
  type DaemonEvent,
  Earshot,
  type EarshotOptions,
  type EventOptions,
  type PeerFilter,
  type PeerState,
} from './earshot.ts'
export { EarshotError } from './error.ts'
