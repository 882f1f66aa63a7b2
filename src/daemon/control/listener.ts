import { once } from 'node:events'
import type { Server as HttpServer, RequestListener } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { codeOf, messageOf } from '../../shared/caught-error.ts'
import { HttpInUse, HttpUnusable } from '../../shared/errors.ts'
import { formatHttpAddress, type HttpAddress } from '../config/values.ts'
import { type ConnectionLimits, type Connections, limitConnections } from './connections.ts'
import { refuseConnection } from './error-responses.ts'
import { nodeHttp } from './node-http.ts'

/** Node's timeouts also count the time in which this process was suspended. `limitConnections` replaces them. */
const HTTP_OPTIONS = {
  headersTimeout: 0,
  requestTimeout: 0,
  keepAliveTimeout: 0,
  // `buildApp` refuses a request without the header Host, with an error in JSON.
  requireHostHeader: false,
  maxHeaderSize: 16 * 1024,
}
/** `http` sets `allowHalfOpen` and `noDelay` for its own servers, too. */
const LISTEN_OPTIONS = {
  allowHalfOpen: true,
  noDelay: true,
  /** Bytes that each connection may buffer. Node's default is four times as much since version 22. */
  highWaterMark: 16 * 1024,
}
/** Connections that may wait to be accepted: enough for all clients to connect at once. */
export const BACKLOG = 4096

/** The server of `http`, and its connections. */
interface HttpPart {
  readonly server: HttpServer
  readonly connections: Connections
}

/** Accepts connections with `net`, and hands them over to a server of `http`, which it makes for the first one. */
export class Listener {
  readonly server: Server = createServer(LISTEN_OPTIONS)
  readonly #onRequest: RequestListener
  readonly #limits: ConnectionLimits
  /** Undefined before the first connection. */
  #http: HttpPart | undefined

  constructor(onRequest: RequestListener, limits: ConnectionLimits) {
    this.#onRequest = onRequest
    this.#limits = limits
    this.server.on('connection', (connection) => {
      this.#http ??= this.#createHttp()
      this.#http.server.emit('connection', connection)
    })
  }

  /**
   * Listens on a TCP port of loopback. Returns the address, with the port that the system chose if 0 was asked for.
   * @throws HttpInUse, HttpUnusable
   */
  async listenOnLoopback({ host, port }: HttpAddress): Promise<string> {
    try {
      this.server.listen({ host, port, exclusive: true, backlog: BACKLOG })
      await once(this.server, 'listening')
    } catch (error) {
      const address = formatHttpAddress({ host, port })
      if (codeOf(error) === 'EADDRINUSE') throw new HttpInUse(address)
      throw new HttpUnusable(address, messageOf(error))
    }
    const address = this.server.address()
    return formatHttpAddress({ host, port: typeof address === 'object' ? (address?.port ?? port) : port })
  }

  /** Stops listening. Resolves when all connections are closed: those with unfinished answers after `timeoutMs` at the latest. */
  async close(timeoutMs: number): Promise<void> {
    if (!this.server.listening) return
    const closed = new Promise((resolve) => this.server.close(resolve))
    this.#http?.connections.closeUnused()
    const timer = setTimeout(() => this.#http?.connections.closeAll(), timeoutMs)
    await closed
    clearTimeout(timer)
  }

  #createHttp(): HttpPart {
    const server = nodeHttp().createServer(HTTP_OPTIONS, this.#onRequest)
    const connections = limitConnections(server, this.#limits)
    server.on('clientError', refuseInvalidRequest)
    server.on('checkExpectation', ({ socket, headers }) => {
      refuseConnection(socket, 417, `the header Expect may be 100-continue only, not '${headers.expect}'`)
    })
    return { server, connections }
  }
}

/** Answers a request that Node's HTTP parser cannot read. */
function refuseInvalidRequest(error: NodeJS.ErrnoException, connection: Socket): void {
  if (error.code === 'ECONNRESET') connection.destroy()
  // The error is raised again for each chunk that follows.
  if (!connection.writable) return
  const [statusCode, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ([431, `the headers of the request have more than ${HTTP_OPTIONS.maxHeaderSize} bytes`] as const)
      : error.code === 'HPE_INVALID_URL'
        ? ([400, 'the URL has a character that must be escaped (ü is %C3%BC, a space %20)'] as const)
        : ([400, 'this is not HTTP/1.1'] as const)
  refuseConnection(connection, statusCode, message)
}
