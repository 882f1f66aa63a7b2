import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { isAbsolute, join } from 'node:path'

/** Bundles whose name contains a hash of their content. V8 compares only the length of a text with that of the code's text. */
const HASHED = /-[\w-]{8}\.cjs$/
const SUFFIX = '.code'

/**
 * Keeps the code that V8 has compiled from the bundles, in a directory of this user. The commands run in the same way if the
 * directory cannot be created, read or written: then each start compiles the code anew.
 */
export class CompileCache {
  readonly #directory: string

  private constructor(directory: string) {
    this.#directory = directory
  }

  /** Undefined if there can be none. Compiled code runs unchecked, so it is only kept where nobody else can have written it. */
  static open(): CompileCache | undefined {
    const { CACHE_DIRECTORY, XDG_CACHE_HOME, HOME } = process.env
    // systemd sets the first one: the directory of a service, which may also be another program that runs `earshot`.
    const [root, ...below] = CACHE_DIRECTORY
      ? [CACHE_DIRECTORY.split(':')[0], 'earshot']
      : XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME)
        ? [XDG_CACHE_HOME, 'earshot']
        : [HOME, '.cache', 'earshot']
    if (!root) return undefined
    below.push('code')
    return create(root, below) ? new CompileCache(join(root, ...below)) : undefined
  }

  /** Whether the code of a bundle may be stored. */
  static keeps(bundle: string): boolean {
    return HASHED.test(bundle)
  }

  /** The code of a bundle; undefined if it is not stored, or damaged. */
  code(bundle: string): Uint8Array | undefined {
    try {
      const bytes = readFileSync(this.#path(bundle))
      const [code, copy] = [bytes.subarray(0, bytes.length / 2), bytes.subarray(bytes.length / 2)]
      return code.equals(copy) ? code : undefined
    } catch {
      return undefined
    }
  }

  /**
   * Stores the code of bundles that it keeps, and removes what does not belong to a bundle any more.
   * @param directory the directory of all bundles
   */
  store(code: ReadonlyMap<string, Uint8Array>, directory: string): void {
    if (code.size === 0) return
    try {
      const kept = new Set(readdirSync(directory).map((bundle) => bundle + SUFFIX))
      for (const name of readdirSync(this.#directory)) if (!kept.has(name)) rmSync(join(this.#directory, name))
      for (const [bundle, bytes] of code) writeTwice(this.#path(bundle), bytes)
    } catch {
      // The disk is full or read-only, or another process has removed one of the directories.
    }
  }

  #path(bundle: string): string {
    return join(this.#directory, bundle + SUFFIX)
  }
}

/**
 * Writes code twice into one file: V8 does not notice that code is damaged, and then the process crashes. To compare two copies costs less than a
 * checksum, whose module would have to be loaded, 3 ms. The file has either its old content or all of the new one, also after a power failure.
 */
function writeTwice(path: string, code: Uint8Array): void {
  const temporary = `${path}.${process.pid}`
  try {
    const file = openSync(temporary, 'w', 0o600)
    try {
      writeFileSync(file, Buffer.concat([code, code]))
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

/**
 * Creates the directory `below` an existing one, unless it is there. Returns false if that is not possible, if one on the way is not this user's, or if
 * others may write one below the first. All users must not be able to write the first one either: they could replace the next one by a link. Node could
 * create all at once, but then never ends where the kernel says that the parent does not exist, as in /proc.
 */
function create(root: string, below: readonly string[]): boolean {
  let directory = root
  try {
    const stats = statSync(root)
    if (!isOwn(stats) || stats.mode & 0o002) return false
    for (const name of below) {
      directory = join(directory, name)
      if (!existsSync(directory)) mkdirSync(directory, 0o700)
      if (!isPrivate(directory)) return false
    }
    return true
  } catch {
    return false
  }
}

/** Whether this is a directory of this user, in which nobody else can write. */
function isPrivate(directory: string): boolean {
  try {
    const stats = statSync(directory)
    return stats.isDirectory() && isOwn(stats) && (stats.mode & 0o022) === 0
  } catch {
    return false
  }
}

function isOwn({ uid }: Stats): boolean {
  return uid === process.geteuid?.()
}
