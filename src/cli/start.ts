import { readFileSync } from 'node:fs'
import { BundleLoader } from './bundle-loader.ts'
import { CompileCache } from './compile-cache.ts'

/** New code is stored this long after it was compiled, ms, and at the end of the process: a daemon may be killed at any time. */
const STORE_AFTER = 2000

/** Code is kept for bundles with this many characters and more. V8 compiles a smaller one in the time in which its code is read. */
const MIN_LENGTH = 4096

/**
 * Runs a program from the bundles in a directory. Keeps the code that V8 compiles in a cache, if there can be one.
 * @param name the file name of the program's bundle
 */
export function start(name: string, directory: string): void {
  let opened: { cache: CompileCache | undefined } | undefined
  const cacheFor = (bundle: string, text: string) => {
    if (text.length < MIN_LENGTH || !CompileCache.keeps(bundle)) return undefined
    opened ??= { cache: CompileCache.open() }
    return opened.cache
  }
  const store = () => opened?.cache?.store(loader.takeCompiled(), directory)
  let isScheduled = false
  const loader = new BundleLoader(
    {
      directory,
      text: (bundle) => readBundle(`${directory}/${bundle}`),
      code: (bundle, text) => cacheFor(bundle, text)?.code(bundle),
    },
    (bundle, text) => {
      if (!cacheFor(bundle, text)) return false
      if (isScheduled) return true
      isScheduled = true
      setTimeout(() => {
        isScheduled = false
        store()
      }, STORE_AFTER).unref()
      return true
    },
  )
  process.on('exit', store)
  loader.load(name)
}

function readBundle(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    throw Object.assign(new Error(`Cannot find module '${path}'`), { code: 'MODULE_NOT_FOUND' })
  }
}
