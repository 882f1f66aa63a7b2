import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '../../shared/caught-error.ts'

/**
 * Watches directories by the events of the kernel (inotify(7)). While nothing changes, this costs no processor time. The kernel
 * reports no change that another machine makes on a network file system, that a mount hides, or that replaces a directory
 * further up.
 */
export class DirectoryWatches {
  readonly #onChange: () => void
  /** By path, device and inode. */
  readonly #watchers = new Map<string, FSWatcher>()
  #closed = false

  /**
   * @param onChange called when something in a directory may have changed. Then nothing is watched until `set` is called
   * again: a program that writes to a file all the time would cause an event for each write.
   */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /**
   * Watches these directories from now on, and no others. In place of one that does not exist, it watches the nearest directory
   * above. Resolves with whether each is watched: the system limits the number, and something may have changed meanwhile.
   */
  async set(directories: readonly string[]): Promise<boolean> {
    const wanted = new Map((await nearestOf(directories)).map(({ key, path }) => [key, path]))
    if (this.#closed) return false
    for (const [key, watcher] of this.#watchers) {
      if (wanted.has(key)) continue
      watcher.close()
      this.#watchers.delete(key)
    }
    for (const [key, path] of wanted) if (!this.#watchers.has(key)) this.#open(key, path)
    // A directory may have been made before the one above it was watched.
    return (await nearestOf(directories)).every(({ key }) => this.#watchers.has(key))
  }

  close(): void {
    this.#closed = true
    this.#closeAll()
  }

  #open(key: string, path: string): void {
    const changed = () => {
      this.#closeAll()
      this.#onChange()
    }
    try {
      const watcher = watch(path, { persistent: false }, changed)
      this.#watchers.set(key, watcher.on('error', changed))
    } catch {
      // `set` tells that it is not watched.
    }
  }

  #closeAll(): void {
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }
}

interface Existing {
  path: string
  /** Other if the directory was replaced. */
  key: string
}

/** One after the other: a file system that does not answer blocks one thread, of the four that also write logs and save state. */
async function nearestOf(directories: readonly string[]): Promise<Existing[]> {
  const existing: Existing[] = []
  for (const directory of directories) existing.push(await nearestExisting(directory))
  return existing
}

/** The directory itself or, while it does not exist, the nearest one above it. */
async function nearestExisting(path: string): Promise<Existing> {
  try {
    const { dev, ino } = await stat(path, { bigint: true })
    return { path, key: `${dev} ${ino} ${path}` }
  } catch (error) {
    const above = dirname(path)
    return codeOf(error) === 'ENOENT' && above !== path ? await nearestExisting(above) : { path, key: path }
  }
}
