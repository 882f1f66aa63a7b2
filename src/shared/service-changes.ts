/** How a service of a peer has changed. */
export type ServiceChangeType = 'service-up' | 'service-update' | 'service-down'

/**
 * The changes from the services `before` to the services `after`: first what is new or different, then what is gone. Services
 * are matched by id.
 */
export function serviceChanges<Service extends { id: string }>(
  before: readonly Service[],
  after: readonly Service[],
): { type: ServiceChangeType; service: Service }[] {
  const gone = new Map(before.map((service) => [service.id, service]))
  const changes: { type: ServiceChangeType; service: Service }[] = []
  for (const service of after) {
    const known = gone.get(service.id)
    gone.delete(service.id)
    if (!known) changes.push({ type: 'service-up', service })
    else if (JSON.stringify(known) !== JSON.stringify(service)) changes.push({ type: 'service-update', service })
  }
  for (const service of gone.values()) changes.push({ type: 'service-down', service })
  return changes
}
