import type { PeerView, ReportedChange, SelfView } from '../../core/presence/peers/types.ts'
import type { Event, Offer, OfferedService, OwnService, Peer, Service, ServiceEvent } from '../../shared/api.ts'
import { withZone } from '../../shared/link-local.ts'
import type { Self } from '../../shared/self-api.ts'
import type { OwnService as OwnServiceView } from '../services/own-services.ts'
import { isoTime } from './iso-time.ts'
import type { Station } from './station.ts'

/** From the core's views to the API's JSON: monotonic times become ISO 8601, and a link-local address gets its zone. */

/** A peer as the API shows it. `wallClock` turns monotonic ms into ms since 1970. */
export function peerJson(view: PeerView, wallClock: Station['wallClock']): Peer {
  const time = (at: number) => isoTime(wallClock(at))
  const peer: Peer = {
    id: view.id,
    name: view.name,
    state: view.state,
    source: view.source,
    hostname: view.hostname,
    addresses: addressesJson(view),
    services: view.services.map(offeredJson),
    attributes: view.attributes,
    version: view.version,
    incarnation: view.incarnation,
    recordVersion: view.recordVersion,
    intervalMs: view.interval,
    firstSeen: time(view.firstSeen),
    lastSeen: time(view.lastSeen),
    paths: view.paths.map((on) => ({
      interface: on.interface,
      path: on.path,
      ...(on.address !== undefined && { address: withZone(on.address, on.interface) }),
      lastHeard: time(on.lastHeard),
    })),
    beacons: view.beacons,
    jitterMs: view.jitter,
    flapping: view.flapping,
    history: view.history.map(({ at, state }) => ({ at: time(at), state })),
  }
  if (view.rtt !== undefined) peer.rttMs = view.rtt
  if (view.hidden) peer.hidden = view.hidden
  return peer
}

/** A change of the registry as the API tells it. */
export function changeJson(change: ReportedChange, wallClock: Station['wallClock']): Event | ServiceEvent {
  const { index } = change
  const at = isoTime(wallClock(change.at))
  const peer = peerJson(change.peer, wallClock)
  if (!('service' in change)) return { type: change.type, index, at, peer }
  return { type: change.type, index, at, service: offeredJson(change.service), peer: offererJson(change.peer) }
}

/** A service together with the peer that offers it. */
export function offerJson(service: PeerView['services'][number], peer: PeerView): Offer {
  return { ...offeredJson(service), peer: offererJson(peer) }
}

/** A service of this peer, and where it comes from. */
export function ownServiceJson(service: OwnServiceView, wallClock: Station['wallClock']): OwnService {
  const { source, file, owner, expiresAt } = service
  return {
    ...serviceJson(service),
    source,
    ...(file !== undefined && { file }),
    ...(owner !== undefined && { owner }),
    ...(expiresAt !== undefined && { expiresAt: isoTime(wallClock(expiresAt)) }),
  }
}

/** Where the control side itself can be reached. */
export interface Listening {
  socket: string
  /** `host:port`; undefined when off. */
  http: string | undefined
}

/** The daemon about itself. */
export function selfJson(station: Station, listening: Listening): Self {
  const view = station.reader.self()
  const facts = station.describe()
  const time = (at: number) => isoTime(station.wallClock(at))
  const self: Self = {
    id: view.id,
    name: view.name,
    hostname: view.hostname,
    version: view.version,
    incarnation: view.incarnation,
    recordVersion: view.recordVersion,
    intervalMs: view.interval,
    services: station.catalogue.list().map((service) => ownServiceJson(service, station.wallClock.bind(station))),
    attributes: station.catalogue.attributes,
    badFiles: station.catalogue.badFiles.map(({ file, error }) => ({ file, error })),
    epoch: station.epoch,
    index: station.reader.index,
    pid: process.pid,
    startedAt: time(facts.startedAt),
    port: facts.port,
    socket: listening.socket,
    stateDir: facts.stateDir,
    interfaces: interfacesJson(view.interfaces, facts.faults, time),
    leftOut: facts.leftOut.map((one) => ({ ...one })),
    counters: { ...view.counters, dropped: { ...facts.dropped } },
    limits: view.limits,
    mdns: station.mdns?.view() ?? null,
  }
  if (facts.stateFault !== undefined) self.stateFault = facts.stateFault
  if (listening.http !== undefined) self.http = listening.http
  return self
}

type Faults = ReturnType<Station['describe']>['faults']

/** A path appears when it is open, when it was heard, or when it is at fault; an interface that only has faults appears too. */
function interfacesJson(
  interfaces: SelfView['interfaces'],
  faults: Faults,
  time: (at: number) => string,
): Self['interfaces'] {
  const known = interfaces.map(({ name, addresses, paths, echoes }) => {
    const ownFaults = faults.filter((fault) => fault.interface === name)
    const everyPath = new Set([...paths, ...echoes.map((echo) => echo.path), ...ownFaults.map((fault) => fault.path)])
    return {
      name,
      addresses: addresses.map(({ address, family }) => ({ address: withZone(address, name), family })),
      paths: [...everyPath].map((path) => {
        const echo = echoes.find((one) => one.path === path)
        const fault = ownFaults.find((one) => one.path === path)
        return {
          path,
          deaf: echo?.deaf ?? false,
          ...(echo?.lastHeard !== undefined && { lastEcho: time(echo.lastHeard) }),
          ...(fault && { fault: fault.message }),
        }
      }),
    }
  })
  const names = new Set(interfaces.map(({ name }) => name))
  const faultyOnly = new Set(faults.map((fault) => fault.interface).filter((name) => !names.has(name)))
  return [
    ...known,
    ...[...faultyOnly].map((name) => ({
      name,
      addresses: [],
      paths: faults
        .filter((fault) => fault.interface === name)
        .map(({ path, message }) => ({ path, deaf: false, fault: message })),
    })),
  ]
}

/** As the API shows it: without the mark of what mDNS tells. */
function serviceJson({ id, name, type, port, txt, subtypes }: Service): Service {
  return { id, name, type, port, txt, subtypes }
}

function offeredJson(service: PeerView['services'][number]): OfferedService {
  if (service.source !== 'mdns') return serviceJson(service)
  const { addresses } = service
  return { ...serviceJson(service), source: 'mdns', ...(addresses && { addresses: addressesJson({ addresses }) }) }
}

function offererJson(view: PeerView): Offer['peer'] {
  return { id: view.id, name: view.name, state: view.state, hostname: view.hostname, addresses: addressesJson(view) }
}

/** Link-local addresses with the interface that leads there. */
export function addressesJson({ addresses }: Pick<PeerView, 'addresses'>): Peer['addresses'] {
  return addresses.map(({ address, family, interface: through }) => ({
    address: withZone(address, through),
    family,
    interface: through,
  }))
}
