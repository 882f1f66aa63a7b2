import type { OfferedService, Peer } from '../shared/api.ts'
import { isPresent } from '../shared/peer-state.ts'
import type { Change, PeerChangeType } from './change.ts'

type ServiceTest = (service: OfferedService) => boolean

const TYPE_OF_STATE: Record<Peer['state'], PeerChangeType> = {
  alive: 'peer-up',
  suspect: 'peer-suspect',
  failed: 'peer-failed',
  left: 'peer-left',
}

/** A peer that was not told before, with its services. */
export function appearance(peer: Peer, at: string, wanted: ServiceTest): Change[] {
  return [{ type: 'peer-up', at, present: true, peer }, ...serviceChanges([], peer, peer.services.filter(wanted), at)]
}

/** A peer that is no longer told, with the services that go with it. */
export function disappearance(before: Peer, peer: Peer, at: string, wanted: ServiceTest): Change[] {
  const type = !isPresent(peer) ? TYPE_OF_STATE[peer.state] : 'peer-update'
  return [{ type, at, present: false, peer }, ...serviceChanges(before.services.filter(wanted), peer, [], at)]
}

/** What became of a peer that is told before and after. */
export function development(before: Peer, peer: Peer, at: string, wanted: ServiceTest): Change[] {
  const type = before.state === peer.state ? 'peer-update' : TYPE_OF_STATE[peer.state]
  const services = serviceChanges(before.services.filter(wanted), peer, peer.services.filter(wanted), at)
  return [{ type, at, present: true, peer }, ...services]
}

/** Whether two views of a peer differ in what is told as a change. */
export function differ(before: Peer, after: Peer): boolean {
  return (
    substance(before) !== substance(after) ||
    before.flapping !== after.flapping ||
    addressesOf(before) !== addressesOf(after)
  )
}

/**
 * The same, as far as a daemon that has only just begun can know: that a peer flaps has to happen again, and the addresses
 * that it has in other networks come with the record of each of those.
 */
export function differSoFar(before: Peer, after: Peer): boolean {
  const known = new Set(before.addresses.map(addressText))
  return substance(before) !== substance(after) || after.addresses.some((address) => !known.has(addressText(address)))
}

function substance(peer: Peer): string {
  const { state, name, hostname, services, attributes, version, incarnation, intervalMs } = peer
  return JSON.stringify([state, name, hostname, services, attributes, version, incarnation, intervalMs])
}

function addressesOf({ addresses }: Peer): string {
  return addresses.map(addressText).sort().join()
}

function addressText({ address, interface: through }: Peer['addresses'][number]): string {
  return `${address} ${through}`
}

function serviceChanges(
  before: readonly OfferedService[],
  peer: Peer,
  after: readonly OfferedService[],
  at: string,
): Change[] {
  const old = new Map(before.map((service) => [service.id, service]))
  const changes: Change[] = []
  for (const service of after) {
    const known = old.get(service.id)
    old.delete(service.id)
    if (!known) changes.push({ type: 'service-up', at, present: true, peer, service })
    else if (JSON.stringify(known) !== JSON.stringify(service)) {
      changes.push({ type: 'service-update', at, present: true, peer, service })
    }
  }
  for (const service of old.values()) changes.push({ type: 'service-down', at, present: false, peer, service })
  return changes
}
