import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A client that sends a request and then does not read until the test lets it. */
export function stalledClient(socket: string, path: string): Socket {
  const connection = connect(socket)
  connection.on('error', () => {})
  connection.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  onTestFinished(() => void connection.destroy())
  return connection
}

/** Reads a connection until the condition is met or it ends. Returns the text without the chunk lengths of HTTP. */
export async function readUntil(connection: Socket, met: (text: string) => boolean): Promise<string> {
  let text = ''
  for await (const chunk of connection) {
    text += chunk
    if (met(text)) break
  }
  return text.replace(/^[0-9a-f]+\r\n/gm, '').replace(/\r\n/g, '')
}
