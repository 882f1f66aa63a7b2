import type { ServerResponse } from 'node:http'
import { TooBusy } from '../../shared/errors.ts'

/** A list of all peers may be 10 MB, and is held until it is taken: so much of it at a time, on each transport. */
const MOST_BYTES = 128 * 1024 * 1024

/**
 * Answers that are written and not yet taken: clients that do not read must not fill the memory. An answer that goes to
 * many is held, and counted, once.
 */
export class Untaken {
  readonly #takers = new Map<Buffer, number>()
  #bytes = 0

  /** @throws TooBusy when as much is held as may be */
  refuseOverLimit(): void {
    if (this.#bytes < MOST_BYTES) return
    throw new TooBusy(`answers of ${Math.round(this.#bytes / 1_000_000)} MB that their readers are not taking`)
  }

  /** Counts an answer until it is taken or its connection is gone. */
  add(out: ServerResponse, answer: Buffer): void {
    if (out.destroyed) return
    const takers = this.#takers.get(answer) ?? 0
    if (takers === 0) this.#bytes += answer.length
    this.#takers.set(answer, takers + 1)
    out.once('close', () => this.#release(answer))
  }

  #release(answer: Buffer): void {
    const takers = (this.#takers.get(answer) ?? 1) - 1
    if (takers > 0) {
      this.#takers.set(answer, takers)
    } else {
      this.#takers.delete(answer)
      this.#bytes -= answer.length
    }
  }
}
