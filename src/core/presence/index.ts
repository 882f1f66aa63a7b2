export type { Profile } from './peers/self.ts'
export type * from './peers/types.ts'
export { Presence, type PresenceOptions } from './presence.ts'
