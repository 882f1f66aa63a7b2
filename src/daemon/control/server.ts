import { readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { isStorageError } from '../../io/files.ts'
import { messageOf } from '../../shared/caught-error.ts'
import { checkLoopback, type HttpAddress } from '../config/values.ts'
import { removeToken, tokenPath, writeToken } from './access.ts'
import { BlockingQueries, type BlockingQueryLimits, DEFAULT_BLOCKING_QUERY_LIMITS } from './blocking-queries.ts'
import type { App, ControlDependencies, ListenAddresses } from './context.ts'
import { refuseConnection } from './error-responses.ts'
import { DEFAULT_EVENT_STREAM_LIMITS, type EventStreamLimits, EventStreams } from './event-streams.ts'
import { BACKLOG, Listener } from './listener.ts'
import { listenOnSocket, prepareSocket } from './socket-file.ts'

export interface ControlServerOptions {
  /** The path of the Unix socket. */
  socket: string
  /** A loopback address. Undefined: no TCP. */
  http?: HttpAddress | undefined
  log: Logger
  /** Overrides parts of `DEFAULT_EVENT_STREAM_LIMITS`. */
  eventStreams?: Partial<EventStreamLimits>
  /** Overrides parts of `DEFAULT_BLOCKING_QUERY_LIMITS`. */
  blockingQueries?: Partial<BlockingQueryLimits>
  /** The interval between checks for idle connections, ms. Default: 1000. */
  tickMs?: number
  /** A connection whose client takes no byte of a complete answer for this long is closed, ms. Default: 10 000. */
  sendTimeoutMs?: number
  /** The number of files that this process may have open. Default: the system's limit. */
  maxOpenFiles?: number
  /** The time that unfinished answers have to reach their clients when the server closes, ms. Default: 200. */
  closeTimeoutMs?: number
}

const TICK_MS = 1000
const SEND_TIMEOUT_MS = 10_000
const CLOSE_TIMEOUT_MS = 200
/** Connections beside those of event streams and blocking queries. */
const MAX_OTHER_CONNECTIONS = 256

/** Serves the HTTP API on a Unix socket and on a TCP port on loopback. */
export class ControlServer {
  readonly #options: ControlServerOptions
  readonly #deps: ControlDependencies
  readonly #streams: EventStreams
  readonly #queries: BlockingQueries
  readonly #maxConnections: { onSocket: number; onLoopback: number }
  readonly #listeners: Listener[] = []
  readonly #listening: ListenAddresses
  readonly #socketConnections = new WeakSet<Socket>()
  readonly #stopListening: () => void
  /** Undefined until the API is loaded. */
  #app: App | undefined
  /** Requests that wait for it. `limitConnections` bounds their number for each connection. */
  readonly #early: Parameters<RequestListener>[] = []
  /** Whether the API may be loaded: it is loaded for the first request. */
  #isServing = false
  /** Ends when the API is loaded, or could not be loaded. Undefined when nothing is being loaded. */
  #loading: Promise<void> | undefined

  /** @throws BadConfig if `http` is not a loopback address */
  constructor(deps: ControlDependencies, options: ControlServerOptions) {
    if (options.http) checkLoopback(options.http)
    this.#deps = deps
    this.#options = options
    const streams = { ...DEFAULT_EVENT_STREAM_LIMITS, ...options.eventStreams }
    const queries = { ...DEFAULT_BLOCKING_QUERY_LIMITS, ...options.blockingQueries }
    // Leaves files for the network sockets, and limits loopback so that it cannot block the Unix socket.
    const maxOpenFiles = options.maxOpenFiles ?? openFilesLimit()
    this.#maxConnections = {
      onSocket: Math.min(streams.max + queries.max + MAX_OTHER_CONNECTIONS, Math.ceil(maxOpenFiles / 2)),
      onLoopback: Math.min(
        streams.maxOnLoopback + queries.maxOnLoopback + MAX_OTHER_CONNECTIONS,
        Math.ceil(maxOpenFiles / 4),
      ),
    }
    this.#streams = new EventStreams(deps, streams)
    this.#queries = new BlockingQueries(deps, queries)
    this.#stopListening = deps.onChange(
      coalesce(() => {
        this.#streams.advance()
        this.#queries.advance()
      }),
    )
    this.#listening = { socket: options.socket, http: undefined }
  }

  /** The addresses that it listens on. If port 0 was asked for, the port that the system chose. */
  get listening(): Readonly<ListenAddresses> {
    return this.#listening
  }

  /**
   * Starts to listen. Requests wait for `serve`. If two daemons start at the same time, the TCP port decides which one
   * replaces a leftover socket file.
   * @throws AlreadyRunning, SocketUnusable, HttpInUse, HttpUnusable, TokenUnusable; then it does not listen at all
   */
  async listen(): Promise<void> {
    const { socket, http, log } = this.#options
    try {
      await prepareSocket(socket)
      if (http) {
        const listener = this.#addListener(this.#maxConnections.onLoopback)
        this.#listening.http = await listener.listenOnLoopback(http)
      }
      const { server } = this.#addListener(this.#maxConnections.onSocket)
      server.prependListener('connection', (connection) => this.#socketConnections.add(connection))
      await listenOnSocket(server, socket, BACKLOG)
      if (http) await this.#writeToken()
      for (const each of this.#listeners) {
        // For example, the process has too many open files. Existing connections are still served.
        each.server.on('error', (error) => log.error({ err: error }, 'cannot accept a connection to the control API'))
      }
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /**
   * Answers requests from now on. The first one loads the API: Fastify and the code of the routes take 5 MiB and the time of
   * another start, and many daemons are never asked anything.
   */
  serve(): void {
    this.#isServing = true
    if (this.#early.length > 0) this.#load()
  }

  /** Stops listening, sends the last events, answers the blocking queries and closes all connections. */
  async close(): Promise<void> {
    const timeout = this.#options.closeTimeoutMs ?? CLOSE_TIMEOUT_MS
    const closed = this.#listeners.splice(0).map((listener) => listener.close(timeout))
    this.#stopListening()
    this.#streams.close()
    this.#queries.close()
    await Promise.all(closed)
    await this.#loading
    if (closed.length > 0) await removeToken(tokenPath(this.#options.socket), this.#deps.token)
    await this.#app?.close()
  }

  #request(...request: Parameters<RequestListener>): void {
    if (this.#app) {
      this.#app.routing(...request)
      return
    }
    this.#early.push(request)
    if (this.#isServing) this.#load()
  }

  #load(): void {
    this.#loading ??= this.#loadApp().finally(() => {
      this.#loading = undefined
    })
  }

  /** Loads the API, and answers the requests that wait for it. If it cannot be loaded, the next request tries again. */
  async #loadApp(): Promise<void> {
    const { log } = this.#options
    try {
      const { buildApp } = await import('./app.ts')
      this.#app = await buildApp({
        deps: this.#deps,
        streams: this.#streams,
        queries: this.#queries,
        listening: this.#listening,
        log,
        isOnSocket: (connection) => this.#socketConnections.has(connection),
      })
      for (const request of this.#early.splice(0)) this.#app.routing(...request)
    } catch (error) {
      log.error({ err: error }, 'cannot load the control API')
      const [cause] = messageOf(error).split('\n')
      const message = `cannot load the control API: ${cause}; if earshot was updated, restart earshotd`
      for (const [{ socket }] of this.#early.splice(0)) refuseConnection(socket, 500, message)
    }
  }

  /** Writes the token file. On a full disk, the daemon runs without it. @throws TokenUnusable */
  async #writeToken(): Promise<void> {
    const path = tokenPath(this.#options.socket)
    try {
      await writeToken(path, this.#deps.token)
    } catch (error) {
      if (!isStorageError(error)) throw error
      this.#options.log.warn({ err: error }, 'cannot write the token file: changes over loopback are not possible')
    }
  }

  #addListener(max: number): Listener {
    const { tickMs = TICK_MS, sendTimeoutMs = SEND_TIMEOUT_MS } = this.#options
    const listener = new Listener((...request) => this.#request(...request), { max, tickMs, sendTimeoutMs })
    this.#listeners.push(listener)
    return listener
  }
}

/**
 * Combines calls in the same turn of the event loop, as when one datagram brings several changes. `act` runs once, in a
 * microtask, before any further I/O.
 */
function coalesce(act: () => void): () => void {
  let isScheduled = false
  return () => {
    if (isScheduled) return
    isScheduled = true
    queueMicrotask(() => {
      isScheduled = false
      act()
    })
  }
}

/** The number of files that this process may have open, connections included. Infinity if the system does not tell. */
function openFilesLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
