import type { EarshotError } from './error.ts'

/** The longest time that a timer of Node can run, ms (24.8 days): it fires at once when it is given more. */
const LONGEST_TIMER = 2 ** 31 - 1

/** Who is to be told when a signal is aborted. Each signal has one listener of ours, however many calls it is given to. */
const followers = new WeakMap<AbortSignal, Set<() => void>>()

/** Calls `abort` when the signal is aborted, and not later than now if it is already; returns what ends that. */
export function whenAborted(signal: AbortSignal, abort: () => void): () => void {
  if (signal.aborted) {
    abort()
    return () => {}
  }
  const told = followers.get(signal) ?? follow(signal)
  told.add(abort)
  return () => void told.delete(abort)
}

function follow(signal: AbortSignal): Set<() => void> {
  const told = new Set<() => void>()
  followers.set(signal, told)
  signal.addEventListener(
    'abort',
    () => {
      for (const abort of [...told]) abort()
      told.clear()
    },
    { once: true },
  )
  return told
}

/**
 * The signal of one call: aborted by the caller's signal, and when something takes too long. In the place of
 * `AbortSignal.any`, as Node 20 never forgets what that has joined to a signal that lives for long.
 */
export class CallSignal {
  readonly #controller = new AbortController()
  readonly #unfollow: () => void

  constructor(outer: AbortSignal | undefined) {
    this.#unfollow = outer ? whenAborted(outer, () => this.abort(outer.reason)) : () => {}
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  abort(reason?: unknown): void {
    this.#controller.abort(reason)
  }

  /** What `pending` gives; if it takes longer than `ms` (which may be Infinity), the call is aborted with that error. */
  async within<Result>(ms: number, error: () => EarshotError, pending: Promise<Result>): Promise<Result> {
    if (ms > LONGEST_TIMER) return await pending
    const impatience = setTimeout(() => this.abort(error()), ms)
    try {
      return await pending
    } finally {
      clearTimeout(impatience)
    }
  }

  /** The call is over. */
  release(): void {
    this.#unfollow()
  }
}
