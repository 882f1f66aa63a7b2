import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Requests on one connection that may wait for their turn: programs that send the next one early send few. */
const MOST = 16

/**
 * Cuts off a connection that asks and asks without waiting for answers, all of which would have to be held for it.
 * Those whose turn has not come when their connection goes are closed as well, which Node does only to the first.
 */
export function boundPipelines(server: Server): void {
  const underWay = new WeakMap<Socket, Set<ServerResponse>>()
  server.on('connection', (connection: Socket) => {
    const answers = new Set<ServerResponse>()
    underWay.set(connection, answers)
    connection.once('close', () => {
      for (const answer of answers) if (answer.socket === null) answer.destroy().emit('close')
    })
  })
  server.prependListener('request', ({ socket }, answer) => {
    const answers = underWay.get(socket)
    if (!answers) return
    answers.add(answer)
    answer.once('close', () => answers.delete(answer))
    if (answers.size > MOST) socket.destroy()
  })
}
