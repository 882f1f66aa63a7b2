import type { Budget } from '../../budget.ts'
import type { Sighting } from '../../presence/peers/types.ts'
import { isPeerId, type Service } from '../../wire/index.ts'
import { nameKey, OWN_TYPE, type ResourceRecord } from '../dns/records.ts'
import { type CacheEntry, isNewer } from './cache-entry.ts'
import type { RecordCache } from './record-cache.ts'

/** A service instance that was found on an interface. */
export interface DiscoveredInstance {
  readonly interface: string
  /** Its full name as it is written, `Office._ipp._tcp.local`. */
  readonly name: string
  readonly label: string
  /** In lower case. */
  readonly type: string
  /** Who told of it first. */
  readonly source: string
  /** When one of its records was heard last. */
  lastSeen: number
  /** The target of its SRV record, once that is known and is not this host itself. */
  host: DiscoveredHost | undefined
  /** Without a TXT record, it is shown from then on. */
  listedAt: number
  isListed: boolean
}

/** A host that SRV records name. */
export interface DiscoveredHost {
  /** Its name in lower case. */
  readonly key: string
  hostname: string
  /** Who told of it first. */
  readonly source: string
  readonly instances: Set<DiscoveredInstance>
  /** How many of them are shown. */
  listedInstances: number
  /** Those whose SRV record was asked for in vain. */
  readonly unanswered: Set<DiscoveredInstance>
  state: 'alive' | 'suspect'
  lastSeen: number
  /** When one of its addresses was told of last. */
  addressSeen: number
  /** When it was asked for a sign of life. */
  queriedAt: number
  /** All its addresses were taken back, and it was told to have gone. It returns with the next address. */
  isAbsent: boolean
  readonly heardOn: Map<string, number>
  /** There is news of it that was not told yet. */
  isChanged: boolean
  /** What was told of it last, and when. */
  reported: { sighting: Sighting; at: number } | undefined
  /** Of its changes, those that may be told at once. */
  readonly changeBudget: Budget
}

/** Whether a record tells the port of a service on this host. */
export function isServiceOf(record: ResourceRecord, host: DiscoveredHost): boolean {
  return record.type === 'SRV' && nameKey(record.data.target) === host.key
}

/** What is to be told of a host now: of its services those that are shown. */
export function sightingOf(host: DiscoveredHost, cache: RecordCache): Sighting {
  const services = new Map<string, { service: Service; heardAt: number }>()
  for (const instance of host.instances) {
    const service = instance.isListed ? serviceOf(instance, cache) : undefined
    const known = services.get(service?.service.id ?? '')
    if (service && (!known || known.heardAt < service.heardAt)) services.set(service.service.id, service)
  }
  const all = [...services.values()].map(({ service }) => service).sort((a, b) => compareText(a.id, b.id))
  const own = all.find(({ type, txt }) => type === OWN_TYPE && isPeerId(txt['id'] ?? ''))
  const claim = own?.txt['id'] ?? ''
  return {
    id: host.key,
    hostname: host.hostname,
    name: own?.name ?? host.hostname.slice(0, host.hostname.indexOf('.')),
    state: host.state,
    addresses: addressesOf(host.key, cache),
    services: all.filter(({ type }) => type !== OWN_TYPE),
    version: own?.txt['v'] ?? '',
    lastSeen: host.lastSeen,
    heardOn: heardOn(host),
    claim: isPeerId(claim) ? claim : undefined,
  }
}

/** What is told of a host that has gone: as it was told of last. */
export function goneSightingOf(host: DiscoveredHost, last: Sighting, state: 'failed' | 'left'): Sighting {
  return { ...last, state, lastSeen: host.lastSeen, heardOn: heardOn(host) }
}

/** A host's addresses, each with the interface on which it was heard. */
export function addressesOf(hostname: string, cache: RecordCache): Sighting['addresses'] {
  return [...cache.entries('A', hostname), ...cache.entries('AAAA', hostname)]
    .map(({ interface: interfaceName, record }) => ({
      address: record.type === 'A' || record.type === 'AAAA' ? record.data : '',
      family: record.type === 'A' ? ('ipv4' as const) : ('ipv6' as const),
      interface: interfaceName,
    }))
    .sort(
      (a, b) =>
        compareText(a.interface, b.interface) || compareText(a.family, b.family) || compareText(a.address, b.address),
    )
}

function serviceOf(
  instance: DiscoveredInstance,
  cache: RecordCache,
): { service: Service; heardAt: number } | undefined {
  const { name, label, type, interface: interfaceName, host } = instance
  const offered = host
    ? cache.entries('SRV', name, interfaceName).filter(({ record }) => isServiceOf(record, host))
    : []
  const srv = offered.reduce<CacheEntry | undefined>(
    (newest, one) => (!newest || isNewer(one, newest) ? one : newest),
    undefined,
  )
  // With port 0 a device tells that it does not offer this (RFC 6763, section 8).
  if (srv?.record.type !== 'SRV' || srv.record.data.port === 0) return undefined
  const txt = cache.newest('TXT', name, interfaceName)
  const service = {
    id: `${label}.${type}`,
    name: label,
    type,
    port: srv.record.data.port,
    txt: txt?.record.type === 'TXT' ? readTxt(txt.record.data) : {},
    subtypes: [],
  }
  return { service, heardAt: srv.receivedAt }
}

function heardOn(host: DiscoveredHost): Sighting['heardOn'] {
  return [...host.heardOn].map(([name, lastHeard]) => ({ interface: name, lastHeard }))
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

/** A key that ours may be (src/core/wire/record.ts). */
const TXT_KEY = /^(?!__proto__$)[!-~]{1,64}$/

/**
 * The pairs that TXT strings tell (RFC 6763, section 6): a key alone has the value '', of two that are the same, case
 * aside, the first counts, and what is not UTF-8 is replaced. Keys that ours may not be are left out.
 */
export function readTxt(strings: readonly Uint8Array[]): Record<string, string> {
  const txt: Record<string, string> = {}
  const seen = new Set<string>()
  for (const string of strings) {
    const text = Buffer.from(string).toString('utf8')
    const equals = text.indexOf('=')
    const key = equals === -1 ? text : text.slice(0, equals)
    if (!TXT_KEY.test(key) || seen.has(key.toLowerCase())) continue
    seen.add(key.toLowerCase())
    txt[key] = equals === -1 ? '' : text.slice(equals + 1)
  }
  return txt
}
