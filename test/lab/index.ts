// The lab: hosts in network namespaces, connected by virtual switches, for tests with real daemons.
//
//   describeLab('presence', () => {
//     test('a disconnected peer fails', async () => {
//       await using lab = await Lab.create()
//       const net = await lab.network('lan')
//       const [a, b] = await Promise.all([lab.host('a', [net]), lab.host('b', [net])])
//       const [watcher] = await Promise.all([a.daemon(), b.daemon()])
//       await watcher.waitFor((peers) => peers.some(({ name, state }) => name === 'b' && state === 'alive'))
//       await b.cut()
//       await watcher.waitFor((peers) => peers.some(({ name, state }) => name === 'b' && state === 'failed'))
//     })
//   })

export type { Avahi, AvahiBrowser, AvahiOptions } from './avahi.ts'
export type { BrowseLine, ResolvedLine } from './avahi-lines.ts'
export { labUnavailableReason } from './availability.ts'
export type { Answer, CallOptions } from './control.ts'
export type { Daemon, DaemonOptions } from './daemon.ts'
export { describeLab, describeMdnsLab } from './describe-lab.ts'
export type { EventStream, LabEvent } from './event-stream.ts'
export type { Host } from './host.ts'
export type { InterfaceOptions } from './host-interfaces.ts'
export type { ForgedDatagram } from './injector.ts'
export { type HostOptions, Lab, type Plug } from './lab.ts'
export type { Exit, LabProcess, Line } from './lab-process.ts'
export type { Network, NetworkOptions } from './network.ts'
export type { Output } from './run.ts'
export type { SniffedDatagram, Sniffer } from './sniffer.ts'
export { BEACON_PORT, type Direction, type Path } from './traffic.ts'
export type { Zeroconf, ZeroconfEvent, ZeroconfService } from './zeroconf.ts'
