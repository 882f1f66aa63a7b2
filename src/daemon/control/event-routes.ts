import type { Socket } from 'node:net'
import { Type } from 'typebox'
import { ErrorRef, EventRef, GapRef, ServiceEventRef, SyncRef } from '../../shared/api.ts'
import type { App, ControlDependencies } from './context.ts'
import type { EventStreams, StreamStart } from './event-streams.ts'
import { LIST_PARAMETERS } from './list-responses.ts'
import { eventFilter } from './peer-filter.ts'
import { flag, isOn, NameParameter, type Position, readPosition, readSince, ServiceParameter } from './request-input.ts'

const EventsQuery = Type.Object(
  {
    service: ServiceParameter,
    name: NameParameter,
    self: LIST_PARAMETERS.self,
    state: flag('Whether to begin with the present state'),
    since: Type.Optional(
      Type.String({
        maxLength: 128,
        description: 'Begin after this change: an `index`, or an event id. Overrides `state`',
      }),
    ),
  },
  { additionalProperties: false },
)

const EventsHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({ description: 'The same as `since`, sent by a browser that reconnects. Overrides `since`' }),
  ),
})

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
  app.get(
    '/v1/events',
    {
      exposeHeadRoute: false,
      schema: {
        operationId: 'events',
        summary: 'Streams changes as Server-Sent Events',
        description:
          'The event name is the `type` of the data. `peer-up`, `peer-update`, `peer-suspect`, `peer-failed` and `peer-left` ' +
          '(schema Event) are changes of peers. `service-up`, `service-update` and `service-down` (ServiceEvent) are ' +
          'changes of services, and follow the change of the peer that caused them. All changes and `sync` have an id, ' +
          'EPOCH-INDEX, from which the stream can be resumed. `peer` (Event) is one peer of the present state. `sync` ' +
          '(Sync) means that the client is up to date: it comes once at the beginning, after the present state or the ' +
          'missed changes if there are any. `gap` (Gap) means that changes were missed; the present state and a `sync` ' +
          'follow.',
        querystring: EventsQuery,
        headers: EventsHeaders,
        response: {
          200: {
            description: 'A stream that lasts until one side ends it',
            // The data of one event.
            content: { 'text/event-stream': { schema: Type.Union([EventRef, ServiceEventRef, SyncRef, GapRef]) } },
          },
          '4xx': ErrorRef,
          503: ErrorRef,
        },
      },
    },
    ({ query, headers, raw }, reply) => {
      const onLoopback = !isOnSocket(raw.socket)
      const test = eventFilter(query)
      const start = readStart(query, headers['last-event-id'], deps)
      streams.throwIfFull(onLoopback)
      reply.hijack()
      reply.raw.writeHead(200, RESPONSE_HEADERS)
      streams.add(reply.raw, onLoopback, { start, test, withOwn: isOn(query.self) })
    },
  )
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
