import { basename, join } from 'node:path'
import { getAsset, getRawAsset } from 'node:sea'
import { debuglog } from 'node:util'
import { Script } from 'node:vm'

/**
 * The single executable: runs one of the commands, from the bundles that `build/executable.ts` has put into the executable together with their
 * compiled code. A name that begins with `earshotd` runs the daemon, every other name the command.
 */

const debug = debuglog('earshot')

/** The exports of the bundles that have been loaded, by file name. */
const loaded = new Map<string, { exports: unknown }>()

/** What a bundle's `require` returns: the exports of another bundle, or a module of Node. */
function requireModule(id: string): unknown {
  if (id.startsWith('./')) return load(id.slice(2))
  const builtin: unknown = process.getBuiltinModule(id)
  if (builtin === undefined) throw new Error(`${id} is not in this executable`)
  return builtin
}

function load(name: string): unknown {
  const known = loaded.get(name)
  if (known) return known.exports
  const module = { exports: {} }
  loaded.set(name, module)
  const filename = join(process.execPath, name)
  const cachedData = new Uint8Array(getRawAsset(`${name}.code`) as ArrayBuffer)
  const script = new Script(getAsset(name, 'utf8'), { filename, cachedData })
  if (script.cachedDataRejected) debug('the compiled code of %s does not fit', name)
  script.runInThisContext()(module.exports, requireModule, module, filename, process.execPath)
  return module.exports
}

load(basename(process.argv0).startsWith('earshotd') ? 'earshotd.cjs' : 'earshot.cjs')
