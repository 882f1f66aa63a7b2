import type { PeerState } from '../../../shared/peer-state.ts'
import type { Change, OfferedService, PeerChangeType, ServiceChangeType, ToldChange } from './types.ts'

export const CHANGE_OF_STATE: Record<PeerState, PeerChangeType> = {
  alive: 'peer-up',
  suspect: 'peer-suspect',
  failed: 'peer-failed',
  left: 'peer-left',
}

/** Whether a change is told as an event. */
export function isTold(change: Change): change is ToldChange {
  return change.type !== 'peer-damped' && change.type !== 'peer-forgotten'
}

/** What became of a peer's services, by their ids. */
export function serviceChanges(
  before: OfferedService[],
  after: OfferedService[],
): { type: ServiceChangeType; service: OfferedService }[] {
  const old = new Map(before.map((service) => [service.id, service]))
  const changes: { type: ServiceChangeType; service: OfferedService }[] = []
  for (const service of after) {
    const known = old.get(service.id)
    old.delete(service.id)
    if (!known) changes.push({ type: 'service-up', service })
    else if (JSON.stringify(known) !== JSON.stringify(service)) changes.push({ type: 'service-update', service })
  }
  for (const service of old.values()) changes.push({ type: 'service-down', service })
  return changes
}
