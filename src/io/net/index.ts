export { Net, type NetTiming } from './net.ts'
export type { LeftOut, NetEvents, NetOptions, NetStatus } from './types.ts'
