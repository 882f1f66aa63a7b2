import type { Static, TSchema } from 'typebox'
import { eventOperations } from './events.ts'
import { listOperations } from './lists.ts'
import { networkOperations } from './network.ts'
import { ownOperations } from './own.ts'

/**
 * All operations of the HTTP API by their `operationId`. At run time, only files `*.prebuilt.ts` import this: the routes
 * take the checks of requests from `requests.prebuilt.ts`.
 */
export const OPERATIONS = { ...listOperations, ...ownOperations, ...networkOperations, ...eventOperations }

export type OperationId = keyof typeof OPERATIONS

type Part<Id extends OperationId, Key extends string> =
  (typeof OPERATIONS)[Id] extends Record<Key, infer Schema>
    ? Schema extends TSchema
      ? Static<Schema>
      : unknown
    : unknown

/** The checked parts of a request, as Fastify names them. */
export interface Input<Id extends OperationId> {
  Params: Part<Id, 'params'>
  Querystring: Part<Id, 'querystring'>
  Headers: Part<Id, 'headers'>
  Body: Part<Id, 'body'>
}
