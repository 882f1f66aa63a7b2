import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '../../shared/caught-error.ts'

/**
 * Watches directories by the events of the kernel (inotify(7)). While nothing changes, this costs no processor time. The kernel
 * reports no change that another machine makes on a network file system, that is made to the target of a symbolic link, or that
 * a mount hides.
 */
export class DirectoryWatches {
  readonly #onChange: () => void
  /** By path, device and inode. */
  #watchers: ReadonlyMap<string, FSWatcher> = new Map()
  #closed = false

  /** @param onChange called when something in a directory may have changed */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /**
   * Watches these directories from now on, and no others. In place of one that does not exist, it watches the nearest directory
   * above. Resolves with whether each is watched: the system limits the number, and some systems report nothing.
   */
  async set(directories: readonly string[]): Promise<boolean> {
    const before = this.#watchers
    const after = new Map<string, FSWatcher>()
    let isComplete = true
    for (const directory of directories) {
      const { path, key } = await nearestExisting(directory)
      if (this.#closed) break
      const watcher = after.get(key) ?? before.get(key) ?? this.#open(path)
      if (watcher) after.set(key, watcher)
      else isComplete = false
    }
    for (const [key, watcher] of before) if (!after.has(key)) watcher.close()
    this.#watchers = after
    if (this.#closed) this.close()
    return isComplete
  }

  close(): void {
    this.#closed = true
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers = new Map()
  }

  #open(path: string): FSWatcher | undefined {
    try {
      const watcher = watch(path, { persistent: false }, this.#onChange)
      return watcher.on('error', this.#onChange)
    } catch {
      return undefined
    }
  }
}

/** The directory itself or, while it does not exist, the nearest one above it. */
async function nearestExisting(path: string): Promise<{ path: string; key: string }> {
  try {
    const { dev, ino } = await stat(path, { bigint: true })
    return { path, key: `${dev} ${ino} ${path}` }
  } catch (error) {
    const above = dirname(path)
    return codeOf(error) === 'ENOENT' && above !== path ? await nearestExisting(above) : { path, key: path }
  }
}
