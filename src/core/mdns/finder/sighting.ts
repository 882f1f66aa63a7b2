import type { Sighting } from '../../presence/peers/types.ts'
import { isPeerId, type Service } from '../../wire/index.ts'
import { OWN_TYPE } from '../dns/names.ts'
import type { RecordCache } from './cache.ts'
import { type DiscoveredHost, type DiscoveredInstance, isServiceOf } from './found.ts'
import { type CacheEntry, isNewer } from './held.ts'
import { readTxt } from './txt.ts'

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
