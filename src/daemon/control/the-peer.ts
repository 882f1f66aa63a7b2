import { closest } from '../../core/presence/peers/lookup.ts'
import type { PeerView } from '../../core/presence/peers/types.ts'
import { SHOWN_ID_CHARACTERS } from '../../core/wire/id.ts'
import { AmbiguousPeer, NoSuchPeer } from '../../shared/errors.ts'
import { isPresent } from '../../shared/peer-state.ts'
import { knownBy, type Source } from './source.ts'
import type { Station } from './station.ts'

const MOST_LISTED = 8

/**
 * The one peer that a reference means, the daemon's own among them. A name leads to no peer while another has it, too: nor
 * while that other one is silent, has failed or has left, for as long as the registry holds it. What is known by mDNS
 * alone, or by a record without a beat, holds its name only while it is there. With a source, only what is known by that counts.
 * @throws NoSuchPeer, AmbiguousPeer
 */
export function thePeer(reference: string, station: Station, source?: Source): PeerView {
  const meant = thosePeers(reference, station, source)
  const holding = meant.filter((peer) => isPresent(peer) || hasBeaten(peer))
  const peers = holding.length > 0 ? holding : meant
  const [first, ...others] = peers
  if (!first) throw new NoSuchPeer(reference)
  if (others.length > 0) throw new AmbiguousPeer(reference, listed(peers))
  return first
}

/** Every peer that a reference may mean, the daemon's own among them; if there is none, every host that is not listed. */
export function thosePeers(reference: string, station: Station, source?: Source): PeerView[] {
  const { reader } = station
  const known = (peers: readonly PeerView[]) => peers.flatMap((peer) => knownBy(source, peer) ?? [])
  const listed = closest(reference, known([...reader.find(reference, source), reader.ownPeer(station.now())]))
  return listed.length > 0 ? listed : closest(reference, known(reader.hidden()))
}

/** A record alone is one datagram, which anybody can send in any name. */
function hasBeaten({ source, beacons }: PeerView): boolean {
  return source === 'beacon' && beacons.heard > 0
}

/** `kitchen (k3vq7m2x, failed), kitchen (kitchen.local., by mDNS)` */
function listed(peers: readonly PeerView[]): string {
  const texts = peers.map(({ id, name, state, source }) => {
    const how = source === 'mdns' ? 'by mDNS' : state
    return `${name} (${source === 'mdns' ? `${id}.` : distinctId(id, peers)}, ${how})`
  })
  const more = texts.length - MOST_LISTED
  return more > 0 ? `${texts.slice(0, MOST_LISTED).join(', ')} and ${more} more` : texts.join(', ')
}

/** As much of an id as is shown, or more, so that it means no other of these peers. */
function distinctId(id: string, peers: readonly PeerView[]): string {
  for (let length = SHOWN_ID_CHARACTERS; length < id.length; length++) {
    const text = id.slice(0, length)
    if (peers.filter((peer) => peer.id.startsWith(text)).length === 1) return text
  }
  return id
}
