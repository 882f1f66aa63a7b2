import { bestMatches, referenceMatcher } from '../../core/presence/peers/peer-reference.ts'
import type { OfferedService, PeerView } from '../../core/presence/peers/types.ts'
import type { Offer } from '../../shared/api.ts'
import { offerJson, peerJson } from './api-json.ts'
import type { App, ControlDependencies } from './context.ts'
import type { ListResponses } from './list-responses.ts'
import type { Input } from './operations/operations.ts'
import { routes } from './operations/requests.prebuilt.ts'
import { peerFilter, type Source, serviceTypes, stateFilter } from './peer-filter.ts'
import { PeerTexts } from './peer-texts.ts'
import { matchingPeers, resolvePeer } from './request-input.ts'

/** The routes that read peers and their services. */
export function peerRoutes(app: App, deps: ControlDependencies, lists: ListResponses): void {
  const wallClock = deps.wallClock.bind(deps)
  const texts = new PeerTexts(wallClock)

  app.route<Input<'peers'>>({
    ...routes.peers,
    handler: ({ query, raw }, reply) => {
      const { since, wait, self, hidden, ...conditions } = query
      const filter = peerFilter(conditions)
      texts.begin()
      const request = {
        query: `peers ${JSON.stringify(conditions)}`,
        parameters: { since, wait, self, hidden },
        affects: (before: PeerView | undefined, after: PeerView) =>
          filter(after) !== undefined || (before && filter(before)) !== undefined,
        member: 'peers',
        itemsOf: (view: PeerView) => filter(view) ?? [],
        write: (view: PeerView) => texts.peer(view),
      }
      return lists.send(request, raw, reply)
    },
  })

  app.route<Input<'peer'>>({
    ...routes.peer,
    handler: ({ params, query }) => peerJson(resolvePeer(params.reference, deps, query.source), wallClock),
  })

  app.route<Input<'services'>>({
    ...routes.services,
    handler: ({ query, raw }, reply) => {
      const { since, wait, self, ...conditions } = query
      const filter = serviceFilter(conditions, deps)
      texts.begin()
      const offers = (peer: PeerView) => filter(peer).map((service) => offerJson(service, peer))
      const request = {
        query: `services ${JSON.stringify(conditions)}`,
        parameters: { since, wait, self },
        affects: (before: PeerView | undefined, after: PeerView) =>
          !isEqual(before ? offers(before) : [], offers(after)),
        member: 'services',
        itemsOf: (peer: PeerView) => filter(peer).map((service) => ({ service, peer })),
        write: ({ service, peer }: ServiceOfPeer) => texts.offer(service, peer),
      }
      return lists.send(request, raw, reply)
    },
  })
}

interface ServiceOfPeer {
  service: OfferedService
  peer: PeerView
}

/** The query of `GET /v1/services`: a service must match every parameter, and one of the values of each. */
interface ServiceQuery {
  type?: readonly string[] | undefined
  /** Instance names. */
  name?: readonly string[] | undefined
  /** References to peers; see `bestMatches`. */
  peer?: readonly string[] | undefined
  state?: readonly string[] | undefined
  source?: Source | undefined
}

/**
 * Makes the filter of `GET /v1/services`: it returns the services of a peer that match.
 * @throws BadRequest
 */
function serviceFilter(query: ServiceQuery, deps: ControlDependencies): (peer: PeerView) => OfferedService[] {
  const { name, peer, source } = query
  const types = query.type?.flatMap((text) => serviceTypes(text, 'type'))
  const isInState = stateFilter(query.state)
  const references = peer?.map((reference) => referenceTest(reference, deps))
  const isReferenced = (view: PeerView) => !references || references.some((mayMean) => mayMean(view))
  const matches = (service: OfferedService) =>
    (!source || (service.source ?? 'beacon') === source) &&
    (!types || types.includes(service.type.toLowerCase())) &&
    (!name || name.includes(service.name))
  return (view) => (isReferenced(view) && isInState(view) ? view.services.filter(matches) : [])
}

/**
 * Makes the test whether a reference may mean a peer. All peers that a reference may mean match it in the same way, by id,
 * name or beginning of the id. So the test compares with one of them, which it looks up once per index.
 */
function referenceTest(reference: string, deps: ControlDependencies): (peer: PeerView) => boolean {
  const wayOf = referenceMatcher(reference)
  let index: number | undefined
  let match: PeerView[] = []
  return (view) => {
    if (wayOf(view) === undefined) return false
    if (index !== deps.presence.index) {
      index = deps.presence.index
      match = matchingPeers(reference, deps).slice(0, 1)
    }
    return bestMatches(reference, [view, ...match]).includes(view)
  }
}

function isEqual(before: readonly Offer[], after: readonly Offer[]): boolean {
  if (before.length !== after.length) return false
  return before.length === 0 || JSON.stringify(before) === JSON.stringify(after)
}
