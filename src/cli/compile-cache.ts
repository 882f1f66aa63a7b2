import { statSync } from 'node:fs'
import nodeModule from 'node:module'
import { join } from 'node:path'

/**
 * Lets V8 keep the compiled code of the commands in a directory, where Node can do this (since version 22.8). Both commands load this first.
 * They run in the same way if the directory cannot be created, read or written: then each start compiles the code anew.
 */

/** Compiled code runs unchecked, so it is only kept where nobody else can have written it: in a directory of this user. */
export function keepCompiledCode(): void {
  const enable: unknown = Reflect.get(nodeModule, 'enableCompileCache')
  if (typeof enable !== 'function') return
  const { CACHE_DIRECTORY, XDG_CACHE_HOME, HOME } = process.env
  // The first one is set by systemd.
  const [root, ...below] = CACHE_DIRECTORY
    ? [CACHE_DIRECTORY.split(':')[0]]
    : XDG_CACHE_HOME
      ? [XDG_CACHE_HOME, 'earshot']
      : [HOME, '.cache/earshot']
  if (root && isOwn(root)) enable(join(root, ...below))
}

function isOwn(directory: string): boolean {
  try {
    return statSync(directory).uid === process.geteuid?.()
  } catch {
    return false
  }
}
