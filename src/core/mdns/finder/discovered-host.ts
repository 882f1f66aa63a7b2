import type { Budget } from '../../budget.ts'
import type { Sighting } from '../../presence/peers/types.ts'
import { isPeerId } from '../../wire/id.ts'
import { KEY_PATTERN } from '../../wire/messages.ts'
import type { Service } from '../../wire/record-schema.ts'
import { nameKey, OWN_TYPE, type ResourceRecord } from '../dns/records.ts'
import { type CacheEntry, isNewer } from './cache-entry.ts'
import type { RecordCache } from './record-cache.ts'

/** A service instance that was discovered on an interface. */
export interface DiscoveredInstance {
  readonly interface: string
  /** The full name as received, such as `Office._ipp._tcp.local`. */
  readonly name: string
  readonly label: string
  /** In lower case. */
  readonly type: string
  /** The address that first announced the instance. */
  readonly source: string
  /** When one of its records was last received, monotonic ms. */
  lastSeen: number
  /** The target of the SRV record, if it is known and is not this host itself. */
  host: DiscoveredHost | undefined
  /** When the instance is listed even without a TXT record, monotonic ms. */
  listedAt: number
  isListed: boolean
}

/** A host that is the target of an SRV record. */
export interface DiscoveredHost {
  /** The host name in lower case. */
  readonly key: string
  hostname: string
  /** The address that first announced the host. */
  readonly source: string
  readonly instances: Set<DiscoveredInstance>
  /** The number of listed instances. */
  listedInstances: number
  /** The instances whose SRV record was not refreshed. */
  readonly unanswered: Set<DiscoveredInstance>
  state: 'alive' | 'suspect'
  lastSeen: number
  /** When an address record was last received, monotonic ms. */
  addressLastSeen: number
  /** When the host was last queried to check that it is alive, monotonic ms. */
  queriedAt: number
  /** Whether the host lost its last address and was reported as gone. It returns when it announces an address. */
  isAbsent: boolean
  readonly heardOn: Map<string, number>
  /** Whether there are changes that have not been reported. */
  isChanged: boolean
  /** The last reported sighting and its time, monotonic ms. */
  reported: { sighting: Sighting; at: number } | undefined
  /** Limits how often changes are reported. */
  readonly changeBudget: Budget
}

/** Whether the record is an SRV record that points to this host. */
export function isServiceOf(record: ResourceRecord, host: DiscoveredHost): boolean {
  return record.type === 'SRV' && nameKey(record.data.target) === host.key
}

/** The current sighting of a host. It contains the listed services only. */
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

/** The last sighting of a host that is gone, with its final state. */
export function goneSightingOf(host: DiscoveredHost, last: Sighting, state: 'failed' | 'left'): Sighting {
  return { ...last, state, lastSeen: host.lastSeen, heardOn: heardOn(host) }
}

/** The known addresses of a host, each with the interface on which it was received. */
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
  const srvEntries = host
    ? cache.entries('SRV', name, interfaceName).filter(({ record }) => isServiceOf(record, host))
    : []
  const srv = srvEntries.reduce<CacheEntry | undefined>(
    (newest, one) => (!newest || isNewer(one, newest) ? one : newest),
    undefined,
  )
  // Port 0 means that the device does not offer this service (RFC 6763, section 8).
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

/** A TXT key that a record of this project may hold. */
const TXT_KEY = new RegExp(KEY_PATTERN)

/**
 * Parses TXT strings into key/value pairs (RFC 6763, section 6). A key without `=` has the value ''. If a key is
 * repeated, ignoring case, the first one counts. Invalid UTF-8 is replaced. Keys that do not match `TXT_KEY` are left
 * out.
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
