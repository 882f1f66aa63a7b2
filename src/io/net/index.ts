export { Net, type NetTiming } from './net.ts'
export type { Heard, LeftOut, Link, NetEvents, NetOptions, NetStatus, SharedPath } from './types.ts'
