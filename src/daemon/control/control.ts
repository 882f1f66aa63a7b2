import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { Server as NetServer, Socket } from 'node:net'
import type { Logger } from 'pino'
import { isTroubleOfDisk } from '../../io/files.ts'
import { codeOf, messageOf } from '../../shared/caught-error.ts'
import { HttpInUse, HttpUnusable } from '../../shared/errors.ts'
import { checkLoopback, formatHttpAddress, type HttpAddress } from '../config/values.ts'
import { buildApp } from './app.ts'
import { BlockedQueries, QUERIES, type QueriesOptions } from './blocked-queries.ts'
import { boundConnections } from './connections.ts'
import { EventReaders, READERS, type ReadersOptions } from './event-readers.ts'
import { rawFailure } from './failures.ts'
import { hangUp } from './hang-up.ts'
import { openFilesLimit } from './open-files.ts'
import { listenOnSocket, prepareSocket } from './socket-file.ts'
import type { Station } from './station.ts'
import { removeToken, tokenPath, writeToken } from './token.ts'
import type { Listening } from './views.ts'

export interface ControlOptions {
  /** Path of the Unix socket. */
  socket: string
  /** Loopback only; none when undefined. */
  http?: HttpAddress | undefined
  log: Logger
  /** What differs from `READERS`. */
  readers?: Partial<ReadersOptions>
  /** What differs from `QUERIES`. */
  queries?: Partial<QueriesOptions>
  /** How often idle connections are counted, ms: 1000 unless given. */
  tickMs?: number
  /** How long a whole answer may lie untaken, ms: 10 s unless given. */
  untakenMs?: number
  /** Files that this process may have open: as the system says unless given. */
  openFiles?: number
  /** How long an answer under way may take to get out when the daemon stops, ms: 200 unless given. */
  farewellMs?: number
}

/** Node's own time-outs count the time in which this process was frozen: `boundConnections` has better ones. */
const SERVER_OPTIONS = {
  headersTimeout: 0,
  requestTimeout: 0,
  keepAliveTimeout: 0,
  // Who leaves the header Host out is answered by `buildApp`, in JSON.
  requireHostHeader: false,
  maxHeaderSize: 16 * 1024,
  /** What a connection holds that is not taken: Node's own default is four times as much since 22, for each reader. */
  highWaterMark: 16 * 1024,
}
const TICK_MS = 1000
const UNTAKEN_MS = 10_000
const MOST_OTHER_CONNECTIONS = 256
/** Connections that may come at once: as many as there may be of each kind, so that none has to come again. */
const BACKLOG = 4096
const FAREWELL_MS = 200

/** The HTTP API on its two transports: a Unix socket, and TCP on loopback. Holds nothing but connections. */
export class Control {
  readonly #options: ControlOptions
  readonly #readers: EventReaders
  readonly #queries: BlockedQueries
  readonly #most: { onSocket: number; onLoopback: number }
  readonly #station: Station
  readonly #servers: Server[] = []
  readonly #listening: Listening
  readonly #throughSocket = new WeakSet<Socket>()
  #closeApp: () => Promise<void> = async () => {}

