import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect: unknown = runInNewContext('gc')

/** Frees what nothing refers to any more, in a turn of its own, as a WeakRef keeps its object to the end of a turn. Returns the bytes of heap in use. */
export async function collectGarbage(): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve))
  if (typeof collect !== 'function') throw new Error('this Node has no gc()')
  collect()
  return process.memoryUsage().heapUsed
}
