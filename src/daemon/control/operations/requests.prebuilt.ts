import { compileSchema, type Validator } from '../../../shared/compile-schema.ts'
import { OPERATIONS, type OperationId } from './operations.ts'
import type { OperationSchema } from './parameters.ts'

/** The routes of all operations: for Fastify, the schema of each part of a request is the function that checks it. */

export interface Route extends Pick<OperationSchema, 'method' | 'url'> {
  schema: Partial<Record<'params' | 'querystring' | 'headers' | 'body', Validator<unknown>>>
}

export const routes = Object.fromEntries(
  Object.entries(OPERATIONS).map(([id, operation]) => [id, routeOf(operation)]),
) as Record<OperationId, Route>

function routeOf({ method, url, params, querystring, headers, body }: OperationSchema): Route {
  return {
    method,
    url,
    schema: {
      ...(params && { params: compileSchema(params) }),
      // Parameters are texts, and a parameter that may be repeated is a list, also if it comes once.
      ...(querystring && { querystring: compileSchema(querystring, { convert: true }) }),
      ...(headers && { headers: compileSchema(headers) }),
      ...(body && { body: compileSchema(body) }),
    },
  }
}