  /** @throws BadConfig when `http` is not on loopback */
  constructor(station: Station, options: ControlOptions) {
    if (options.http) checkLoopback(options.http)
    this.#station = station
    this.#options = options
    const readers = { ...READERS, ...options.readers }
    const queries = { ...QUERIES, ...options.queries }
    // Most of the files that may be open are left for the sockets of the network and for the users of the Unix socket.
    const openFiles = options.openFiles ?? openFilesLimit()
    this.#most = {
      onSocket: Math.min(readers.most + queries.most + MOST_OTHER_CONNECTIONS, Math.ceil(openFiles / 2)),
      onLoopback: Math.min(
        readers.mostOnLoopback + queries.mostOnLoopback + MOST_OTHER_CONNECTIONS,
        Math.ceil(openFiles / 4),
      ),
    }
    this.#readers = new EventReaders(station, readers)
    this.#queries = new BlockedQueries(station, queries)
    this.#listening = { socket: options.socket, http: undefined }
  }

  /** Where it listens: with port 0, the port that was chosen. */
  get listening(): Readonly<Listening> {
    return this.#listening
  }

  /**
   * Begins to answer. Of two daemons started at once, the port decides before a socket file left behind is replaced.
   * @throws AlreadyRunning, SocketUnusable, HttpInUse, HttpUnusable; then it listens nowhere
   */
  async listen(): Promise<void> {
    const { socket, http, log } = this.#options
    try {
      await prepareSocket(socket)
      const app = await buildApp({
        station: this.#station,
        readers: this.#readers,
        queries: this.#queries,
        listening: this.#listening,
        log,
        cameThroughSocket: (connection) => this.#throughSocket.has(connection),
      })
      this.#closeApp = () => app.close()
      if (http) {
        const server = this.#createServer(app.routing, this.#most.onLoopback)
        await listenOnLoopback(server, http)
        this.#listening.http = formatHttpAddress({ host: http.host, port: portOf(server) ?? http.port })
      }
      const server = this.#createServer(app.routing, this.#most.onSocket)
      server.prependListener('connection', (connection) => this.#throughSocket.add(connection))
      await listenOnSocket(server, socket, BACKLOG)
      if (http) await this.#writeToken()
      for (const each of this.#servers) {
        // For want of file descriptors, say: those connected are served on, and later there may be some again.
        each.on('error', (error) => log.error({ err: error }, 'cannot accept a connection to the control API'))
      }
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Takes no more connections, writes the last changes to the readers of events, answers who waits, and ends them all. */
  async close(): Promise<void> {
    const closed = this.#servers.splice(0).map((server) => closeServer(server, this.#options.farewellMs ?? FAREWELL_MS))
    this.#readers.close()
    this.#queries.close()
    await Promise.all(closed)
    if (closed.length > 0) await removeToken(tokenPath(this.#options.socket), this.#station.token)
    await this.#closeApp()
  }

  /** On a full disk there is no token, and nobody can change anything over loopback: no reason not to run. @throws TokenUnusable */
  async #writeToken(): Promise<void> {
    const path = tokenPath(this.#options.socket)
    try {
      await writeToken(path, this.#station.token)
    } catch (error) {
      if (!isTroubleOfDisk(error)) throw error
      this.#options.log.warn({ err: error }, 'nothing can be changed over loopback')
    }
  }

  #createServer(handler: Parameters<typeof createServer>[1], most: number): Server {
    const server = createServer(SERVER_OPTIONS, handler)
    const { tickMs = TICK_MS, untakenMs = UNTAKEN_MS } = this.#options
    boundConnections(server, { most, tickMs, untakenMs })
    server.on('clientError', refuseNonsense)
    server.on('checkExpectation', ({ socket, headers }) => {
      hangUp(socket, rawFailure(417, `the header Expect may be 100-continue only, not '${headers.expect}'`))
    })
    this.#servers.push(server)
    return server
  }
}

async function listenOnLoopback(server: NetServer, { host, port }: HttpAddress): Promise<void> {
  try {
    server.listen({ host, port, exclusive: true, backlog: BACKLOG })
    await once(server, 'listening')
  } catch (error) {
    const address = formatHttpAddress({ host, port })
    if (codeOf(error) === 'EADDRINUSE') throw new HttpInUse(address)
    throw new HttpUnusable(address, messageOf(error))
  }
}

function portOf(server: NetServer): number | undefined {
  const address = server.address()
  return typeof address === 'object' ? address?.port : undefined
}

async function closeServer(server: Server, farewellMs: number): Promise<void> {
  if (!server.listening) return
  const closed = new Promise((resolve) => server.close(resolve))
  const impatience = setTimeout(() => server.closeAllConnections(), farewellMs)
  await closed
  clearTimeout(impatience)
}

/** Answers what Node's parser could not make a request of. */
function refuseNonsense(error: NodeJS.ErrnoException, connection: Socket): void {
  if (error.code === 'ECONNRESET') connection.destroy()
  // What comes after the refusal is nonsense as well.
  if (!connection.writable) return
  const [statusCode, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ([431, `the request's head is over ${SERVER_OPTIONS.maxHeaderSize} bytes`] as const)
      : error.code === 'HPE_INVALID_URL'
        ? ([400, 'the URL has a character that must be escaped (ü is %C3%BC, a space %20)'] as const)
        : ([400, 'this is not HTTP/1.1'] as const)
  hangUp(connection, rawFailure(statusCode, message))
}
