import { Type } from 'typebox'
import { isPeerId } from '../../core/wire/id.ts'
import { ErrorRef, HostRef, ProbeRef } from '../../shared/api.ts'
import { formatDuration } from '../../shared/duration.ts'
import { BadRequest, MdnsOff, NoAnswer, NoSuchHost, NotProbed, TooBusy } from '../../shared/errors.ts'
import { expectedButFound } from '../services/user-input.ts'
import { addressesJson } from './api-json.ts'
import type { App, ControlDependencies } from './context.ts'
import { type DurationRange, PeerReference, readDuration, resolvePeer } from './request-input.ts'

/** Default timeout of a probe, ms. */
const PROBE_TIMEOUT_MS = 1000
/**
 * Default timeout of an mDNS query, ms. A host that has just multicast its addresses may not multicast them again for one
 * second, and is then asked again (RFC 6762, section 6).
 */
const HOST_TIMEOUT_MS = 3000
const TIMEOUT_RANGE: DurationRange = { min: 1, max: 10_000, expected: 'a duration from 1ms to 10s such as 500ms' }
const MAX_CONCURRENT_PROBES = 64
const MAX_CONCURRENT_HOST_QUERIES = 64
/** All peers answer a query. Within this time after a query, further ones do nothing, ms. */
const QUERY_PAUSE_MS = 1000

const timeoutQuery = (defaultMs: number) =>
  Type.Object(
    {
      timeout: Type.Optional(
        Type.String({
          maxLength: 32,
          description: `1ms to 10s. Default: ${formatDuration(defaultMs)}`,
          examples: ['500ms'],
        }),
      ),
    },
    { additionalProperties: false },
  )
const HostParams = Type.Object({
  hostname: Type.String({ description: 'An mDNS host name', examples: ['printer.local'] }),
})

/** The routes that send datagrams to the network. */
export function networkRoutes(app: App, deps: ControlDependencies): void {
  let probes = 0
  let hostQueries = 0
  let lastQueryAt = Number.NEGATIVE_INFINITY

  app.post(
    '/v1/probe/:reference',
    {
      schema: {
        operationId: 'probe',
        summary: 'Sends a probe to a peer, and measures the round-trip time',
        params: PeerReference,
        querystring: timeoutQuery(PROBE_TIMEOUT_MS),
        response: { 200: ProbeRef, '4xx': ErrorRef, 503: ErrorRef, 504: ErrorRef },
      },
    },
    async ({ params, query }) => {
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
  )

  app.get(
    '/v1/hosts/:hostname',
    {
      schema: {
        operationId: 'host',
        summary: 'Finds the addresses of a host by mDNS, in the cache or with a query',
        params: HostParams,
        querystring: timeoutQuery(HOST_TIMEOUT_MS),
        response: { 200: HostRef, '4xx': ErrorRef, 503: ErrorRef },
      },
    },
    async ({ params, query }) => {
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
  )

  app.post(
    '/v1/query',
    {
      schema: {
        operationId: 'query',
        summary: 'Asks all peers for their records',
        description: 'New peers, and changes that were missed, appear shortly after.',
        response: { 202: Type.Object({}, { description: 'The query was sent' }), '4xx': ErrorRef },
      },
    },
    (_request, reply) => {
      const now = deps.now()
      if (now - lastQueryAt >= QUERY_PAUSE_MS) {
        lastQueryAt = now
        deps.query()
      }
      reply.code(202)
      return {}
    },
  )
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
