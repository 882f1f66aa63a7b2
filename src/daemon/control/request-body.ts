import type { IncomingHttpHeaders } from 'node:http'
import { Ajv } from 'ajv'
import type { FastifyRequest, FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { isNestedDeeper, MAX_NESTING } from '../../core/wire/record.ts'
import { messageOf } from '../../shared/caught-error.ts'
import { BadRequest, WrongContentType } from '../../shared/errors.ts'
import type { App } from './context.ts'

/** A record has at most 16 KiB, so a longer body can never become part of one. */
export const MAX_BODY_BYTES = 64 * 1024
export const JSON_TYPES = ['application/json', 'application/merge-patch+json']

// JSON has types, so nothing is converted, unlike in parameters.
const ajv = new Ajv({ strict: false, strictNumbers: true, verbose: true })
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Validates without converting types. For routes that take JSON, or an id that may look like a number. */
export const bodyValidator: FastifySchemaCompiler<TSchema> = ({ schema }) => ajv.compile(schema)

/** Makes the application accept only bodies that are JSON in UTF-8, and only on routes that take a body. */
export function parseBodies(app: App): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>(JSON_TYPES, { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) =>
    takesBody(request) ? parseJson(body) : refuseUnlessEmpty(request, body),
  )
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    if (takesBody(request)) throw new WrongContentType(request.headers['content-type'] ?? '')
    return refuseUnlessEmpty(request, body)
  })
}

/** Whether the body may be empty although the headers announce one: a chunked body has no length in the headers. */
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

/** Whether the headers announce a body (RFC 9112, section 6.3). */
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
  // `JSON.stringify` is recursive: a deeper value could not even be shown in an error.
  if (isNestedDeeper(body, MAX_NESTING)) {
    throw new BadRequest(`the body nests objects and arrays more than ${MAX_NESTING} levels deep`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new BadRequest(`the body is not JSON: ${messageOf(error)}`)
  }
}
