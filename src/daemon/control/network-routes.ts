import { Type } from 'typebox'
import { isPeerId } from '../../core/wire/id.ts'
import { ErrorRef, HostRef, ProbeRef } from '../../shared/api.ts'
import { formatDuration, parseDuration } from '../../shared/duration.ts'
import { BadRequest, MdnsOff, NoAnswer, NoSuchHost, NotProbed, TooBusy } from '../../shared/errors.ts'
import type { App, AppContext } from './app.ts'
import { PeerReference } from './peer-routes.ts'
import { thePeer } from './the-peer.ts'
import { addressesJson } from './views.ts'

/** How long a peer's answer to a probe is awaited, ms. */
const PROBE_TIMEOUT_MS = 1000
/**
 * The same for answers by mDNS. A host that has just announced its addresses need not repeat them for a second, and is
 * asked again after that (RFC 6762, section 6).
 */
const HOST_TIMEOUT_MS = 3000
const SHORTEST_TIMEOUT_MS = 1
const LONGEST_TIMEOUT_MS = 10_000
const MOST_PROBES = 64
const MOST_HOSTS_ASKED = 64
/** Everyone answers a query: asked again sooner than this, ms, the answers to the last one serve. */
const QUERY_PAUSE_MS = 1000

const timeoutQuery = (unlessGiven: number) =>
  Type.Object(
    {
      timeout: Type.Optional(
        Type.String({
          maxLength: 32,
          description: `1ms to 10s, ${formatDuration(unlessGiven)} unless given`,
          examples: ['500ms'],
        }),
      ),
    },
    { additionalProperties: false },
  )
const HostParams = Type.Object({
  hostname: Type.String({ description: 'A host name of mDNS', examples: ['printer.local'] }),
})

/** The calls that send something out at once. */
export function networkRoutes(app: App, { station }: AppContext): void {
  let probes = 0
  let hostsAsked = 0
  let askedAt = Number.NEGATIVE_INFINITY

  app.post(
    '/v1/probe/:reference',
    {
      schema: {
        operationId: 'probe',
        summary: 'Asks a peer for a sign of life, and takes the time',
        params: PeerReference,
        querystring: timeoutQuery(PROBE_TIMEOUT_MS),
        response: { 200: ProbeRef, '4xx': ErrorRef, 503: ErrorRef, 504: ErrorRef },
      },
    },
    async ({ params, query }) => {
      const timeout = readTimeout(query.timeout, PROBE_TIMEOUT_MS)
      const { id, name } = thePeer(params.reference, station)
      if (id === station.reader.self().id) throw new BadRequest(`'${name}' is this daemon: it does not probe itself`)
      if (!isPeerId(id)) throw new NotProbed(name)
      if (probes >= MOST_PROBES) throw new TooBusy(`${MOST_PROBES} probes under way`)
      probes++
      const rttMs = await station.probe(id, timeout).finally(() => probes--)
      // An answer may come before the timer is looked at, and yet too late.
      if (rttMs === undefined || rttMs > timeout) throw new NoAnswer(name, formatDuration(timeout))
      return { peer: { id, name }, rttMs }
    },
  )

  app.get(
    '/v1/hosts/:hostname',
    {
      schema: {
        operationId: 'host',
        summary: "A host's addresses, by mDNS: as they are known, else as they are answered",
        params: HostParams,
        querystring: timeoutQuery(HOST_TIMEOUT_MS),
        response: { 200: HostRef, '4xx': ErrorRef, 503: ErrorRef },
      },
    },
    async ({ params, query }) => {
      const timeout = readTimeout(query.timeout, HOST_TIMEOUT_MS)
      const hostname = readHostname(params.hostname)
      if (!station.mdns) throw new MdnsOff()
      if (hostsAsked >= MOST_HOSTS_ASKED) throw new TooBusy(`${MOST_HOSTS_ASKED} hosts being asked for`)
      hostsAsked++
      const addresses = await station.mdns.resolve(hostname, timeout).finally(() => hostsAsked--)
      if (addresses.length === 0) throw new NoSuchHost(hostname, formatDuration(timeout))
      return { hostname, addresses: addressesJson({ addresses }) }
    },
  )

  app.post(
    '/v1/query',
    {
      schema: {
        operationId: 'query',
        summary: 'Asks every peer for its record',
        description: 'Peers that were not known, or have changed unheard, show up in the moments after.',
        response: { 202: Type.Object({}, { description: 'It has been asked' }), '4xx': ErrorRef },
      },
    },
    (_request, reply) => {
      const now = station.now()
      if (now - askedAt >= QUERY_PAUSE_MS) {
        askedAt = now
        station.query()
      }
      reply.code(202)
      return {}
    },
  )
}

/** @throws BadRequest */
function readTimeout(text: string | undefined, unlessGiven: number): number {
  if (text === undefined) return unlessGiven
  const ms = parseDuration(text)
  if (ms === undefined || ms < SHORTEST_TIMEOUT_MS || ms > LONGEST_TIMEOUT_MS) {
    throw new BadRequest(`querystring/timeout must be a duration from 1ms to 10s such as 500ms, not '${text}'`)
  }
  return ms
}

/** Without the final dot. @throws BadRequest */
function readHostname(text: string): string {
  const [, hostname] = /^(\P{Cc}{1,249}\.local)\.?$/iu.exec(text) ?? []
  if (hostname === undefined) {
    throw new BadRequest(`params/hostname must be a host name of mDNS such as printer.local, not '${text}'`)
  }
  return hostname
}
