import { isPeerId } from '../../core/wire/id.ts'
import { formatDuration } from '../../shared/duration.ts'
import { BadRequest, MdnsOff, NoAnswer, NoSuchHost, NotProbed, TooBusy } from '../../shared/errors.ts'
import { expectedButFound } from '../services/user-input.ts'
import { addressesJson } from './api-json.ts'
import type { App, ControlDependencies } from './context.ts'
import type { Input } from './operations/operations.ts'
import { HOST_TIMEOUT_MS, PROBE_TIMEOUT_MS, TIMEOUT_RANGE } from './operations/request-values.ts'
import { routes } from './operations/requests.prebuilt.ts'
import { readDuration, resolvePeer } from './request-input.ts'

const MAX_CONCURRENT_PROBES = 64
const MAX_CONCURRENT_HOST_QUERIES = 64
/** All peers answer a query. Within this time after a query, further ones do nothing, ms. */
const QUERY_PAUSE_MS = 1000

/** The routes that send datagrams to the network. */
export function networkRoutes(app: App, deps: ControlDependencies): void {
  let probes = 0
  let hostQueries = 0
  let lastQueryAt = Number.NEGATIVE_INFINITY

  app.route<Input<'probe'>>({
    ...routes.probe,
    handler: async ({ params, query }) => {
      const timeout = readTimeout(query.timeout) ?? PROBE_TIMEOUT_MS
      const { id, name } = resolvePeer(params.reference, deps)
      if (id === deps.presence.self().id) throw new BadRequest(`'${name}' is this daemon: it does not probe itself`)
      if (!isPeerId(id)) throw new NotProbed(name)
      if (probes >= MAX_CONCURRENT_PROBES) throw new TooBusy(`${MAX_CONCURRENT_PROBES} probes under way`)
      probes++
      const rttMs = await deps.probe(id, timeout).finally(() => probes--)
      // A late answer may be read before the timer runs.
      if (rttMs === undefined || rttMs > timeout) throw new NoAnswer(name, formatDuration(timeout))
      return { peer: { id, name }, rttMs }
    },
  })

  app.route<Input<'host'>>({
    ...routes.host,
    handler: async ({ params, query }) => {
      const timeout = readTimeout(query.timeout) ?? HOST_TIMEOUT_MS
      const hostname = readHostname(params.hostname)
      if (!deps.mdns) throw new MdnsOff()
      if (hostQueries >= MAX_CONCURRENT_HOST_QUERIES) {
        throw new TooBusy(`${MAX_CONCURRENT_HOST_QUERIES} queries for hosts under way`)
      }
      hostQueries++
      const addresses = await deps.mdns.resolve(hostname, timeout).finally(() => hostQueries--)
      if (addresses.length === 0) throw new NoSuchHost(hostname, formatDuration(timeout))
      return { hostname, addresses: addressesJson(addresses) }
    },
  })

  app.route<Input<'query'>>({
    ...routes.query,
    handler: (_request, reply) => {
      const now = deps.now()
      if (now - lastQueryAt >= QUERY_PAUSE_MS) {
        lastQueryAt = now
        deps.query()
      }
      reply.code(202)
      return {}
    },
  })
}

/** @throws BadRequest */
function readTimeout(text: string | undefined): number | undefined {
  return text === undefined ? undefined : readDuration(text, 'querystring/timeout', TIMEOUT_RANGE)
}

/** Returns the host name without a final dot. @throws BadRequest */
function readHostname(text: string): string {
  const [, hostname] = /^(\P{Cc}{1,249}\.local)\.?$/iu.exec(text) ?? []
  if (hostname === undefined) {
    throw new BadRequest(expectedButFound('params/hostname', 'an mDNS host name such as printer.local', text))
  }
  return hostname
}
