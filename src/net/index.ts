export { DEFAULT_EXCLUDE } from './choose.ts'
export { Net, type NetTiming } from './net.ts'
export type { Heard, Link, NetEvents, NetOptions, NetStatus, SharedPath } from './types.ts'
