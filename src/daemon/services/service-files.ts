import { lstat, opendir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import type { Service } from '../../core/wire/record-schema.ts'
import { readRegular, Unsuitable } from '../../io/files.ts'
import type { Ticker } from '../../io/ticker.ts'
import { codeOf, messageOf } from '../../shared/caught-error.ts'
import { BadConfig, BadService } from '../../shared/errors.ts'
import { slug } from '../../shared/service-names.ts'
import type { FileContext } from './avahi-file.ts'
import { DirectoryWatches } from './directory-watches.ts'
import type { ServiceFile } from './own-services.ts'
import { checkEntry, MAX_ID_LENGTH, serviceOf } from './service-entry.ts'
import { parseToml } from './user-input.ts'

/** About the time between two scans while something changes, ms. */
const MIN_SCAN_INTERVAL = 1000
/** About the time between two scans without a reason, ms, for changes that the kernel does not report. */
const MAX_SCAN_INTERVAL = 30_000
/** A file that changed less than this ago may still be written, ms: it is read again, and an error in it is not reported yet. */
const SETTLE_TIME = 100

/** Service files that are read in all directories together: a record has no room for more services. */
const MAX_FILES = 256
/** Entries of a directory that are looked at. */
const MAX_ENTRIES = 4096
const MAX_FILE_BYTES = 64 * 1024

/** The result of reading a file, and the file's signature at that time. */
interface CachedFile {
  /** Empty: the file must be read again. */
  signature: string
  /** Undefined while the file is written for the first time. */
  result: ServiceFile | undefined
}

/**
 * Reads the service files of directories, and reports every change: within two seconds if the kernel reports it (see
 * `DirectoryWatches`), or else after about thirty. A scan reads the directories, and the files that have changed.
 */
export class ServiceFiles {
  readonly #directories: readonly string[]
  readonly #context: FileContext
  /** Called after every scan with all files, in order of precedence. */
  readonly #onScan: (files: readonly ServiceFile[]) => void
  readonly #ticker: Ticker
  #cache = new Map<string, CachedFile>()
  /** The last error of each directory. */
  #directoryErrors = new Map<string, ServiceFile>()
  /** The other directories to which symbolic links to files lead. They are watched, too. */
  #linkedDirectories: ReadonlySet<string> = new Set()
  readonly #watches = new DirectoryWatches(() => {
    this.#mustScan = true
  })
  /** Stop the periodic tasks. */
  #stopTasks: (() => void)[] = []
  #isScanning = false
  /** Something may have changed since the last scan began. */
  #mustScan = false
  #closed = false

  /** @param ticker starts the scans */
  constructor(
    directories: readonly string[],
    context: FileContext,
    onScan: (files: readonly ServiceFile[]) => void,
    ticker: Ticker,
  ) {
    this.#directories = [...new Set(directories.map((directory) => resolve(directory)))]
    this.#context = context
    this.#onScan = onScan
    this.#ticker = ticker
  }

  /** Scans once, and then after every change. */
  async open(): Promise<void> {
    if (this.#directories.length === 0) return
    await this.#scan()
    this.#stopTasks = [
      this.#ticker.every(MIN_SCAN_INTERVAL, () => void this.#scanIfNeeded()),
      this.#ticker.every(MAX_SCAN_INTERVAL, () => {
        this.#mustScan = true
      }),
    ]
  }

  close(): void {
    this.#closed = true
    for (const stop of this.#stopTasks) stop()
    this.#watches.close()
  }

  async #scanIfNeeded(): Promise<void> {
    if (!this.#mustScan || this.#isScanning) return
    this.#isScanning = true
    await this.#scan()
    this.#isScanning = false
  }

  async #scan(): Promise<void> {
    const files: ServiceFile[] = []
    const cache = new Map<string, CachedFile>()
    const linked = new Set<string>()
    this.#mustScan = false
    // Before the directories are read, so that no change is missed.
    if (!(await this.#watches.set([...this.#directories, ...this.#linkedDirectories]))) this.#mustScan = true
    for (const directory of this.#directories) {
      const listed = await listFiles(directory, MAX_FILES - cache.size)
      if (listed === 'busy') {
        this.#mustScan = true
        for (const [path, file] of this.#cache) if (dirname(path) === directory) cache.set(path, file)
        const before = this.#directoryErrors.get(directory)
        if (before) files.push(before)
        continue
      }
      const { names, error } = listed
      if (error !== undefined) files.push(failedFile(directory, error, this.#directoryErrors.get(directory)))
      for (const name of names) await this.#check(join(directory, name), cache, linked)
    }
    if (this.#closed) return
    this.#cache = cache
    this.#directoryErrors = new Map(files.map((failed) => [failed.file, failed]))
    if (files.length > 0 || Array.from(cache.values()).some(({ signature }) => signature === '')) this.#mustScan = true
    for (const directory of linked) if (!this.#linkedDirectories.has(directory)) this.#mustScan = true
    this.#linkedDirectories = linked
    this.#onScan([...files, ...Array.from(cache.values()).flatMap(({ result }) => result ?? [])])
  }

  async #check(path: string, cache: Map<string, CachedFile>, linked: Set<string>): Promise<void> {
    const before = this.#cache.get(path)
    const now = await statFile(path)
    // If lstat fails too, the file was removed after the directory was listed; otherwise it is a dangling symbolic link.
    if (now.error !== undefined && (await lstat(path).then(() => false, isMissing))) return
    const target = await realpath(path).catch(() => path)
    if (dirname(target) !== dirname(path)) linked.add(dirname(target))
    if (before && now.signature !== '' && now.signature === before.signature) cache.set(path, before)
    else cache.set(path, await this.#read(path, now, before?.result))
  }

  async #read(
    path: string,
    { signature, isSettling, error }: FileStat,
    before: ServiceFile | undefined,
  ): Promise<CachedFile> {
    try {
      if (error !== undefined) throw error
      const services = await readServiceFile(path, this.#context)
      return { signature: isSettling ? '' : signature, result: { file: path, services } }
    } catch (failure) {
      if (isSettling || (before && isOutOfResources(failure))) return { signature: '', result: before }
      // Wrong content stays wrong until the file changes; an error of the system may pass, so the file is read again.
      const isContentWrong = failure instanceof BadService || failure instanceof BadConfig
      return { signature: isContentWrong ? signature : '', result: failedFile(path, reasonOf(failure), before) }
    }
  }
}

/** Returns the same object as before when the error is the same: then nothing has changed. */
function failedFile(file: string, error: string, before: ServiceFile | undefined): ServiceFile {
  return before && 'error' in before && before.error === error ? before : { file, error }
}

interface FileStat {
  /** Changes whenever the file changes. Empty if it cannot be examined. */
  signature: string
  /** The file may still be written. */
  isSettling: boolean
  error?: unknown
}

async function statFile(path: string): Promise<FileStat> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = await stat(path, { bigint: true })
    // Uses ctime, which programs cannot set; they can set mtime to any date.
    const isSettling = Math.abs(Date.now() - Number(ctimeMs)) < SETTLE_TIME
    return { signature: `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`, isSettling }
  } catch (error) {
    return { signature: '', isSettling: false, error }
  }
}

/**
 * The names of at most `limit` service files in a directory, with an error when there are more or the directory cannot
 * be read; `busy` when the process lacks file descriptors or memory to read it now.
 */
async function listFiles(directory: string, limit: number): Promise<{ names: string[]; error?: string } | 'busy'> {
  const names: string[] = []
  let entries = 0
  try {
    for await (const { name } of await opendir(directory, { bufferSize: 256 })) {
      entries++
      if (entries > MAX_ENTRIES) break
      if (isServiceFile(name)) names.push(name)
    }
  } catch (error) {
    if (isOutOfResources(error)) return 'busy'
    return isMissing(error) ? { names: [] } : { names: [], error: reasonOf(error) }
  }
  const first = names.sort().slice(0, limit)
  if (entries > MAX_ENTRIES) return { names: first, error: `only the first ${MAX_ENTRIES} entries are looked at` }
  if (first.length === names.length) return { names }
  const error = `only the first ${first.length} of ${names.length} service files are read: the limit for all directories is ${MAX_FILES}`
  return { names: first, error }
}

/** Whether the process lacks file descriptors or memory, which is no error of the file. */
function isOutOfResources(error: unknown): boolean {
  return ['EMFILE', 'ENFILE', 'ENOMEM'].includes(codeOf(error) ?? '')
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT'
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'the target of the symbolic link does not exist',
  ELOOP: 'the symbolic link is part of a loop',
  EACCES: 'permission denied',
  ENOTDIR: 'it is not a directory',
  ENXIO: 'it is not a regular file',
  MODULE_NOT_FOUND: 'its parser is missing: earshot was updated or removed while earshotd ran (restart earshotd)',
}

function reasonOf(error: unknown): string {
  return REASONS[codeOf(error) ?? ''] ?? messageOf(error)
}

/** Hidden files and the backup files of editors are not read. */
function isServiceFile(name: string): boolean {
  return /^[^.].*\.(toml|service)$/s.test(name)
}

/**
 * Reads a service file: one service in TOML, or several in Avahi's XML.
 * @throws BadService, BadConfig, or an error of the system; the message does not name the file
 */
async function readServiceFile(path: string, context: FileContext): Promise<Service[]> {
  const text = await readText(path)
  const extension = extname(path)
  const base = idOf(basename(path, extension))
  if (extension === '.service') {
    // Loads a parser of XML, which few machines need.
    const { readAvahiFile } = await import('./avahi-file.ts')
    return readAvahiFile(text, base, context)
  }
  const entry = checkEntry(await parseToml(text, (line, column) => `line ${line}, column ${column}`))
  return [serviceOf(entry, { name: context.name, id: base })]
}

/** A file name as an id: unchanged if it is a valid id. */
function idOf(base: string): string {
  return /^[!-~]{1,64}$/.test(base) ? base : slug(base, MAX_ID_LENGTH) || 'service'
}

async function readText(path: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readRegular(path, MAX_FILE_BYTES))
  } catch (error) {
    if (error instanceof Unsuitable) throw new BadService(error.message)
    if (error instanceof TypeError) throw new BadService('it is not UTF-8 text')
    throw error
  }
}
