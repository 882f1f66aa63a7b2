import { isDeepStrictEqual } from 'node:util'
import type { Logger } from 'pino'
import type { Interface } from '../core/link.ts'
import type { MdnsNotice } from '../core/mdns/mdns.ts'
import type { ChangeType, Notice } from '../core/presence/peers/types.ts'
import type { Presence } from '../core/presence/presence.ts'
import type { Net } from '../io/net/net.ts'
import type { PresenceDriver } from '../io/presence-driver.ts'
import type { StateNotice } from '../io/state-file.ts'
import type { CatalogueNotice } from './services/own-services.ts'

/** Writes the daemon's events to its log. */

const LEVELS: Record<ChangeType, 'info' | 'debug'> = {
  'peer-up': 'info',
  'peer-update': 'debug',
  'peer-suspect': 'debug',
  'peer-failed': 'info',
  'peer-left': 'info',
  'service-up': 'debug',
  'service-update': 'debug',
  'service-down': 'debug',
  'peer-damped': 'debug',
  'peer-forgotten': 'debug',
}

/** Logs changes of other peers. */
export function logChanges(log: Logger, driver: PresenceDriver, presence: Presence): void {
  let seen = presence.index
  driver.onChange(() => {
    for (const { type, peer, own } of presence.changesSince(seen) ?? []) {
      if (own) continue
      log[LEVELS[type]]({ peer: peer.name, id: peer.id }, type)
    }
    seen = presence.index
  })
}

/** Logs changes of interfaces and their faults: one line per change, not per attempt. */
export function logNetwork(log: Logger, net: Net): void {
  let before = new Map<string, Interface>()
  net.on('interfaces', (interfaces) => {
    for (const each of interfaces) {
      const { name, addresses, paths } = each
      const old = before.get(name)
      before.delete(name)
      if (isDeepStrictEqual(old, each)) continue
      const facts = { interface: name, addresses: addresses.map(({ address }) => address), paths }
      log.info(facts, old ? 'interface changed' : 'using interface')
    }
    for (const name of before.keys()) log.info({ interface: name }, 'interface is gone')
    before = new Map(interfaces.map((each) => [each.name, each]))
  })
  net.on('unusable', (interfaces) => {
    for (const { name, reason } of interfaces) log.warn({ interface: name, reason }, 'cannot use interface')
  })
  logFaults(log, net)
}

/** Logs when sending on an interface begins to fail, and when it works again. */
export function logFaults(log: Logger, net: Net): void {
  net.on('fault', ({ interface: name, path, error }) => {
    log.warn({ interface: name, path, reason: error.message }, 'cannot send')
  })
  net.on('recovered', ({ interface: name, path }) => log.info({ interface: name, path }, 'can send again'))
}

/** Logs a notice of presence. */
export function logNotice(log: Logger, notice: Notice): void {
  switch (notice.type) {
    case 'identity-taken':
      log.error(
        { id: notice.id, address: notice.address, interface: notice.interface },
        'another host uses the identity of this daemon (a cloned disk, or a second daemon with the same state directory?)',
      )
      break
    case 'incarnation':
      log.warn(
        { heard: notice.heard, incarnation: notice.incarnation, address: notice.address, interface: notice.interface },
        'other peers know a later incarnation of this daemon than it does: it begins a higher one ' +
          '(a read-only or restored state directory, or a clock that was set back?)',
      )
      break
    case 'name-shared':
      log.warn(
        { name: notice.name, ids: notice.ids },
        'several peers have the same name: use their ids to tell them apart',
      )
      break
    case 'loopback-lost':
      log.warn({ interface: notice.interface, path: notice.path }, 'no longer receives its own beacons: joining again')
      break
    case 'loopback-restored':
      log.info({ interface: notice.interface, path: notice.path }, 'receives its own beacons again')
      break
    case 'doubt':
      log.warn(
        { cause: notice.cause, ms: Math.round(notice.ms) },
        notice.cause === 'late'
          ? 'this daemon ran late: every peer gets another lease before it is suspected'
          : 'no beacons at all were received: every peer gets another lease before it is suspected',
      )
      break
    case 'limit':
      log.warn({ limit: notice.limit }, 'the registry is full: new peers are dropped')
      break
    case 'exception':
      log.error(
        { err: notice.error },
        'failed to handle a datagram or a timer: this is a bug in earshot, please report it (earshotd goes on)',
      )
      break
    case 'interval':
      log.info(
        { intervalMs: notice.interval, peers: notice.peers },
        'adapted the beacon interval to the number of peers',
      )
      break
  }
}

/** Logs a notice about this peer's own services. */
export function logCatalogue(log: Logger, notice: CatalogueNotice): void {
  switch (notice.type) {
    case 'bad-file':
      log.warn({ file: notice.file, reason: notice.error }, 'cannot use service file')
      break
    case 'good-file':
      log.info({ file: notice.file }, 'can use service file again')
      break
    case 'expired':
      log.info({ service: notice.id }, 'service removed: its lease was not renewed')
      break
    case 'not-restored':
      log.warn({ what: notice.what, reason: notice.reason }, 'cannot restore what was registered in an earlier run')
      break
    default:
      logState(log, notice)
  }
}

/** Logs a notice about a file in the state directory. */
export function logState(log: Logger, notice: StateNotice): void {
  const { file } = notice
  switch (notice.type) {
    case 'set-aside':
      log.warn(
        { file, reason: notice.reason, renamedTo: notice.to },
        'cannot use state file: renamed it and started a new one',
      )
      break
    case 'not-saved':
      log.error({ file, reason: notice.error }, 'cannot read or write state file: a restart would lose its content')
      break
    case 'saved-again':
      log.info({ file }, 'can write state file again: everything is saved')
      break
    case 'was-gone':
      log.warn({ file }, 'the state file was removed: wrote it again')
      break
  }
}

/** Logs a notice of mDNS. */
export function logMdns(log: Logger, notice: MdnsNotice): void {
  switch (notice.type) {
    case 'renamed':
      log.warn(
        { id: notice.id, type: notice.service, name: notice.to },
        `another host has the name '${notice.from}': publishing as '${notice.to}' instead`,
      )
      break
    case 'limit':
      log.warn(
        { limit: notice.limit, most: notice.most, source: notice.source },
        notice.source === undefined
          ? 'too much mDNS data: some of it is ignored'
          : 'too much mDNS data from one address: the rest of it is ignored',
      )
      break
  }
}
