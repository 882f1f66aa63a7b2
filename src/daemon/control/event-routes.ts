import { Type } from 'typebox'
import { ErrorRef, EventRef, GapRef, ServiceEventRef, SyncRef } from '../../shared/api.ts'
import type { App, AppContext } from './app.ts'
import type { Beginning } from './event-reader.ts'
import { eventsTest } from './filter.ts'
import { flag, isOn } from './flag.ts'
import { LIST_PARAMETERS } from './list-routes.ts'
import { NameParameter, ServiceParameter } from './peer-routes.ts'
import { type Position, readPosition, readSince } from './position.ts'
import type { Station } from './station.ts'

const EventsQuery = Type.Object(
  {
    service: ServiceParameter,
    name: NameParameter,
    self: LIST_PARAMETERS.self,
    state: flag('Whether the stream begins with the present state'),
    since: Type.Optional(
      Type.String({
        maxLength: 128,
        description: 'Begin after this change: an `index`, or an event id. Goes before `state`',
      }),
    ),
  },
  { additionalProperties: false },
)

const EventsHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({ description: 'As `since`, sent by a browser that comes back. Goes before `since`' }),
  ),
})

const HEAD = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // The stream ends with its connection: nothing else will ever be asked on it.
  connection: 'close',
  'x-accel-buffering': 'no',
}

/** The call that goes on answering. */
export function eventRoutes(app: App, { station, readers, cameThroughSocket }: AppContext): void {
  app.get(
    '/v1/events',
    {
      exposeHeadRoute: false,
      schema: {
        operationId: 'events',
        summary: 'Changes as they happen, as Server-Sent Events',
        description:
          'The event name is the data’s `type`. `peer-up`, `peer-update`, `peer-suspect`, `peer-failed` and `peer-left` ' +
          '(schema Event) carry an id, EPOCH-INDEX, to resume from, and so do `service-up`, `service-update` and ' +
          '`service-down` (ServiceEvent), which follow the change of a peer that they come from. `peer` (Event) tells a part of the present state. ' +
          '`sync` (Sync) says that the reader now knows everything up to its index: it comes once at the beginning, ' +
          'after the present state or the missed changes if there are any. `gap` (Gap) says that changes were missed; ' +
          'the present state and a `sync` follow.',
        querystring: EventsQuery,
        headers: EventsHeaders,
        response: {
          200: {
            description: 'Until either side ends it',
            // One event's data; the stream is a text of many.
            content: { 'text/event-stream': { schema: Type.Union([EventRef, ServiceEventRef, SyncRef, GapRef]) } },
          },
          '4xx': ErrorRef,
          503: ErrorRef,
        },
      },
    },
    ({ query, headers, raw }, reply) => {
      const onLoopback = !cameThroughSocket(raw.socket)
      const test = eventsTest(query)
      const withOwn = isOn(query.self)
      const beginning = begin(query, headers['last-event-id'], station)
      readers.refuseOverLimit(onLoopback)
      reply.hijack()
      reply.raw.writeHead(200, HEAD)
      readers.add(reply.raw, onLoopback, { beginning, test, withOwn })
    },
  )
}

/** @throws BadRequest when `since` is not one of ours */
function begin(query: { since?: string; state?: string }, lastId: string | undefined, station: Station): Beginning {
  if (lastId) {
    // Whatever a browser sends was given by some daemon: what this one does not know is a gap.
    return positionOrGap(readPosition(lastId, station))
  }
  if (query.since !== undefined) return positionOrGap(readSince(query.since, station))
  return isOn(query.state) ? 'state' : 'now'
}

function positionOrGap(position: Position | undefined): Beginning {
  return position === undefined || position === 'elsewhere' ? 'gap' : position
}
