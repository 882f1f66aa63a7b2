import type { Socket } from 'node:net'
import type { App, ControlDependencies } from './context.ts'
import type { EventStreams, StreamStart } from './event-streams.ts'
import type { Input } from './operations/operations.ts'
import { routes } from './operations/requests.prebuilt.ts'
import { eventFilter } from './peer-filter.ts'
import { isOn, type Position, readPosition, readSince } from './request-input.ts'

const RESPONSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // The stream ends with its connection, which therefore serves no other requests.
  connection: 'close',
  'x-accel-buffering': 'no',
}

interface EventRouteOptions {
  streams: EventStreams
  isOnSocket(connection: Socket): boolean
}

/** The route of the event stream. */
export function eventRoutes(app: App, deps: ControlDependencies, { streams, isOnSocket }: EventRouteOptions): void {
  app.route<Input<'events'>>({
    ...routes.events,
    exposeHeadRoute: false,
    handler: ({ query, headers, raw }, reply) => {
      const onLoopback = !isOnSocket(raw.socket)
      const test = eventFilter(query)
      const start = readStart(query, headers['last-event-id'], deps)
      streams.throwIfFull(onLoopback)
      reply.hijack()
      reply.raw.writeHead(200, RESPONSE_HEADERS)
      streams.add(reply.raw, onLoopback, { start, test, withOwn: isOn(query.self) })
    },
  })
}

/** @throws BadRequest if `since` is not an index or an event id */
function readStart(
  query: { since?: string; state?: string },
  lastEventId: string | undefined,
  deps: ControlDependencies,
): StreamStart {
  // An id that a browser sends may come from any other program on this port: it is a gap, not an error.
  if (lastEventId) return startAt(readPosition(lastEventId, deps))
  if (query.since !== undefined) return startAt(readSince(query.since, deps))
  return isOn(query.state) ? 'state' : 'now'
}

function startAt(position: Position | undefined): StreamStart {
  return position === undefined || position === 'elsewhere' ? 'gap' : position
}
