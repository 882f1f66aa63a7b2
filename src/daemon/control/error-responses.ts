import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { ApiError } from '../../shared/api.ts'
import { BadRequest, BodyTooLarge, NoSuchRoute, WrongContentType } from '../../shared/errors.ts'
import { describeValidationErrors } from '../services/user-input.ts'
import { writeJson } from './api-json.ts'
import { nodeHttp } from './node-http.ts'
import { hasBody, MAX_BODY_BYTES } from './request-input.ts'

const BAD_REQUEST = new BadRequest('').code
const INTERNAL = 'EARSHOT_INTERNAL'
const JSON_TYPE = 'application/json; charset=utf-8'
/** RFC 6750, section 3. */
const BEARER_CHALLENGE = ['www-authenticate', 'Bearer realm="earshot"'] as const
type Header = readonly [string, string]
/** Time for the client to read the last answer and to close, ms. It would lose the answer if the connection closed at once. */
const LINGER_MS = 1000

/**
 * Fastify's error handler: answers with the API's `Error`. An unexpected error is logged; its message is not shown to the
 * client.
 */
export function sendError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const answer = apiError(error, request)
  if (error.statusCode === undefined && !error.validation) {
    request.log.error({ err: error, url: request.url }, 'a request failed')
  }
  const connection = reply.raw.socket
  if (connection && !request.raw.complete && hasBody(request.headers)) {
    // The rest of the body is not wanted, so the connection cannot be used again.
    reply.hijack()
    request.raw.resume()
    endConnection(connection, formatResponse(answer, headersOf(answer, request)))
    return
  }
  for (const [name, value] of headersOf(answer, request)) reply.header(name, value)
  reply.code(answer.statusCode).header('content-type', JSON_TYPE).send(answer)
}

/** Fastify's handler for unknown URLs. @throws NoSuchRoute */
export function throwNoSuchRoute({ method, url }: FastifyRequest): never {
  throw new NoSuchRoute(method, url.split('?', 1)[0] ?? url)
}

/**
 * Answers with an error where Fastify is not involved, for example if the request is not valid HTTP, and closes the
 * connection.
 */
export function refuseConnection(connection: Socket, statusCode: number, message: string): void {
  const code = statusCode < 500 ? BAD_REQUEST : INTERNAL
  endConnection(connection, formatResponse(toApiError(statusCode, code, message)))
}

/** Sends the last bytes, and closes the connection soon even if the client does not. Does nothing when it is closed. */
function endConnection(connection: Socket, lastBytes: string): void {
  // The timer would keep the process alive.
  if (connection.destroyed) return
  connection.end(lastBytes)
  const timer = setTimeout(() => connection.destroy(), LINGER_MS)
  connection.once('close', () => clearTimeout(timer))
}

/** The headers that some errors need. */
function headersOf({ statusCode }: ApiError, { routeOptions }: FastifyRequest): Header[] {
  const { allow } = routeOptions.config
  return [...(statusCode === 401 ? [BEARER_CHALLENGE] : []), ...(allow ? [['allow', allow.join(', ')] as const] : [])]
}

/** Formats an HTTP response. */
function formatResponse(answer: ApiError, headers: readonly Header[] = []): string {
  const body = writeJson(answer)
  const head = [
    `HTTP/1.1 ${answer.statusCode} ${answer.error}`,
    `Content-Type: ${JSON_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    ...headers.map((header) => header.join(': ')),
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}

function apiError(error: FastifyError, { headers }: FastifyRequest): ApiError {
  if (error.validation) {
    const place = (pointer: string) => `${error.validationContext ?? 'request'}${pointer}`
    return toApiError(400, BAD_REQUEST, describeValidationErrors(error.validation, place))
  }
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return apiErrorOf(new BodyTooLarge(MAX_BODY_BYTES))
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return apiErrorOf(new WrongContentType(headers['content-type'] ?? ''))
  }
  return apiErrorOf(error)
}

function apiErrorOf(error: FastifyError): ApiError {
  if (error.statusCode === undefined) {
    return toApiError(500, INTERNAL, "internal error of earshotd: see 'a request failed' in its log")
  }
  // Fastify's own error codes are not part of this API.
  const code = error.code?.startsWith('EARSHOT_') ? error.code : BAD_REQUEST
  return toApiError(error.statusCode, code, error.message)
}

function toApiError(statusCode: number, code: string, message: string): ApiError {
  return { statusCode, code, error: nodeHttp().STATUS_CODES[statusCode] ?? 'Error', message }
}
