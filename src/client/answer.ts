import type { IncomingMessage } from 'node:http'
import type { ApiError } from '../shared/api.ts'
import { EarshotError } from './error.ts'

export async function readBody(answer: IncomingMessage): Promise<string> {
  answer.setEncoding('utf8')
  let body = ''
  for await (const chunk of answer) body += chunk
  return body
}

export function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300
}

/** The API's own error; or, when something else answers there, what that was. */
export function refusal(answer: IncomingMessage, body: string): EarshotError {
  const { code, message } = parse<Partial<ApiError>>(answer, body)
  if (typeof code !== 'string' || typeof message !== 'string') return notOurs(answer)
  return new EarshotError(code, message, answer.statusCode === undefined ? {} : { status: answer.statusCode })
}

/** @throws EarshotError EARSHOT_BAD_ANSWER when it is not a JSON object */
export function parse<Shape extends object>(answer: IncomingMessage, text: string): Shape {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Shape
  } catch (error) {
    throw notOurs(answer, error)
  }
  throw notOurs(answer)
}

function notOurs(answer: IncomingMessage, cause?: unknown): EarshotError {
  const status = answer.statusCode
  return new EarshotError('EARSHOT_BAD_ANSWER', `what answers is not an earshot daemon (status ${status})`, {
    ...(status !== undefined && { status }),
    cause,
  })
}
