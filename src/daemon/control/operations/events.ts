import { Type } from 'typebox'
import { ErrorRef, EventRef, GapRef, ServiceEventRef, SyncRef } from '../../../shared/api.ts'
import { flag, NameParameter, type OperationSchema, SelfParameter, ServiceParameter } from './parameters.ts'

/** The event stream. */

const EventsQuery = Type.Object(
  {
    service: ServiceParameter,
    name: NameParameter,
    self: SelfParameter,
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

export const eventOperations = {
  events: {
    method: 'GET',
    url: '/v1/events',
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
    headers: Type.Object({
      'last-event-id': Type.Optional(
        Type.String({ description: 'The same as `since`, sent by a browser that reconnects. Overrides `since`' }),
      ),
    }),
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
} as const satisfies Record<string, OperationSchema>
