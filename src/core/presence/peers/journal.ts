import type { Change } from './types.ts'

/** A change that has no number yet. */
export type Unnumbered = Change extends infer Each ? (Each extends Change ? Omit<Each, 'index'> : never) : never

/** What a change of one service weighs beside its peer's, about, bytes. */
export const SERVICE_BYTES = 256
const MOST_CHANGES = 4096
/** What the records in the kept changes may weigh together, bytes. */
const MOST_BYTES = 32 * 1024 * 1024

/** The latest changes, numbered: what a reader that was away catches up from. */
export class Journal {
  #changes: { change: Change; bytes: number }[] = []
  #bytes = 0
  #index = 0

  /** Index of the newest change; 0 before the first. */
  get index(): number {
    return this.#index
  }

  /** `bytes` is what the peer's record weighs. */
  add(change: Unnumbered, bytes: number): void {
    this.#changes.push({ change: { index: ++this.#index, ...change }, bytes })
    this.#bytes += bytes
    if (this.#changes.length > MOST_CHANGES || this.#bytes > MOST_BYTES) this.#trim()
  }

  /** The changes after `index`, oldest first; undefined when some of them are no longer kept or `index` is yet to come. */
  since(index: number): readonly Change[] | undefined {
    const wanted = this.#index - index
    if (wanted < 0 || wanted > this.#changes.length) return undefined
    return this.#changes.slice(this.#changes.length - wanted).map(({ change }) => change)
  }

  /** Down to three quarters, so that trimming is rare. */
  #trim(): void {
    let cut = 0
    while (
      this.#changes.length - cut > (MOST_CHANGES * 3) / 4 ||
      (this.#bytes > (MOST_BYTES * 3) / 4 && cut < this.#changes.length - 1)
    ) {
      this.#bytes -= this.#changes[cut]?.bytes ?? 0
      cut++
    }
    this.#changes = this.#changes.slice(cut)
  }
}
