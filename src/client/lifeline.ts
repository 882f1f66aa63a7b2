import { setTimeout as delay } from 'node:timers/promises'
import type { Calls } from './calls.ts'
import { reconnecting } from './reconnect.ts'

/** After an answer that no daemon gives, ms. */
const TRY_AGAIN = 1000

/**
 * Notices that the daemon is there again: one connection for all who want to know, open as long as there are any.
 * It is a stream of the events of nobody, since no peer has an empty name.
 */
export class Lifeline {
  readonly #listeners = new Set<() => void>()
  #open: { calls: Calls; cut: AbortController } | undefined

  /** The daemon that it is connected with; undefined while nobody wants to know. */
  get calls(): Calls | undefined {
    return this.#open?.calls
  }

  /** Calls `listener` whenever a connection is made; returns what ends that. */
  hold(calls: Calls, listener: () => void): () => void {
    this.#listeners.add(listener)
    if (!this.#open) {
      this.#open = { calls, cut: new AbortController() }
      void this.#run(calls, this.#open.cut.signal)
    }
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      this.#open?.cut.abort()
      this.#open = undefined
    }
  }

  async #run(calls: Calls, signal: AbortSignal): Promise<void> {
    const open = () => calls.events(new URLSearchParams({ name: '' }), signal)
    while (!signal.aborted) {
      try {
        for await (const { type } of reconnecting(open, () => {}, signal)) {
          if (type === 'sync') for (const listener of this.#listeners) listener()
        }
      } catch {
        // Somebody else answers in the daemon's place: those who ask for more than life are told so.
        await delay(TRY_AGAIN, undefined, { signal }).catch(() => {})
      }
    }
  }
}
