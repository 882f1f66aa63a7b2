import { lstat, opendir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { codeOf, messageOf } from '../../shared/caught-error.ts'
import { BadConfig, BadService } from '../../shared/errors.ts'
import { type FileFacts, isServiceFile, readServiceFile } from './service-file.ts'
import type { ServiceFile } from './types.ts'

/** How often the directories are looked through, ms. */
const LOOK = 500
/** A file that changed this recently may still be being written, ms: it is read again, and a fault in it not believed yet. */
const SETTLE = 100

/** Service files that are read, of all directories together: a record has no room for more. */
const MOST_FILES = 256
/** Entries of a directory that are looked at. */
const MOST_ENTRIES = 4096

/** What was read of a file, and what it looked like then. */
interface Known {
  /** Empty: to be read again in any case. */
  signature: string
  /** Undefined while it is being written for the first time. */
  result: ServiceFile | undefined
}

/**
 * The service files of some directories, looked through again and again: a change is noticed within two looks. Not by
 * fs.watch, which knows nothing of directories to come, of mounts, nor of what symbolic links lead to.
 */
export class ServiceFiles {
  readonly #directories: readonly string[]
  readonly #facts: FileFacts
  /** Called after every look with all files, in the order in which they count. */
  readonly #onLook: (files: readonly ServiceFile[]) => void
  #known = new Map<string, Known>()
  /** What was last wrong with a directory. */
  #faults = new Map<string, ServiceFile>()
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(directories: readonly string[], facts: FileFacts, onLook: (files: readonly ServiceFile[]) => void) {
    this.#directories = [...new Set(directories.map((directory) => resolve(directory)))]
    this.#facts = facts
    this.#onLook = onLook
  }

  /** Looks once, and from then on every half second. */
  async open(): Promise<void> {
    if (this.#directories.length === 0) return
    await this.#look()
    if (this.#closed) return
    this.#timer = setTimeout(() => void this.open(), LOOK).unref()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  async #look(): Promise<void> {
    const files: ServiceFile[] = []
    const known = new Map<string, Known>()
    for (const directory of this.#directories) {
      const listed = await list(directory, MOST_FILES - known.size)
      if (listed === 'unread') {
        for (const [path, file] of this.#known) if (dirname(path) === directory) known.set(path, file)
        continue
      }
      const { names, error } = listed
      if (error !== undefined) files.push(faultOf(directory, error, this.#faults.get(directory)))
      for (const name of names) await this.#examine(join(directory, name), known)
    }
    if (this.#closed) return
    this.#known = known
    this.#faults = new Map(files.map((fault) => [fault.file, fault]))
    this.#onLook([...files, ...Array.from(known.values()).flatMap(({ result }) => result ?? [])])
  }

  async #examine(path: string, known: Map<string, Known>): Promise<void> {
    const before = this.#known.get(path)
    const now = await look(path)
    if (now === undefined) return
    if (before && now.signature !== '' && now.signature === before.signature) known.set(path, before)
    else known.set(path, await this.#read(path, now, before?.result))
  }

  async #read(path: string, { signature, fresh, error }: Look, before: ServiceFile | undefined): Promise<Known> {
    try {
      if (error !== undefined) throw error
      const services = await readServiceFile(path, this.#facts)
      return { signature: fresh ? '' : signature, result: { file: path, services } }
    } catch (fault) {
      if (fresh || (before && isForWant(fault))) return { signature: '', result: before }
      // What is wrong with the text stays so until it changes; what the system refused may go by itself.
      const isItsText = fault instanceof BadService || fault instanceof BadConfig
      return { signature: isItsText ? signature : '', result: faultOf(path, reasonOf(fault), before) }
    }
  }
}

/** The same object as before when the fault is the same, which then is no news. */
function faultOf(file: string, error: string, before: ServiceFile | undefined): ServiceFile {
  return before && 'error' in before && before.error === error ? before : { file, error }
}

interface Look {
  signature: string
  fresh: boolean
  error?: unknown
}

/** What a file looks like from outside; undefined when it has just gone. */
async function look(path: string): Promise<Look | undefined> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = await stat(path, { bigint: true })
    // By the time of change, which nobody can set: a file's own date may be any.
    const fresh = Math.abs(Date.now() - Number(ctimeMs)) < SETTLE
    return { signature: `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`, fresh }
  } catch (error) {
    // Without an entry of its own it has gone since the directory was listed; with one it is a link to nowhere.
    const gone = await lstat(path).then(() => false, isMissing)
    return gone ? undefined : { signature: '', fresh: false, error }
  }
}

/**
 * The names of the first service files, at most so many, and why there may be others, or none; `unread` when it cannot
 * be known now which there are.
 */
async function list(directory: string, most: number): Promise<{ names: string[]; error?: string } | 'unread'> {
  const names: string[] = []
  let entries = 0
  try {
    for await (const { name } of await opendir(directory, { bufferSize: 256 })) {
      entries++
      if (entries > MOST_ENTRIES) break
      if (isServiceFile(name)) names.push(name)
    }
  } catch (error) {
    if (isForWant(error)) return 'unread'
    return isMissing(error) ? { names: [] } : { names: [], error: reasonOf(error) }
  }
  const first = names.sort().slice(0, most)
  if (entries > MOST_ENTRIES) return { names: first, error: `only ${MOST_ENTRIES} of its entries are looked at` }
  if (first.length === names.length) return { names }
  const error = `of its ${names.length} service files only the first ${first.length} are read: ${MOST_FILES} is the most in all`
  return { names: first, error }
}

/** Whether a file could not be read for want of descriptors or memory, which says nothing of the file. */
function isForWant(error: unknown): boolean {
  return ['EMFILE', 'ENFILE', 'ENOMEM'].includes(codeOf(error) ?? '')
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT'
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'the symbolic link leads nowhere',
  ELOOP: 'the symbolic link leads back to itself',
  EACCES: 'permission denied',
  ENOTDIR: 'it is not a directory',
  ENXIO: 'it is not a regular file',
}

function reasonOf(error: unknown): string {
  return REASONS[codeOf(error) ?? ''] ?? messageOf(error)
}
