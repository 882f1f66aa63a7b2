import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, messageOf } from '../shared/caught-error.ts'
import { NotKept } from '../shared/errors.ts'
import { makeDirectory, readRegular, removeLeftovers, setAside, Unsuitable, writeAtomically } from './files.ts'

const MOST_BYTES = 1024 * 1024
/** How often it is seen to that the file is there and up to date, ms. */
const LOOK = 5000

/** What the log should say of a file of the state directory, once. */
export type StateNotice =
  /** It could not be used, and is called `to` from now on. */
  | { type: 'set-aside'; file: string; to: string; reason: string }
  | { type: 'not-saved'; file: string; error: string }
  | { type: 'saved-again'; file: string }
  /** Somebody has taken it away; it has been written anew. */
  | { type: 'was-gone'; file: string }

/**
 * A JSON file in the state directory: read once, at the start, and written whole when what it is to hold has changed.
 * When it cannot be written, that is tried again and again.
 */
export class StateFile<Content> {
  readonly #directory: string
  readonly #path: string
  readonly #isContent: (value: unknown) => value is Content
  readonly #notify: (notice: StateNotice) => void
  /** What it is to hold; undefined: it is left as it is. */
  #wanted: string | undefined
  /** As it lies on the disk. */
  #written: string | undefined
  #inode: number | undefined
  #fault: string | undefined
  /** It is there, and cannot be read: it is not written over. */
  #unreadable: string | undefined
  #last: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(
    directory: string,
    name: string,
    isContent: (value: unknown) => value is Content,
    notify: (notice: StateNotice) => void,
  ) {
    this.#directory = directory
    this.#path = join(directory, name)
    this.#isContent = isContent
    this.#notify = notify
  }

  /** Why what it is to hold does not lie on the disk; undefined when it does. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** What it holds; undefined when there is none, or none that can be used: that is set aside. */
  async read(): Promise<Content | undefined> {
    this.#timer ??= setInterval(() => void this.flush().catch(() => {}), LOOK).unref()
    await removeLeftovers(this.#path).catch(() => {})
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(await readRegular(this.#path, MOST_BYTES))
      const content: unknown = JSON.parse(text)
      if (!this.#isContent(content)) throw new Unsuitable('it does not hold what it should')
      this.#written = text
      this.#inode = (await lstat(this.#path)).ino
      return content
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      const isDamaged = error instanceof Unsuitable || error instanceof SyntaxError || error instanceof TypeError
      await this.#giveUp(messageOf(error), isDamaged)
      return undefined
    }
  }

  /** What lies there cannot be used: it is set aside, also when that is found out only after reading. */
  async reject(reason: string): Promise<void> {
    await this.#giveUp(reason, true)
  }

  /** Sets what it is to hold; `flush` writes it. */
  set(content: Content): void {
    this.#wanted = `${JSON.stringify(content, null, 2)}\n`
  }

  /**
   * Resolves when what it is to hold lies on the disk, and is there. Calls made while a write is under way share the next.
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

  /** Writes what is not written yet, if that is possible. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
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

  async #giveUp(reason: string, isDamaged: boolean): Promise<void> {
    this.#written = undefined
    try {
      if (!isDamaged) throw new Error(reason)
      const to = await setAside(this.#path)
      this.#notify({ type: 'set-aside', file: this.#path, to, reason })
    } catch (error) {
      this.#unreadable = isDamaged
        ? `it is damaged (${reason}), and cannot be set aside: ${messageOf(error)}`
        : `${reason}; it was not read, so it is left as it is until a restart can read it`
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
