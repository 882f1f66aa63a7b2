import { Type } from 'typebox'
import type { PeerView } from '../../core/presence/peers/types.ts'

/** By what something is known: by what its peer has signed, or by mDNS, where anyone may say anything. */
export type Source = PeerView['source']

export const SourceParameter = Type.Optional(
  Type.Enum(['beacon', 'mdns'], {
    description: '`beacon`: only what its peer has signed; `mdns`: only what was found by mDNS. Both unless given',
  }),
)

/** What is known by one source of a peer, as the registry's view or the API has it; undefined when that is not the peer itself. */
export function knownBy<Peer extends { source: Source; services: { source?: 'mdns' }[] }>(
  source: Source | undefined,
  peer: Peer,
): Peer | undefined {
  if (source !== undefined && peer.source !== source) return undefined
  if (source !== 'beacon' || peer.services.every((service) => service.source === undefined)) return peer
  return { ...peer, services: peer.services.filter((service) => service.source === undefined) }
}
