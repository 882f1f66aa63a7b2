import { setTimeout as delay } from 'node:timers/promises'
import type { DaemonEvent } from './calls.ts'
import { EarshotError } from './error.ts'

const FIRST_WAIT = 10
/** With the time a call takes, what depends on the connection is whole again within a second of the daemon's return, ms. */
const LONGEST_WAIT = 500
/** So that the daemon is found again after a quarter of the time that it was away, or sooner. */
const GROWTH = 1.25
/** After a connection that lived for so long the next is tried at once, ms. */
const GOOD_LIFE = 1000
/** After one that told something and then broke so soon, ms. */
const WAIT_AFTER_SHORT_LIFE = 100

const LOSSES = ['EARSHOT_NO_DAEMON', 'EARSHOT_CONNECTION_LOST', 'EARSHOT_TIMED_OUT']
/** The request did not reach it in time, or it is too busy: it is there, and to be asked again (RFC 9110, section 15). */
const TRANSIENT = [408, 503]

/** Whether the daemon may come back from this: it is away, or too busy. Anything else is an answer. */
export function isLoss(error: unknown): error is EarshotError {
  return error instanceof EarshotError && (LOSSES.includes(error.code) || TRANSIENT.includes(error.status ?? 0))
}

/** Pauses between attempts, each longer than the last, up to half a second. */
export class Backoff {
  #wait = 0

  /** The next pause begins with so many ms. */
  reset(wait = 0): void {
    this.#wait = wait
  }

  /** @throws the signal's reason when it is aborted */
  async pause(signal: AbortSignal | undefined, most = LONGEST_WAIT): Promise<void> {
    const wait = Math.max(0, Math.min(this.#wait, most))
    this.#wait = Math.min(Math.max(FIRST_WAIT, this.#wait * GROWTH), LONGEST_WAIT)
    await delay(wait, undefined, signal && { signal }).catch(() => signal?.throwIfAborted())
  }
}

/**
 * The events of one connection after the other, for ever: opens the next at once when one is lost, and then less often.
 * @throws what is not a loss, and the signal's reason
 */
export async function* reconnecting(
  open: () => AsyncIterable<DaemonEvent>,
  onLoss: (error: EarshotError | undefined) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<DaemonEvent, void, void> {
  const backoff = new Backoff()
  for (;;) {
    const openedAt = performance.now()
    let isConnected = false
    let loss: EarshotError | undefined
    try {
      for await (const event of open()) {
        isConnected = true
        yield event
      }
    } catch (error) {
      if (signal?.aborted || !isLoss(error)) throw error
      loss = error
    }
    onLoss(loss)
    if (isConnected) backoff.reset(performance.now() - openedAt >= GOOD_LIFE ? 0 : WAIT_AFTER_SHORT_LIFE)
    await backoff.pause(signal)
  }
}
