import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify'
import { BadRequest, NoSuchRoute } from '../errors.ts'
import type { ApiError } from './api.ts'

const BAD_REQUEST = new BadRequest('').code

/** Makes every failure an `Error` of the API: a refusal says what to do, an accident of ours is logged and not shown. */
export function answerFailure(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const failure = apiError(error)
  if (error.statusCode === undefined && !error.validation) {
    request.log.error({ err: error, url: request.url }, 'a request failed')
  }
  reply.code(failure.statusCode).header('content-type', 'application/json; charset=utf-8').send(failure)
}

/** @throws NoSuchRoute */
export function refuseUnknownRoute({ method, url }: FastifyRequest): never {
  throw new NoSuchRoute(method, url.split('?', 1)[0] ?? url)
}

/** The head and body of an answer to what is not even HTTP. */
export function rawFailure(statusCode: number, message: string): string {
  const body = JSON.stringify(describe(statusCode, BAD_REQUEST, message))
  const head = `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode] ?? ''}\r\nContent-Type: application/json; charset=utf-8`
  return `${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`
}

function apiError(error: FastifyError): ApiError {
  if (error.validation) {
    const where = error.validationContext ?? 'request'
    const message = error.validation.map((failed) => sentence(where, failed)).join('; ')
    return describe(400, BAD_REQUEST, message)
  }
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

/** What Ajv found, as a sentence that names the field. */
function sentence(where: string, { keyword, instancePath, params, message }: FastifySchemaValidationError): string {
  const field = `${where}${instancePath}`
  const { additionalProperty, allowedValues } = params
  if (keyword === 'additionalProperties') return `${field} has no parameter '${additionalProperty}'`
  if (Array.isArray(allowedValues)) return `${field} must be one of ${allowedValues.join(', ')}`
  return `${field} ${message ?? 'is not valid'}`
}
