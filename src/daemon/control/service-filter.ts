import { closest, waysOf } from '../../core/presence/peers/lookup.ts'
import type { OfferedService, PeerView } from '../../core/presence/peers/types.ts'
import { serviceTypes, stateTest } from './filter.ts'
import type { Source } from './source.ts'
import type { Station } from './station.ts'
import { thosePeers } from './the-peer.ts'

/** What `GET /v1/services` asks for; parameters are joined by «and», the values of one parameter by «or». */
export interface ServiceQuery {
  type?: readonly string[] | undefined
  /** Instance names. */
  name?: readonly string[] | undefined
  /** Ids, names, or beginnings of ids. */
  peer?: readonly string[] | undefined
  state?: readonly string[] | undefined
  source?: Source | undefined
}

/**
 * What picks out of a peer the services that are asked for: none when it is not the peer.
 * @throws BadRequest
 */
export function servicesAsked(query: ServiceQuery, station: Station): (peer: PeerView) => OfferedService[] {
  const { name, peer, source } = query
  const types = query.type?.flatMap((text) => serviceTypes(text, 'type'))
  const isInState = stateTest(query.state)
  const passes = (service: OfferedService) =>
    (!source || (service.source ?? 'beacon') === source) &&
    (!types || types.includes(service.type.toLowerCase())) &&
    (!name || name.includes(service.name))
  const isMeant = peer && peerMatcher(peer, station)
  return (view) => ((!isMeant || isMeant(view)) && isInState(view) ? view.services.filter(passes) : [])
}

/** Whether a peer is one of those that these references may mean. */
function peerMatcher(references: readonly string[], station: Station): (peer: PeerView) => boolean {
  const tests = references.map((reference) => meaningTest(reference, station))
  return (view) => tests.some((mayMean) => mayMean(view))
}

/** All that a reference may mean are meant in the same way, so a peer is compared with one of them, looked for once for each index. */
function meaningTest(reference: string, station: Station): (peer: PeerView) => boolean {
  const wayOf = waysOf(reference)
  let index: number | undefined
  let meant: PeerView[] = []
  return (view) => {
    if (wayOf(view) === undefined) return false
    if (index !== station.reader.index) {
      index = station.reader.index
      meant = thosePeers(reference, station).slice(0, 1)
    }
    return closest(reference, [view, ...meant]).includes(view)
  }
}
