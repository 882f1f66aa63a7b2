import type { EarshotError } from './error.ts'

/**
 * The signal of one call: aborted by the caller's signal, and when something takes too long. In the place of
 * `AbortSignal.any`, as Node 20 never forgets what that has joined to a signal that lives for long.
 */
export class CallSignal {
  readonly #controller = new AbortController()
  readonly #outer: AbortSignal | undefined
  readonly #abort = () => this.#controller.abort(this.#outer?.reason)

  constructor(outer: AbortSignal | undefined) {
    this.#outer = outer
    if (outer?.aborted) this.#abort()
    else outer?.addEventListener('abort', this.#abort, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** What `pending` gives; if it takes longer than `ms`, the call is aborted with that error. */
  async within<Result>(ms: number, error: () => EarshotError, pending: Promise<Result>): Promise<Result> {
    const impatience = setTimeout(() => this.#controller.abort(error()), ms)
    try {
      return await pending
    } finally {
      clearTimeout(impatience)
    }
  }

  /** The call is over. */
  release(): void {
    this.#outer?.removeEventListener('abort', this.#abort)
  }
}
