import { type IncomingMessage, request } from 'node:http'

/** A response of the daemon's control API. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The parsed value if the body is JSON, otherwise the text. */
  readonly body: unknown
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** Milliseconds without a byte until the call rejects. Default: 30,000. 0: no limit. */
  readonly timeout?: number
}

/** Sends a request over a Unix socket. Resolves with the response when its headers have arrived. */
export function open(
  socketPath: string,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const body = options.body === undefined ? undefined : JSON.stringify(options.body)
    const headers = { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers }
    const call = request({ socketPath, method, path, headers, agent: false }, resolve)
    const timeout = options.timeout ?? 30_000
    const what = `${method} ${path} at ${socketPath}`
    if (timeout > 0) call.setTimeout(timeout, () => call.destroy(new Error(`${what}: silent for ${timeout} ms`)))
    call.once('error', (error) => reject(new Error(`${what}: ${error.message}`, { cause: error })))
    call.end(body)
  })
}

/** Sends a request over a Unix socket. Resolves with the complete response, also for an error status. */
export async function call(
  socketPath: string,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const response = await open(socketPath, method, path, options)
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  const json = /\bjson\b/.test(response.headers['content-type'] ?? '') && text !== ''
  return { status: response.statusCode ?? 0, headers: response.headers, body: json ? JSON.parse(text) : text }
}
