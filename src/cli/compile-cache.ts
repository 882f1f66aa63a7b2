import { existsSync, mkdirSync, statSync } from 'node:fs'
import nodeModule from 'node:module'
import { isAbsolute, join } from 'node:path'

/**
 * Lets V8 keep the compiled code of the commands in a directory, where Node can do this (since version 22.8). Both commands load this first.
 * They run in the same way if the directory cannot be created, read or written: then each start compiles the code anew.
 */

/** Compiled code runs unchecked, so it is only kept where nobody else can have written it: in a directory that only this user may write. */
export function keepCompiledCode(): void {
  const enable: unknown = Reflect.get(nodeModule, 'enableCompileCache')
  if (typeof enable !== 'function') return
  const { CACHE_DIRECTORY, XDG_CACHE_HOME, HOME } = process.env
  // systemd sets the first one: the directory of a service, which may also be another program that runs `earshot`.
  const [root, ...below] = CACHE_DIRECTORY
    ? [CACHE_DIRECTORY.split(':')[0], 'earshot']
    : XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME)
      ? [XDG_CACHE_HOME, 'earshot']
      : [HOME, '.cache', 'earshot']
  const directory = root && ownDirectory(root, below)
  if (directory) enable(directory)
}

/**
 * Writes the compiled code now. By itself Node does this when the process ends: a daemon that is killed, or that still runs when the next command
 * starts, would leave nothing. Costs nothing if all of it is written already, and otherwise some 10 ms once.
 */
export function storeCompiledCode(): void {
  const flush: unknown = Reflect.get(nodeModule, 'flushCompileCache')
  if (typeof flush === 'function') flush()
}

/**
 * The directory `below` an existing one; created if need be. Undefined if one of them is not this user's or cannot be created, or if others may write
 * the last one. Node could create all of them at once, but then never ends where the kernel says that the parent does not exist, as in /proc.
 */
function ownDirectory(root: string, below: readonly string[]): string | undefined {
  let directory = root
  try {
    for (const name of below) {
      if (!isOwn(directory)) return undefined
      directory = join(directory, name)
      if (!existsSync(directory)) mkdirSync(directory, 0o700)
    }
    const isWritableByOthers = (statSync(directory).mode & 0o022) !== 0
    return isOwn(directory) && !isWritableByOthers ? directory : undefined
  } catch {
    return undefined
  }
}

function isOwn(directory: string): boolean {
  return statSync(directory).uid === process.geteuid?.()
}
