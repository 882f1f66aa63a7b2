import { Type } from 'typebox'
import { formatDuration, parseDuration } from '../config/duration.ts'
import { BadRequest, NoAnswer, TooBusy } from '../errors.ts'
import { ErrorRef, ProbeSchema } from './api.ts'
import type { App, AppContext } from './app.ts'
import { PeerReference } from './peer-routes.ts'
import { thePeer } from './the-peer.ts'

const DEFAULT_PROBE_MS = 1000
const SHORTEST_PROBE_MS = 1
const LONGEST_PROBE_MS = 10_000
const MOST_PROBES = 64
/** Everyone answers a query: asked again sooner than this, ms, the answers to the last one serve. */
const QUERY_PAUSE_MS = 1000

/** The calls that send something out at once. */
export function networkRoutes(app: App, { station }: AppContext): void {
  let probes = 0
  let askedAt = Number.NEGATIVE_INFINITY

  app.post(
    '/v1/probe/:reference',
    {
      schema: {
        operationId: 'probe',
        summary: 'Asks a peer for a sign of life, and takes the time',
        params: PeerReference,
        querystring: Type.Object(
          {
            timeout: Type.Optional(
              Type.String({ maxLength: 32, description: '1ms to 10s, 1s unless given', examples: ['500ms'] }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 200: ProbeSchema, '4xx': ErrorRef, 503: ErrorRef, 504: ErrorRef },
      },
    },
    async ({ params, query }) => {
      const timeout = readTimeout(query.timeout)
      const { id, name } = thePeer(params.reference, station)
      if (id === station.reader.self().id) throw new BadRequest(`'${name}' is this daemon: it does not probe itself`)
      if (probes >= MOST_PROBES) throw new TooBusy(`${MOST_PROBES} probes under way`)
      probes++
      const rttMs = await station.probe(id, timeout).finally(() => probes--)
      if (rttMs === undefined) throw new NoAnswer(name, formatDuration(timeout))
      return { peer: { id, name }, rttMs }
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
function readTimeout(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PROBE_MS
  const ms = parseDuration(text)
  if (ms === undefined || ms < SHORTEST_PROBE_MS || ms > LONGEST_PROBE_MS) {
    throw new BadRequest(`querystring/timeout must be a duration from 1ms to 10s such as 500ms, not '${text}'`)
  }
  return ms
}
