import type { IncomingHttpHeaders } from 'node:http'
import { Ajv } from 'ajv'
import type { FastifyRequest, FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { isNestedDeeper, MAX_NESTING } from '../../core/wire/index.ts'
import { messageOf } from '../../shared/caught-error.ts'
import { BadRequest, WrongContentType } from '../../shared/errors.ts'
import type { App } from './app.ts'

/** A record has 16 KiB at most, so nothing longer can become a part of one. */
export const MOST_BODY_BYTES = 64 * 1024
export const JSON_TYPES = ['application/json', 'application/merge-patch+json']

// Unlike a parameter, a body says what type its values are: nothing is converted.
const ajv = new Ajv({ strict: false, strictNumbers: true, verbose: true })
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Checks a body as it is written. For the routes that take one. */
export const checkBody: FastifySchemaCompiler<TSchema> = ({ schema }) => ajv.compile(schema)

/** Reads bodies as JSON in UTF-8, and nothing else. */
export function readBodies(app: App): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>(JSON_TYPES, { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) =>
    takesBody(request) ? parseJson(body) : refuseUnlessEmpty(request, body),
  )
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    if (takesBody(request)) throw new WrongContentType(request.headers['content-type'] ?? '')
    return refuseUnlessEmpty(request, body)
  })
}

/** Whether a body of no length may come: one that is sent in chunks does not say beforehand that it is empty. */
export function mayBeEmpty({ method, headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined && (method === 'POST' || method === 'DELETE')
}

function takesBody({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.schema?.body !== undefined
}

/** @throws BadRequest */
function refuseUnlessEmpty({ method, routeOptions }: FastifyRequest, body: Buffer): undefined {
  if (body.length > 0) throw new BadRequest(`${method} ${routeOptions.url} takes no body`)
}

/** Whether a body comes behind these headers (RFC 9112, section 6.3). */
export function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** @throws BadRequest */
function parseJson(body: Buffer): unknown {
  let text: string
  try {
    text = utf8.decode(body)
  } catch {
    throw new BadRequest('the body is not UTF-8')
  }
  // Deeper ones cannot even be shown in an error: JSON.stringify calls itself for each level.
  if (isNestedDeeper(body, MAX_NESTING)) {
    throw new BadRequest(`the body has more than ${MAX_NESTING} objects and arrays within one another`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new BadRequest(`the body is not JSON: ${messageOf(error)}`)
  }
}
