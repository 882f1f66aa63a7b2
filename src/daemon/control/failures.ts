import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { ApiError } from '../../shared/api.ts'
import { BadRequest, BodyTooLarge, NoSuchRoute, WrongContentType } from '../../shared/errors.ts'
import { hasBody, MOST_BODY_BYTES } from './bodies.ts'
import { explain } from './explain.ts'
import { hangUp } from './hang-up.ts'
import { writeJson } from './json.ts'

const BAD_REQUEST = new BadRequest('').code
const JSON_TYPE = 'application/json; charset=utf-8'
/** RFC 6750, section 3. */
const CHALLENGE = ['www-authenticate', 'Bearer realm="earshot"'] as const
type Header = readonly [string, string]

/** Makes every failure an `Error` of the API: a refusal says what to do, an accident of ours is logged and not shown. */
export function answerFailure(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const failure = apiError(error, request)
  if (error.statusCode === undefined && !error.validation) {
    request.log.error({ err: error, url: request.url }, 'a request failed')
  }
  const connection = reply.raw.socket
  if (connection && !request.raw.complete && hasBody(request.headers)) {
    reply.hijack()
    request.raw.resume()
    hangUp(connection, rawAnswer(failure, headersOf(failure, request)))
    return
  }
  for (const [name, value] of headersOf(failure, request)) reply.header(name, value)
  reply.code(failure.statusCode).header('content-type', JSON_TYPE).send(failure)
}

/** @throws NoSuchRoute */
export function refuseUnknownRoute({ method, url }: FastifyRequest): never {
  throw new NoSuchRoute(method, url.split('?', 1)[0] ?? url)
}

/** The head and body of an answer to what is not even HTTP. */
export function rawFailure(statusCode: number, message: string): string {
  return rawAnswer(describe(statusCode, BAD_REQUEST, message))
}

/** What belongs to some failures beside the body. */
function headersOf({ statusCode }: ApiError, { routeOptions }: FastifyRequest): Header[] {
  const { allow } = routeOptions.config
  return [...(statusCode === 401 ? [CHALLENGE] : []), ...(allow ? [['allow', allow.join(', ')] as const] : [])]
}

function rawAnswer(failure: ApiError, headers: readonly Header[] = []): string {
  const body = writeJson(failure)
  const head = [
    `HTTP/1.1 ${failure.statusCode} ${failure.error}`,
    `Content-Type: ${JSON_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    ...headers.map((header) => header.join(': ')),
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}

function apiError(error: FastifyError, { headers }: FastifyRequest): ApiError {
  if (error.validation) {
    return describe(400, BAD_REQUEST, explain(error.validationContext ?? 'request', error.validation))
  }
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return apiErrorOf(new BodyTooLarge(MOST_BODY_BYTES))
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return apiErrorOf(new WrongContentType(headers['content-type'] ?? ''))
  }
  return apiErrorOf(error)
}

function apiErrorOf(error: FastifyError): ApiError {
  if (error.statusCode === undefined) {
    return describe(500, 'EARSHOT_INTERNAL', "this is a fault of earshotd: its log says more ('a request failed')")
  }
  // What the framework refuses by itself has codes of its own, which are no part of this API.
  const code = error.code?.startsWith('EARSHOT_') ? error.code : BAD_REQUEST
  return describe(error.statusCode, code, error.message)
}

function describe(statusCode: number, code: string, message: string): ApiError {
  return { statusCode, code, error: STATUS_CODES[statusCode] ?? 'Error', message }
}
