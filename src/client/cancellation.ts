import { setTimeout as delay } from 'node:timers/promises'
import type { EarshotError } from './error.ts'

/** Waiting that an `AbortSignal` ends: calls with a timeout, pauses between attempts, and generators. */

/** The longest delay of a Node.js timer, ms (24.8 days). A timer with a longer delay fires at once. */
const MAX_TIMER_DELAY = 2 ** 31 - 1

const MIN_PAUSE = 10
/**
 * Together with the duration of a call, everything that depends on the connection works again within a second after the
 * daemon has returned, ms.
 */
const MAX_PAUSE = 500
/** With this factor the daemon is found again after at most a quarter of the time that it was away. */
const PAUSE_FACTOR = 1.25

/** The callbacks of each signal. A signal gets only one listener, however many calls use it. */
const callbacks = new WeakMap<AbortSignal, Set<() => void>>()

/** Calls `callback` when the signal is aborted, at once if it already is. Returns a function that removes the callback. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  if (signal.aborted) {
    callback()
    return () => {}
  }
  const registered = callbacks.get(signal) ?? listenTo(signal)
  registered.add(callback)
  return () => void registered.delete(callback)
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const registered = new Set<() => void>()
  callbacks.set(signal, registered)
  signal.addEventListener(
    'abort',
    () => {
      for (const callback of [...registered]) callback()
      registered.clear()
    },
    { once: true },
  )
  return registered
}

/**
 * The signal of one call: aborted by the caller's signal or by a timeout. It replaces `AbortSignal.any`, because Node.js 20
 * never releases the signals that it combines with a long-lived one.
 */
export class CallSignal {
  readonly #controller = new AbortController()
  readonly #removeCallback: () => void

  constructor(outer: AbortSignal | undefined) {
    this.#removeCallback = outer ? onAbort(outer, () => this.abort(outer.reason)) : () => {}
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  abort(reason?: unknown): void {
    this.#controller.abort(reason)
  }

  /** Resolves as `pending` does. Aborts the call with `error` when that takes longer than `ms`, which may be Infinity. */
  async within<Result>(ms: number, error: () => EarshotError, pending: Promise<Result>): Promise<Result> {
    if (ms > MAX_TIMER_DELAY) return await pending
    const timer = setTimeout(() => this.abort(error()), ms)
    try {
      return await pending
    } finally {
      clearTimeout(timer)
    }
  }

  /** Ends the call: the caller's signal no longer affects it. */
  release(): void {
    this.#removeCallback()
  }
}

/** Exponential backoff: each pause is longer than the one before, up to half a second. */
export class Backoff {
  #pause = 0

  /** Starts again with a pause of `pause` ms. */
  reset(pause = 0): void {
    this.#pause = pause
  }

  /**
   * Waits before the next attempt, for at most `max` ms. The wait grows with each attempt.
   * @throws the signal's reason when it is aborted
   */
  async pause(signal: AbortSignal | undefined, max = MAX_PAUSE): Promise<void> {
    const pause = Math.max(0, Math.min(this.#pause, max))
    this.#pause = Math.min(Math.max(MIN_PAUSE, this.#pause * PAUSE_FACTOR), MAX_PAUSE)
    await delay(pause, undefined, signal && { signal }).catch(() => signal?.throwIfAborted())
  }
}

const DONE: IteratorReturnResult<void> = { done: true, value: undefined }

/**
 * An async generator whose `return` also ends a pending `next`. The `return` of an ordinary generator waits for it instead.
 * @param outer aborts the generator
 * @param run called for the first value, with a signal that is aborted when the generator ends
 */
export function abortableGenerator<Value>(
  outer: AbortSignal | undefined,
  run: (signal: AbortSignal) => AsyncGenerator<Value, void, void>,
): AsyncGenerator<Value, void, void> {
  let call: CallSignal | undefined
  let source: AsyncGenerator<Value, void, void> | undefined
  let hasEnded = false
  const end = () => {
    hasEnded = true
    call?.abort()
    call?.release()
  }
  return {
    async next() {
      if (hasEnded) return DONE
      call ??= new CallSignal(outer)
      source ??= run(call.signal)
      try {
        const result = await source.next()
        if (result.done) end()
        return hasEnded ? DONE : result
      } catch (error) {
        if (hasEnded) return DONE
        end()
        throw error
      }
    },
    async return() {
      end()
      await source?.return()
      return DONE
    },
    async throw(error) {
      end()
      await source?.return()
      throw error
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
