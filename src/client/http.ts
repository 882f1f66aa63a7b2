import { connect, type NetConnectOpts } from 'node:net'
import { Readable } from 'node:stream'
import { HTTPParser } from 'http-parser-js'
import { onAbort } from './cancellation.ts'

/**
 * One HTTP/1.1 request over a connection of its own (RFC 9112). It takes the place of `node:http`, which takes as long to load as a command
 * takes for everything else.
 */

export interface HttpRequest {
  method: string
  /** Path and query, percent-encoded. */
  path: string
  /** The value of the header Host. */
  host: string
  headers: Readonly<Record<string, string>>
  content?: string | undefined
}

export interface HttpResponse {
  status: number
  /** The entity tag, if the response has one (RFC 9110, section 8.8.3). */
  tag: string | undefined
  /** Fails if the connection breaks before the end. The server waits while nobody reads. Destroying it closes the connection. */
  body: Readable
}

/** The head of an HTTP message has visible ASCII characters and spaces only. A line break in a value would begin another header. */
const FORBIDDEN = /[^ -~]/

/**
 * Sends a request and resolves when the head of the response has arrived.
 * @throws TypeError when the head of the request has a character that it may not have
 * @throws an error with the `code` of the system when the connection fails; ECONNRESET when the server closes it too early
 */
export async function exchange(
  address: NetConnectOpts,
  request: HttpRequest,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  const message = `${headOf(request)}${request.content ?? ''}`
  return await new Promise((resolve, reject) => {
    const socket = connect(address)
    const body = new Readable({
      read: () => void socket.resume(),
      destroy(error, callback) {
        socket.destroy()
        callback(error)
      },
    })
    let isComplete = false
    const fail = (error: Error): void => {
      if (isComplete) return
      reject(error)
      body.destroy(error)
    }
    const parser = responseParser({
      head: ({ status, tag }) => resolve({ status, tag, body }),
      content: (chunk) => body.push(chunk) || socket.pause(),
      end() {
        isComplete = true
        body.push(null)
        socket.destroy()
      },
      fail,
    })
    const stopListening = signal ? onAbort(signal, () => fail(new Error('aborted'))) : () => {}
    // Whoever reads the body gets its errors. Nobody reads it if the head does not arrive.
    body.on('error', () => {})
    socket.on('data', parser.read)
    socket.on('end', parser.finish)
    socket.on('error', fail)
    socket.on('close', () => {
      stopListening()
      fail(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }))
    })
    socket.write(message)
  })
}

/** The request line and the headers. Each request has its own connection, which is cheap on one machine. */
function headOf({ method, path, host, headers }: HttpRequest): string {
  const fields = Object.entries({ host, ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}`)
  const lines = [`${method} ${path} HTTP/1.1`, ...fields]
  if (path.includes(' ') || lines.some((line) => FORBIDDEN.test(line))) {
    throw new TypeError('the head of the request has a character that HTTP does not allow there')
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** The parser limits the head of a response, but neither the lines between its chunks nor what follows them. */
const MAX_BYTES_WITHOUT_CONTENT = 256 * 1024

/** What a parser reports of the first response that is not interim (RFC 9110, section 15.2). */
interface ResponseListener {
  head(head: Pick<HttpResponse, 'status' | 'tag'>): void
  content(chunk: Buffer): void
  end(): void
  /** The bytes are no HTTP response, or not a whole one. */
  fail(error: Error): void
}

function responseParser(listener: ResponseListener): { read(bytes: Buffer): void; finish(): void } {
  const parser = new HTTPParser('RESPONSE')
  let state: 'head' | 'body' | 'ended' = 'head'
  let bytesWithoutContent = 0
  parser[HTTPParser.kOnHeadersComplete] = ({ statusCode, headers }) => {
    const isInterim = statusCode < 200
    if (state === 'head' && !isInterim) {
      state = 'body'
      listener.head({ status: statusCode, tag: headerOf(headers, 'etag') })
    }
    // 1 means that no body follows, also if a header gives its length (RFC 9112, section 6.3).
    return isInterim || statusCode === 204 || statusCode === 304 ? 1 : 0
  }
  parser[HTTPParser.kOnBody] = (chunk, _offset, length) => {
    // The parser accepts lengths that are negative or no numbers. It would read on before the beginning of the bytes.
    if (!(length > 0)) throw new Error('Parse Error: the length is not a positive number')
    bytesWithoutContent = 0
    if (state === 'body') listener.content(chunk)
  }
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (state !== 'body') return
    state = 'ended'
    listener.end()
  }
  const report = (result: unknown) => {
    if (result instanceof Error) listener.fail(result)
  }
  return {
    read(bytes) {
      bytesWithoutContent += bytes.length
      try {
        report(parser.execute(bytes))
        if (bytesWithoutContent > MAX_BYTES_WITHOUT_CONTENT)
          throw new Error('Parse Error: too many bytes without content')
      } catch (error) {
        report(error)
      }
    },
    finish: () => report(parser.finish()),
  }
}

/** The value of the header with this name, in a list of names and values in turn. */
function headerOf(headers: readonly string[], wanted: string): string | undefined {
  const at = headers.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === wanted)
  return at < 0 ? undefined : headers[at + 1]
}
