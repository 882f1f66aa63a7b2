import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect: unknown = runInNewContext('gc')

/**
 * Runs the garbage collector and returns the used heap, bytes. It first waits for a new turn of the event loop, because
 * a WeakRef keeps its object alive until the end of the turn in which it was read.
 */
export async function collectGarbage(): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve))
  if (typeof collect !== 'function') throw new Error('this Node.js has no gc()')
  collect()
  return process.memoryUsage().heapUsed
}
