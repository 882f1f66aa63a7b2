import type { Peer } from '../client/index.ts'
import { formatDuration } from '../shared/duration.ts'
import { allAddresses, serviceText } from './peer-text.ts'
import { printable } from './printable.ts'

/** What differs between two views of one peer, as far as people care, in a few words: `status=idle, +http:8080`. */
export function differences(before: Peer, after: Peer): string {
  return [
    before.name !== after.name && `was ${printable(before.name)}`,
    before.state !== after.state && (after.state === 'alive' ? 'alive again' : `was ${before.state}`),
    before.incarnation !== after.incarnation && 'restarted',
    allAddresses(before) !== allAddresses(after) && `had ${allAddresses(before) || 'no address'}`,
    before.hostname !== after.hostname && `host ${printable(after.hostname)}`,
    before.version !== after.version && `version ${printable(after.version)}`,
    before.intervalMs !== after.intervalMs && `every ${formatDuration(after.intervalMs)}`,
    ...serviceDifferences(before, after),
    ...attributeDifferences(before.attributes, after.attributes),
  ]
    .filter((words) => words !== false)
    .join(', ')
}

function serviceDifferences(before: Peer, after: Peer): string[] {
  const old = new Map(before.services.map((service) => [service.id, service]))
  const kept = new Set(after.services.map(({ id }) => id))
  const came = after.services.flatMap((service) => {
    const was = old.get(service.id)
    if (!was) return `+${serviceText(service, after)}`
    return JSON.stringify(was) === JSON.stringify(service) ? [] : `~${serviceText(service, after)}`
  })
  const gone = before.services.filter(({ id }) => !kept.has(id))
  return [...came, ...gone.map((service) => `-${serviceText(service, before)}`)]
}

function attributeDifferences(before: Peer['attributes'], after: Peer['attributes']): string[] {
  const set = Object.entries(after).filter(([key, value]) => !Object.hasOwn(before, key) || before[key] !== value)
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key))
  return [...set.map(([key, value]) => printable(`${key}=${value}`)), ...gone.map((key) => printable(`-${key}`))]
}
