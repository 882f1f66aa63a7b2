import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { refuseConnection } from './error-responses.ts'

export interface ConnectionLimits {
  /** The maximum number of connections. */
  max: number
  /** The interval between checks of all connections, ms. */
  tickMs: number
  /** A connection whose client takes no byte of a complete answer for this long is closed, ms. */
  sendTimeoutMs: number
}

/** The maximum number of pipelined requests on one connection. */
const MAX_PIPELINED_REQUESTS = 16
/** A connection without a complete request is closed after this many ticks. */
const MAX_IDLE_TICKS = 10

interface ConnectionState {
  /** The answers that are not finished, with their requests. */
  answers: Map<ServerResponse, IncomingMessage>
  /** The number of ticks since the last complete request. */
  idleTicks: number
  /** The number of bytes that were read when the last answer was finished. */
  readBefore: number
}

/** Closes the connections of one server, for its end. */
export interface Connections {
  /** Closes those that wait for a request of which nothing has arrived. */
  closeUnused(): void
  closeAll(): void
}

/**
 * Limits the connections of one server, in number and in time.
 *
 * A connection without a complete request is closed after ten ticks. If a new connection is one too many, the longest
 * idle connection is closed at once, or else the new one. Ticks are counted instead of milliseconds: a daemon that was
 * suspended, or was not scheduled on a busy machine, has not read what its clients sent in that time. For the same
 * reason, a connection is only judged after all pending input was read.
 */
export function limitConnections(server: Server, { max, tickMs, sendTimeoutMs }: ConnectionLimits): Connections {
  // In the order in which they became idle.
  const connections = new Map<Socket, ConnectionState>()
  /** Runs only while there are connections. */
  let timer: NodeJS.Timeout | undefined

  server.on('connection', (connection: Socket) => {
    if (connections.size >= max) {
      const [idle] = Array.from(connections).find(([, state]) => isIdle(state)) ?? []
      if (idle) connections.delete(idle)
      else connection.destroy()
      idle?.destroy()
      if (connection.destroyed) return
    }
    const answers: ConnectionState['answers'] = new Map()
    connections.set(connection, { answers, idleTicks: 0, readBefore: 0 })
    timer ??= setInterval(() => setImmediate(() => tick(connections)), tickMs).unref()
    connection.once('close', () => {
      connections.delete(connection)
      if (connections.size === 0) {
        clearInterval(timer)
        timer = undefined
      }
      // Node destroys only the first of the pipelined answers.
      for (const answer of answers.keys()) if (answer.socket === null) answer.destroy().emit('close')
    })
  })

  server.prependListener('request', (request, answer) => {
    const { socket } = request
    const state = connections.get(socket)
    if (!state) return
    state.answers.set(answer, request)
    answer.once('prefinish', () => socket.setTimeout(sendTimeoutMs))
    answer.once('close', () => {
      socket.setTimeout(0)
      state.answers.delete(answer)
      state.idleTicks = 0
      state.readBefore = socket.bytesRead
      if (connections.delete(socket)) connections.set(socket, state)
    })
    // All these answers would have to be kept in memory.
    if (state.answers.size > MAX_PIPELINED_REQUESTS) socket.destroy()
  })

  const closeIf = (hasToClose: (connection: Socket, state: ConnectionState) => boolean) => {
    for (const [connection, state] of connections) if (hasToClose(connection, state)) connection.destroy()
  }
  return {
    closeUnused: () =>
      closeIf((connection, state) => state.answers.size === 0 && connection.bytesRead === state.readBefore),
    closeAll: () => closeIf(() => true),
  }
}

function tick(connections: ReadonlyMap<Socket, ConnectionState>): void {
  for (const [connection, state] of connections) {
    state.idleTicks = isIdle(state) ? state.idleTicks + 1 : 0
    if (state.idleTicks < MAX_IDLE_TICKS) continue
    if (connection.bytesRead === state.readBefore || !connection.writable) connection.destroy()
    else refuseConnection(connection, 408, 'the request was not complete in time')
  }
}

/** Whether no complete request is waiting for its answer. */
function isIdle({ answers }: ConnectionState): boolean {
  for (const { complete } of answers.values()) if (complete) return false
  return true
}
