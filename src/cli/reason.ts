import type { Peer } from '../client/index.ts'
import { formatDuration } from '../shared/duration.ts'
import { LEASE_INTERVALS } from '../shared/peer-state.ts'
import { shortId } from './peer-text.ts'
import { printable } from './printable.ts'
import { since } from './time.ts'

/** Why a peer is in its state, in a sentence; undefined when it is simply alive. `now` is in ms since 1970. */
export function reasonOf(peer: Peer, now: number): string | undefined {
  const ago = since(peer.lastSeen, now)
  if (peer.source === 'mdns') return reasonByMdns(peer, now)
  const beat = `it beats every ${formatDuration(peer.intervalMs)}`
  switch (peer.state) {
    case 'suspect':
      return `Suspect: last heard ${ago} ago, though ${beat} (${LEASE_INTERVALS} missed make a suspect); it has been asked directly and has not answered yet.`
    case 'failed':
      return `Failed: last heard ${ago} ago, though ${beat}; it was asked directly and did not answer.`
    case 'left':
      return `Left: it said goodbye ${since(lastChange(peer), now)} ago.`
    case 'alive':
      return silentPaths(peer)
  }
}

/** Of what mDNS tells, nothing is proven: that is said, too. */
function reasonByMdns(peer: Peer, now: number): string {
  const ago = since(peer.lastSeen, now)
  if (peer.hidden) return reasonToHide(peer.hidden)
  switch (peer.state) {
    case 'suspect':
      return `Suspect: last heard ${ago} ago; it has been asked by mDNS and has not answered yet.`
    case 'failed':
      return `Failed: last heard ${ago} ago; it was asked by mDNS until its records expired, and did not answer.`
    case 'left':
      return `Left: it withdrew its services, or is known by its beacons, since ${since(lastChange(peer), now)}.`
    case 'alive':
      return 'Alive, as far as mDNS tells, where anyone can say anything: it is not heard by beacons of its own.'
  }
}

function reasonToHide({ id, name, because }: NonNullable<Peer['hidden']>): string {
  const whom = `'${printable(name)}' (${shortId(id)})`
  const why = because === 'claim' ? 'it says by mDNS that it is' : 'by mDNS it has an address at which is'
  return `Not listed: ${why} ${whom}. Nothing of that is signed: anyone could have said it.`
}

/** A path that went silent while the peer is heard on others tells of a fault in the network. */
function silentPaths({ paths, lastSeen, intervalMs }: Peer): string | undefined {
  const oldest = Date.parse(lastSeen) - 10 * intervalMs
  const silent = paths.filter(({ path, lastHeard }) => path !== 'unicast' && Date.parse(lastHeard) < oldest)
  if (silent.length === 0) return undefined
  const names = silent.map((path) => `${printable(path.interface)} ${path.path}`).join(', ')
  return `Alive, but no longer heard on ${names}: something on the way drops what is sent there.`
}

function lastChange({ history, lastSeen }: Peer): string {
  return history.at(-1)?.at ?? lastSeen
}
