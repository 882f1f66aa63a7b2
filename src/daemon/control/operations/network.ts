import { Type } from 'typebox'
import { ErrorRef, HostRef, ProbeRef } from '../../../shared/api.ts'
import { formatDuration } from '../../../shared/duration.ts'
import { type OperationSchema, PeerReference } from './parameters.ts'
import { HOST_TIMEOUT_MS, PROBE_TIMEOUT_MS } from './request-values.ts'

/** The operations that send datagrams to the network. */

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

export const networkOperations = {
  probe: {
    method: 'POST',
    url: '/v1/probe/:reference',
    summary: 'Sends a probe to a peer, and measures the round-trip time',
    params: PeerReference,
    querystring: timeoutQuery(PROBE_TIMEOUT_MS),
    response: { 200: ProbeRef, '4xx': ErrorRef, 503: ErrorRef, 504: ErrorRef },
  },
  host: {
    method: 'GET',
    url: '/v1/hosts/:hostname',
    summary: 'Finds the addresses of a host by mDNS, in the cache or with a query',
    params: Type.Object({
      hostname: Type.String({ description: 'An mDNS host name', examples: ['printer.local'] }),
    }),
    querystring: timeoutQuery(HOST_TIMEOUT_MS),
    response: { 200: HostRef, '4xx': ErrorRef, 503: ErrorRef },
  },
  query: {
    method: 'POST',
    url: '/v1/query',
    summary: 'Asks all peers for their records',
    description: 'New peers, and changes that were missed, appear shortly after.',
    response: { 202: Type.Object({}, { description: 'The query was sent' }), '4xx': ErrorRef },
  },
} as const satisfies Record<string, OperationSchema>
