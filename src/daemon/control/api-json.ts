import type { AddressOnInterface } from '../../core/link.ts'
import type { PeerView, ReportedChange, SelfView } from '../../core/presence/peers/types.ts'
import type { Event, Offer, OfferedService, OwnService, Peer, Service, ServiceEvent } from '../../shared/api.ts'
import { withZone } from '../../shared/link-local.ts'
import type { Self } from '../../shared/self-api.ts'
import type { OwnService as OwnServiceView } from '../services/own-services.ts'
import type { ControlDependencies, DaemonStatus, ListenAddresses } from './context.ts'

/**
 * Converts the core's views to the API's JSON: monotonic times become ISO 8601 in UTC, and link-local IPv6 addresses get
 * their zone.
 */

type WallClock = ControlDependencies['wallClock']

/** A peer. `wallClock` converts monotonic ms to ms since 1970. */
export function peerJson(view: PeerView, wallClock: WallClock): Peer {
  const time = (at: number) => isoTime(wallClock(at))
  const peer: Peer = {
    id: view.id,
    name: view.name,
    state: view.state,
    source: view.source,
    hostname: view.hostname,
    addresses: addressesJson(view.addresses),
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

/** A change of the registry, as an event. */
export function changeJson(change: ReportedChange, wallClock: WallClock): Event | ServiceEvent {
  const { index } = change
  const at = isoTime(wallClock(change.at))
  if (!('service' in change)) return { type: change.type, index, at, peer: peerJson(change.peer, wallClock) }
  return { type: change.type, index, at, service: offeredJson(change.service), peer: offeringPeerJson(change.peer) }
}

/** A service together with the peer that offers it. */
export function offerJson(service: PeerView['services'][number], peer: PeerView): Offer {
  return { ...offeredJson(service), peer: offeringPeerJson(peer) }
}

/** A service of this peer, with the place that it is defined in. */
export function ownServiceJson(service: OwnServiceView, wallClock: WallClock): OwnService {
  const { source, file, owner, expiresAt } = service
  return {
    ...serviceJson(service),
    source,
    ...(file !== undefined && { file }),
    ...(owner !== undefined && { owner }),
    ...(expiresAt !== undefined && { expiresAt: isoTime(wallClock(expiresAt)) }),
  }
}

/** The daemon's own state. */
export function selfJson(deps: ControlDependencies, listening: ListenAddresses): Self {
  const view = deps.presence.self()
  const status = deps.describe()
  const time = (at: number) => isoTime(deps.wallClock(at))
  const self: Self = {
    id: view.id,
    name: view.name,
    hostname: view.hostname,
    version: view.version,
    incarnation: view.incarnation,
    recordVersion: view.recordVersion,
    intervalMs: view.interval,
    services: deps.catalogue.list().map((service) => ownServiceJson(service, deps.wallClock.bind(deps))),
    attributes: deps.catalogue.attributes,
    badFiles: deps.catalogue.badFiles.map(({ file, error }) => ({ file, error })),
    epoch: deps.epoch,
    index: deps.presence.index,
    pid: process.pid,
    startedAt: time(status.startedAt),
    port: status.port,
    socket: listening.socket,
    stateDir: status.stateDir,
    interfaces: interfacesJson(view.interfaces, status.faults, time),
    leftOut: status.leftOut.map((one) => ({ ...one })),
    counters: { ...view.counters, dropped: { ...status.dropped } },
    limits: view.limits,
    mdns: deps.mdns?.view() ?? null,
  }
  if (status.stateFault !== undefined) self.stateFault = status.stateFault
  if (listening.http !== undefined) self.http = listening.http
  return self
}

/**
 * The interfaces in use. The paths of an interface are those that are open, those on which this daemon received its own
 * beats, and those with a fault.
 */
function interfacesJson(
  interfaces: SelfView['interfaces'],
  faults: DaemonStatus['faults'],
  time: (at: number) => string,
): Self['interfaces'] {
  return interfaces.map(({ name, addresses, paths, echoes }) => {
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
}

function serviceJson({ id, name, type, port, txt, subtypes }: Service): Service {
  return { id, name, type, port, txt, subtypes }
}

function offeredJson(service: PeerView['services'][number]): OfferedService {
  if (service.source !== 'mdns') return serviceJson(service)
  const { addresses } = service
  return { ...serviceJson(service), source: 'mdns', ...(addresses && { addresses: addressesJson(addresses) }) }
}

function offeringPeerJson(view: PeerView): Offer['peer'] {
  return {
    id: view.id,
    name: view.name,
    state: view.state,
    hostname: view.hostname,
    addresses: addressesJson(view.addresses),
  }
}

/** The addresses, with the zone where they need one. */
export function addressesJson(addresses: readonly AddressOnInterface[]): Peer['addresses'] {
  return addresses.map(({ address, family, interface: through }) => ({
    address: withZone(address, through),
    family,
    interface: through,
  }))
}

const MS_PER_DAY = 24 * 3_600_000
let cachedDay = Number.NaN
let cachedDate = ''

/**
 * Formats ms since 1970 as ISO 8601 in UTC, to the millisecond, as `Date.prototype.toISOString` does. Caches the date of
 * the last day: a list of peers has tens of thousands of times.
 */
export function isoTime(ms: number): string {
  const whole = Math.floor(ms)
  const day = Math.floor(whole / MS_PER_DAY)
  if (day !== cachedDay) {
    cachedDate = new Date(day * MS_PER_DAY).toISOString().slice(0, -'00:00:00.000Z'.length)
    cachedDay = day
  }
  const rest = whole - day * MS_PER_DAY
  const seconds = Math.floor(rest / 1000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  return `${cachedDate}${pad(hours)}:${pad(minutes - hours * 60)}:${pad(seconds - minutes * 60)}.${pad3(rest - seconds * 1000)}Z`
}

function pad(number: number): string {
  return number < 10 ? `0${number}` : `${number}`
}

function pad3(number: number): string {
  return number < 100 ? `0${pad(number)}` : `${number}`
}

/**
 * Writes a value as JSON that every parser accepts. `JSON.stringify` writes an unpaired surrogate as an escape such as
 * `\ud800`, and many parsers refuse the whole text because of it. Here it becomes U+FFFD. Keys must be well-formed.
 */
export function writeJson(value: unknown): string {
  const text = JSON.stringify(value)
  // Unpaired surrogates look like this in JSON. So does a string that contains these characters, which does no harm.
  if (!text.includes('\\ud')) return text
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'string' ? toWellFormed(part) : part))
}

/** The same as `String.prototype.toWellFormed` of ES2024. */
function toWellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd')
}
