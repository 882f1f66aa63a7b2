export { Control, type ControlOptions } from './control.ts'
export { prepareSocket } from './socket-file.ts'
export type { DaemonFacts, MdnsStation, Station } from './station.ts'
