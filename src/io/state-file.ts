import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, messageOf } from '../shared/caught-error.ts'
import { NotKept } from '../shared/errors.ts'
import { makeDirectory, readRegular, removeLeftovers, setAside, Unsuitable, writeAtomically } from './files.ts'
import type { Ticker } from './ticker.ts'

const MAX_BYTES = 1024 * 1024
/** About the time between two checks that the file exists and is up to date, ms. */
const CHECK_INTERVAL = 5000

/** An event of a file in the state directory, for the log. */
export type StateNotice =
  /** The file was unusable and has been renamed to `to`. */
  | { type: 'set-aside'; file: string; to: string; reason: string }
  | { type: 'not-saved'; file: string; error: string }
  | { type: 'saved-again'; file: string }
  /** The file was deleted or replaced, and has been written again. */
  | { type: 'was-gone'; file: string }

/**
 * A JSON file in the state directory. It is read once, at the start, and written as a whole when its content changes. If
 * writing fails, it is tried again until it succeeds.
 */
export class StateFile<Content> {
  readonly #directory: string
  readonly #path: string
  readonly #isContent: (value: unknown) => value is Content
  readonly #notify: (notice: StateNotice) => void
  readonly #ticker: Ticker
  /** The text to write; undefined: the file stays as it is. */
  #wanted: string | undefined
  /** The text on the disk. */
  #written: string | undefined
  #inode: number | undefined
  #fault: string | undefined
  /** Why the existing file cannot be read. Such a file is not overwritten. */
  #unreadable: string | undefined
  #last: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  #stopChecks: (() => void) | undefined

  /** @param ticker starts the checks */
  constructor(
    directory: string,
    name: string,
    isContent: (value: unknown) => value is Content,
    notify: (notice: StateNotice) => void,
    ticker: Ticker,
  ) {
    this.#directory = directory
    this.#path = join(directory, name)
    this.#isContent = isContent
    this.#notify = notify
    this.#ticker = ticker
  }

  /** Why the content is not on the disk; undefined if it is. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** Reads the content. Undefined if there is no file, or an unusable one, which is renamed. */
  async read(): Promise<Content | undefined> {
    this.#stopChecks ??= this.#ticker.every(CHECK_INTERVAL, () => void this.flush().catch(() => {}))
    await removeLeftovers(this.#path).catch(() => {})
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(await readRegular(this.#path, MAX_BYTES))
      const content: unknown = JSON.parse(text)
      if (!this.#isContent(content)) throw new Unsuitable('its content is not what this program writes')
      this.#written = text
      this.#inode = (await lstat(this.#path)).ino
      return content
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      const isDamaged = error instanceof Unsuitable || error instanceof SyntaxError || error instanceof TypeError
      await this.#handleUnusable(messageOf(error), isDamaged)
      return undefined
    }
  }

  /** Renames the file, for a caller that finds the content unusable after reading it. */
  async reject(reason: string): Promise<void> {
    await this.#handleUnusable(reason, true)
  }

  /** Sets the content. `flush` writes it. */
  set(content: Content): void {
    this.#wanted = `${JSON.stringify(content, null, 2)}\n`
  }

  /**
   * Writes the content if it changed or the file is gone, and resolves when it is on the disk. Calls during a write share
   * the next write.
   * @throws NotKept
   */
  flush(): Promise<void> {
    this.#next ??= this.#last
      .catch(() => {})
      .then(() => {
        this.#last = this.#next ?? Promise.resolve()
        this.#next = undefined
        return this.#write()
      })
    return this.#next
  }

  /** Stops the checks, and writes the content if that is possible. */
  async close(): Promise<void> {
    this.#stopChecks?.()
    this.#stopChecks = undefined
    await this.flush().catch(() => {})
  }

  async #write(): Promise<void> {
    const text = this.#wanted
    if (text === undefined) return
    try {
      if (this.#unreadable !== undefined) throw new Error(this.#unreadable)
      const isThere = this.#written === undefined || (await inodeOf(this.#path)) === this.#inode
      if (text !== this.#written || !isThere) {
        await makeDirectory(this.#directory, 0o700)
        await writeAtomically(this.#path, text)
        this.#written = text
        this.#inode = await inodeOf(this.#path)
      }
      if (!isThere) this.#notify({ type: 'was-gone', file: this.#path })
      if (this.#fault !== undefined) this.#notify({ type: 'saved-again', file: this.#path })
      this.#fault = undefined
    } catch (error) {
      this.#failed(messageOf(error))
      throw new NotKept(this.#path, messageOf(error))
    }
  }

  #failed(reason: string): void {
    if (this.#fault === undefined) this.#notify({ type: 'not-saved', file: this.#path, error: reason })
    this.#fault = reason
  }

  async #handleUnusable(reason: string, isDamaged: boolean): Promise<void> {
    this.#written = undefined
    try {
      if (!isDamaged) throw new Error(reason)
      const to = await setAside(this.#path)
      this.#notify({ type: 'set-aside', file: this.#path, to, reason })
    } catch (error) {
      this.#unreadable = isDamaged
        ? `it is damaged (${reason}) and cannot be renamed: ${messageOf(error)}`
        : `${reason}; the file is left unchanged until a restart can read it`
      this.#failed(this.#unreadable)
    }
  }
}

async function inodeOf(path: string): Promise<number | undefined> {
  return lstat(path).then(
    ({ ino }) => ino,
    () => undefined,
  )
}
