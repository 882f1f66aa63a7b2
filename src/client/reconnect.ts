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

/** Whether the daemon may come back from this: it is away, or too busy. Anything else is an answer. */
export function isLoss(error: unknown): error is EarshotError {
  return error instanceof EarshotError && (LOSSES.includes(error.code) || error.status === 503)
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
  let wait = 0
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
    if (isConnected) wait = performance.now() - openedAt >= GOOD_LIFE ? 0 : WAIT_AFTER_SHORT_LIFE
    await delay(wait, undefined, signal && { signal }).catch(() => signal?.throwIfAborted())
    wait = Math.min(Math.max(FIRST_WAIT, wait * GROWTH), LONGEST_WAIT)
  }
}
