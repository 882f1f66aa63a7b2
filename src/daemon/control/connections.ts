import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { rawFailure } from './failures.ts'
import { hangUp } from './hang-up.ts'

export interface ConnectionsOptions {
  /** Connections at the same time. */
  most: number
  /** How often connections are looked at, ms. */
  tickMs: number
  /** One who takes nothing of a whole answer for so long gets no more of it, ms. */
  untakenMs: number
}

/** Requests on one connection that may wait for their turn: programs that send the next one early send few. */
const MOST_PIPELINED = 16
/** A connection may be without a whole request for so many ticks. */
const MOST_IDLE_TICKS = 10

interface Held {
  /** The answers that are under way, with what they answer. */
  answers: Map<ServerResponse, IncomingMessage>
  /** Ticks since there was last a whole request. */
  idleTicks: number
  /** Bytes that had been read when the last answer went out. */
  readBefore: number
}

/**
 * The connections of one server: each has an end, and none keeps others away.
 *
 * A connection without a whole request is closed after ten ticks; when there is no room for a new one, the connection
 * that has been idle for the longest is closed at once. Ticks are counted, and not the time between them: a daemon that
 * was frozen, or got no time from a busy machine, has not read what was sent to it meanwhile. For the same reason a
 * connection is judged only after everything that has arrived was read.
 */
export function boundConnections(server: Server, { most, tickMs, untakenMs }: ConnectionsOptions): void {
  // Those that became idle first come first.
  const connections = new Map<Socket, Held>()

  server.on('connection', (connection: Socket) => {
    if (connections.size >= most) {
      const [idle] = Array.from(connections).find(([, held]) => isIdle(held)) ?? []
      if (idle) connections.delete(idle)
      else connection.destroy()
      idle?.destroy()
      if (connection.destroyed) return
    }
    const answers: Held['answers'] = new Map()
    connections.set(connection, { answers, idleTicks: 0, readBefore: 0 })
    connection.once('close', () => {
      connections.delete(connection)
      // Node closes the first answer only.
      for (const answer of answers.keys()) if (answer.socket === null) answer.destroy().emit('close')
    })
  })

  server.prependListener('request', (request, answer) => {
    const { socket } = request
    const held = connections.get(socket)
    if (!held) return
    held.answers.set(answer, request)
    answer.once('prefinish', () => socket.setTimeout(untakenMs))
    answer.once('close', () => {
      socket.setTimeout(0)
      held.answers.delete(answer)
      held.idleTicks = 0
      held.readBefore = socket.bytesRead
      if (connections.delete(socket)) connections.set(socket, held)
    })
    // All those answers would have to be held for one who does not wait for them.
    if (held.answers.size > MOST_PIPELINED) socket.destroy()
  })

  server.once('listening', () => {
    const clock = setInterval(() => setImmediate(() => tick(connections)), tickMs).unref()
    server.once('close', () => clearInterval(clock))
  })
}

function tick(connections: ReadonlyMap<Socket, Held>): void {
  for (const [connection, held] of connections) {
    held.idleTicks = isIdle(held) ? held.idleTicks + 1 : 0
    if (held.idleTicks < MOST_IDLE_TICKS) continue
    if (connection.bytesRead === held.readBefore || !connection.writable) connection.destroy()
    else hangUp(connection, rawFailure(408, 'the request did not come in time'))
  }
}

/** Whether no whole request has come that is still to be answered. */
function isIdle({ answers }: Held): boolean {
  for (const { complete } of answers.values()) if (complete) return false
  return true
}
