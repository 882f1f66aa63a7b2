import { isDeepStrictEqual } from 'node:util'
import type { Logger } from 'pino'
import type { Interface } from '../core/link.ts'
import type { MdnsNotice } from '../core/mdns/index.ts'
import type { ChangeType, Notice, Presence } from '../core/presence/index.ts'
import type { Driver } from '../io/driver.ts'
import type { Net } from '../io/net/index.ts'
import type { StateNotice } from '../io/state-file.ts'
import type { CatalogueNotice } from './services/types.ts'

/** What the daemon's log says, and how loudly. */

const LOUDNESS: Record<ChangeType, 'info' | 'debug'> = {
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

/** Peers as they come and go. */
export function logChanges(log: Logger, driver: Driver, presence: Presence): void {
  let seen = presence.index
  driver.onChange(() => {
    for (const { type, peer, own } of presence.changesSince(seen) ?? []) {
      if (own) continue
      log[LOUDNESS[type]]({ peer: peer.name, id: peer.id }, type)
    }
    seen = presence.index
  })
}

/** Interfaces and what fails on them: a line for each change, none for each attempt. */
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
    for (const name of before.keys()) log.info({ interface: name }, 'interface has gone')
    before = new Map(interfaces.map((each) => [each.name, each]))
  })
  net.on('unusable', (interfaces) => {
    for (const { name, reason } of interfaces) log.warn({ interface: name, reason }, 'cannot use interface')
  })
  logFaults(log, net)
}

/** What fails on interfaces, and when that has ended. */
export function logFaults(log: Logger, net: Net): void {
  net.on('fault', ({ interface: name, path, error }) => {
    log.warn({ interface: name, path, reason: error.message }, 'cannot send')
  })
  net.on('recovered', ({ interface: name, path }) => log.info({ interface: name, path }, 'can send again'))
}

/** What the rules of presence noticed. */
export function logNotice(log: Logger, notice: Notice): void {
  switch (notice.type) {
    case 'identity-taken':
      log.error(
        { id: notice.id, address: notice.address, interface: notice.interface },
        'somebody else has our identity: a cloned disk, or a second daemon with the same state directory?',
      )
      break
    case 'incarnation':
      log.warn(
        { heard: notice.heard, incarnation: notice.incarnation, address: notice.address, interface: notice.interface },
        'others know this daemon from a later start than it remembers: it goes on in a higher incarnation ' +
          '(a read-only or restored state directory, or a clock that was set back?)',
      )
      break
    case 'name-shared':
      log.warn({ name: notice.name, ids: notice.ids }, 'several peers have the same name: tell them apart by their ids')
      break
    case 'deaf':
      log.warn({ interface: notice.interface, path: notice.path }, 'no longer hears itself: joining again')
      break
    case 'hearing-again':
      log.info({ interface: notice.interface, path: notice.path }, 'hears itself again')
      break
    case 'doubt':
      log.warn(
        { cause: notice.cause, ms: Math.round(notice.ms) },
        'doubts itself: everyone gets another lease before being judged',
      )
      break
    case 'limit':
      log.warn({ limit: notice.limit }, 'the registry is full: newcomers are dropped')
      break
    case 'exception':
      log.error(
        { err: notice.error },
        'an error in earshot itself while it handled a datagram or a timer; it goes on. Please report it',
      )
      break
    case 'interval':
      log.info({ intervalMs: notice.interval, peers: notice.peers }, 'beat interval follows the number of peers')
      break
  }
}

/** What befell this peer's own services. */
export function logCatalogue(log: Logger, notice: CatalogueNotice): void {
  switch (notice.type) {
    case 'bad-file':
      log.warn({ file: notice.file, reason: notice.error }, 'cannot use service file')
      break
    case 'good-file':
      log.info({ file: notice.file }, 'can use service file again')
      break
    case 'expired':
      log.info({ service: notice.id }, 'service withdrawn: nobody renewed it')
      break
    case 'left-out':
      log.warn({ what: notice.what, reason: notice.reason }, 'registered before, now left out')
      break
    default:
      logState(log, notice)
  }
}

/** What befell the files in the state directory. */
export function logState(log: Logger, notice: StateNotice): void {
  const { file } = notice
  switch (notice.type) {
    case 'set-aside':
      log.warn({ file, reason: notice.reason, renamedTo: notice.to }, 'state file cannot be used: beginning a new one')
      break
    case 'not-saved':
      log.error(
        { file, reason: notice.error },
        'cannot read or write state file: a restart would lose what it should hold',
      )
      break
    case 'saved-again':
      log.info({ file }, 'can write state file again: all is saved')
      break
    case 'was-gone':
      log.warn({ file }, 'somebody has removed the state file: written again')
      break
  }
}

/** What the rules of mDNS noticed. */
export function logMdns(log: Logger, notice: MdnsNotice): void {
  switch (notice.type) {
    case 'renamed':
      log.warn(
        { id: notice.id, type: notice.service, name: notice.to },
        `another host has the name '${notice.from}': ours is '${notice.to}' there`,
      )
      break
    case 'limit':
      log.warn(
        { limit: notice.limit, most: notice.most, source: notice.source },
        notice.source === undefined
          ? 'too much comes in by mDNS: some is passed over'
          : 'one address tells of too much by mDNS: what else it tells of is passed over',
      )
      break
  }
}
