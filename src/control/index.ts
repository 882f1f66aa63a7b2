export { Control, type ControlOptions } from './control.ts'
export { checkLoopback, type HttpAddress, readHttpAddress, writeHttpAddress } from './http-address.ts'
export { prepareSocket } from './socket-file.ts'
export type { DaemonFacts, MdnsStation, Station } from './station.ts'
