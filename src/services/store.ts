import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { Type } from 'typebox'
import { readIfThere, writeAtomically } from '../atomic-file.ts'
import { StateUnusable } from '../errors.ts'
import { AttributesSchema, ServiceSchema } from '../wire/record.ts'
import type { CatalogueNotice, Content } from './types.ts'

const FILE = 'registered.json'
/** Changes within this time after a write go into the next one together, ms. */
const GATHER = 1000
/** When writing has failed, it is tried again after this time, ms. */
const RETRY = 10_000

const isContent = new Ajv({ strict: false, strictNumbers: true }).compile<Content>(
  Type.Object({ services: Type.Array(ServiceSchema), attributes: AttributesSchema }),
)

/** What was registered over the API, kept in the state directory from one start to the next. */
export class Store {
  readonly #directory: string
  readonly #notify: (notice: CatalogueNotice) => void
  /** As it lies on the disk. */
  #text = ''
  #pending: Content | undefined
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #writtenAt = Number.NEGATIVE_INFINITY
  #failing = false

  constructor(directory: string, notify: (notice: CatalogueNotice) => void) {
    this.#directory = directory
    this.#notify = notify
  }

  /** What was saved last; undefined when nothing ever was. @throws StateUnusable when the file cannot be read or is damaged */
  async read(): Promise<Content | undefined> {
    const text = await readIfThere(join(this.#directory, FILE)).catch((error: Error) => this.#refuse(error.message))
    if (text === undefined) return undefined
    this.#text = text
    const content = parsed(text)
    return isContent(content)
      ? content
      : this.#refuse(`${FILE} is damaged: remove it to begin without what was registered over the API`)
  }

  /** Saves at once, or together with others when it was only just done. */
  save(content: Content): void {
    this.#pending = content
    this.#plan(this.#writtenAt + GATHER - performance.now())
  }

  /** Resolves when what is to be saved lies on the disk, or when the log has been told that it does not. */
  async flush(): Promise<void> {
    await this.#writing
    if (this.#pending) this.#writing = this.#write(this.#pending)
    await this.#writing
  }

  #plan(wait: number): void {
    this.#timer ??= setTimeout(() => void this.flush(), Math.max(0, wait)).unref()
  }

  async #write(content: Content): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#pending = undefined
    const text = `${JSON.stringify(content, null, 2)}\n`
    if (text === this.#text) return
    this.#writtenAt = performance.now()
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 })
      await writeAtomically(join(this.#directory, FILE), text)
      this.#text = text
      if (this.#failing) this.#notify({ type: 'saved-again' })
      this.#failing = false
    } catch (error) {
      if (!this.#failing) this.#notify({ type: 'not-saved', error: String(error) })
      this.#failing = true
      this.#pending ??= content
      this.#plan(RETRY)
    }
  }

  #refuse(reason: string): never {
    throw new StateUnusable(this.#directory, reason)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
