import type { ServerResponse } from 'node:http'
import { TooBusy } from '../errors.ts'

/** A list of all peers may be 10 MB, and is held until it is taken: so many at a time, on each transport. */
const MOST = 32
/** One who takes nothing of an answer for so long gets no more of it, ms. */
const PATIENCE_MS = 10_000

/** Answers that are long and not yet taken: a few clients that do not read must not fill the memory. */
export class LongAnswers {
  #count = 0

  /**
   * Counts an answer until it is taken or its connection is gone.
   * @throws TooBusy
   */
  add(out: ServerResponse): void {
    if (this.#count >= MOST) throw new TooBusy(this.#count)
    this.#count++
    out.once('close', () => this.#count--)
    out.setTimeout(PATIENCE_MS, () => out.destroy())
  }
}
