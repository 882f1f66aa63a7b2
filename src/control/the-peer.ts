import { AmbiguousPeer, NoSuchPeer } from '../errors.ts'
import type { PeerView, SelfView } from '../presence/types.ts'
import type { Station } from './station.ts'
import { ownPeer } from './views.ts'

/** As many characters of an id are a reference to its peer. */
export const FEWEST_PREFIX_CHARACTERS = 4
const MOST_IDS_LISTED = 8

/**
 * The one peer that a reference means, the daemon's own if no other. Where several share a name, the one that is alive
 * is meant: a machine that was set up anew has left its old identity behind under the same name.
 * @throws NoSuchPeer, AmbiguousPeer
 */
export function thePeer(reference: string, station: Station): PeerView {
  const found = station.reader.find(reference)
  const [first, ...others] = found
  if (!first) {
    const self = station.reader.self()
    if (meansSelf(reference, self)) return ownPeer(station)
    throw new NoSuchPeer(reference)
  }
  if (others.length === 0) return first

  const byName = found.some(({ name }) => name === reference)
  const alive = found.filter(({ state }) => state === 'alive')
  const [only] = alive
  if (byName && only && alive.length === 1) return only
  throw new AmbiguousPeer(reference, listIds(byName && only ? alive : found))
}

function meansSelf(reference: string, { id, name }: SelfView): boolean {
  return reference === name || (reference.length >= FEWEST_PREFIX_CHARACTERS && id.startsWith(reference.toLowerCase()))
}

function listIds(peers: PeerView[]): string {
  const ids = peers.map(({ id }) => id)
  const more = ids.length - MOST_IDS_LISTED
  return more > 0 ? `${ids.slice(0, MOST_IDS_LISTED).join(', ')} and ${more} more` : ids.join(', ')
}
