import type { PeerFilter, Peers } from '../client/index.ts'
import type { PeerQuery } from '../daemon/control/filter.ts'

const LISTENING_MS = 1000

/**
 * Who is there when no daemon runs to tell: listens and asks for a second, where the daemon's own settings
 * (environment, config file) say. Loads the daemon's modules only now, since other commands do without.
 * @throws BadConfig, BadRequest, PortInUse
 */
export async function listenInstead(filter: PeerFilter): Promise<Peers> {
  const [{ listenOnce }, { loadConfig, factsOfProcess }, { peersAsked }] = await Promise.all([
    import('../daemon/discovery.ts'),
    import('../daemon/config/index.ts'),
    import('../daemon/control/filter.ts'),
  ])
  // A filter that makes no sense should not cost a second first.
  const asked = peersAsked(queryOf(filter))
  const config = loadConfig({}, factsOfProcess())
  const heard = await listenOnce({
    milliseconds: LISTENING_MS,
    port: config.port,
    group4: config.group4,
    group6: config.group6,
    include: config.interface,
    exclude: config.exclude,
    mdns: config.mdns,
  })
  return { ...heard, peers: heard.peers.flatMap((peer) => asked(peer) ?? []) }
}

/** The filter as the query parameters that the API's own test is made from. */
function queryOf({ service, state, source, attributes = {} }: PeerFilter): PeerQuery {
  const pairs = Object.entries(attributes).map(([key, value]) => [`attr.${key}`, [String(value)]])
  return {
    ...Object.fromEntries(pairs),
    ...(service !== undefined && { service: [service].flat() }),
    ...(state !== undefined && { state: [state].flat() }),
    source,
  }
}
