import type { Socket } from 'node:net'

/** How long the other side may take to read the last words and to close, ms. Closed at once, it would not get to read them. */
const LINGER_MS = 1000

/** Ends a connection with these last words, whether or not the other side ever closes it. */
export function hangUp(connection: Socket, lastWords: string): void {
  connection.end(lastWords)
  const patience = setTimeout(() => connection.destroy(), LINGER_MS)
  connection.once('close', () => clearTimeout(patience))
}
