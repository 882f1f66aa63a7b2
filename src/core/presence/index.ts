export { Presence, type PresenceOptions } from './presence.ts'
export type { Profile } from './self.ts'
export type * from './types.ts'
