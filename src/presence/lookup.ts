import { isPeerId, type PeerId } from '../wire/index.ts'
import { isPresent } from './changes.ts'
import type { Neighbours } from './neighbours.ts'
import type { Registry } from './registry.ts'
import type { PeerView } from './types.ts'

/** Fewer characters of an id are no reference to a peer. */
const SHORTEST_PREFIX = 4

/**
 * The peers that a person may mean: by whole id, else by name, else by a prefix of the id. Of peers with one name, those
 * that beacon and are there go before what mDNS tells of, as anyone can take any name there.
 */
export function findPeers(reference: string, registry: Registry, neighbours: Neighbours): PeerView[] {
  if (isPeerId(reference)) {
    const peer = registry.get(reference)
    return peer ? [peer.view()] : []
  }
  const hostname = reference.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()).replace(/\.$/, '')
  const host = neighbours.get(hostname)
  if (host) return [host]
  const views = (ids: PeerId[]) => ids.flatMap((id) => registry.get(id)?.view() ?? [])
  const named = views(registry.named(reference))
  if (named.some(isPresent)) return named
  const hosts = neighbours.views()
  const everyNamed = [...named, ...hosts.filter(({ name }) => name === reference)]
  if (everyNamed.length > 0 || reference.length < SHORTEST_PREFIX) return everyNamed
  const matching = Array.from(registry.values(), ({ id }) => id).filter((id) => id.startsWith(reference))
  return [...views(matching), ...hosts.filter(({ id }) => id.startsWith(hostname))]
}
