import { debuglog } from 'node:util'
import { Script } from 'node:vm'

const debug = debuglog('earshot')

/** Where bundles come from, and the code that V8 has compiled from them before. */
export interface BundleSource {
  /** The directory that stack traces show. */
  readonly directory: string
  /** The text of a bundle. @throws when it is not there */
  text(name: string): string
  /** The compiled code of a bundle with this text; undefined if there is none. V8 refuses code of another version or of a text with another length. */
  code(name: string, text: string): Uint8Array | undefined
}

/** The text of a bundle as a function of what CommonJS gives to a module. Code is compiled from this. */
export function functionOf(bundle: string): string {
  return `(function (exports, require, module, __filename, __dirname) {${bundle}\n})`
}

/**
 * Loads bundles as `require` does, with their compiled code. Node's own compile cache does the same since version 22.8, but
 * it takes 12 ms more of each command and 30 ms more of each start of the daemon.
 */
export class BundleLoader {
  readonly #source: BundleSource
  readonly #onCompile: (name: string, text: string) => boolean
  /** What the bundles that have been loaded export, by file name. */
  readonly #loaded = new Map<string, { exports: unknown }>()
  /** The bundles that V8 had to compile, and whose code is wanted. */
  readonly #compiled = new Map<string, Script>()

  /** @param onCompile called when V8 had to compile a bundle; returns whether `takeCompiled` shall return its code */
  constructor(source: BundleSource, onCompile: (name: string, text: string) => boolean) {
    this.#source = source
    this.#onCompile = onCompile
  }

  /** Runs a bundle, unless that was done before. Returns its exports. @throws when there is none with this file name, and what it throws itself */
  load(name: string): unknown {
    const known = this.#loaded.get(name)
    if (known) return known.exports
    const module = { exports: {} }
    const { directory } = this.#source
    const filename = `${directory}/${name}`
    const run = this.#compile(name, filename).runInThisContext()
    this.#loaded.set(name, module)
    try {
      run(module.exports, (id: string) => this.#require(id), module, filename, directory)
    } catch (error) {
      // Half of its exports may be missing. The next call runs it again: the reason may have passed, such as too many open files.
      this.#loaded.delete(name)
      throw error
    }
    return module.exports
  }

  /** The wanted code of the bundles that V8 had to compile since the last call: of the functions that have been called. */
  takeCompiled(): Map<string, Uint8Array> {
    const code = Array.from(this.#compiled, ([name, script]) => [name, script.createCachedData()] as const)
    this.#compiled.clear()
    return new Map(code)
  }

  #compile(name: string, filename: string): Script {
    const text = this.#source.text(name)
    const cachedData = this.#source.code(name, text)
    const script = new Script(functionOf(text), { filename, ...(cachedData && { cachedData }) })
    if (cachedData && !script.cachedDataRejected) return script
    if (cachedData) debug('the compiled code of %s does not fit', name)
    if (this.#onCompile(name, text)) this.#compiled.set(name, script)
    return script
  }

  /** What a bundle's `require` returns: the exports of another bundle, or a module of Node. */
  #require(id: string): unknown {
    if (id.startsWith('./')) return this.load(id.slice(2))
    const builtin: unknown = process.getBuiltinModule(id)
    if (builtin === undefined) throw new Error(`Node has no module ${id}`)
    return builtin
  }
}
