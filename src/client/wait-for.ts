import { setTimeout as delay } from 'node:timers/promises'
import type { Peer, Peers } from '../control/api.ts'
import type { Calls } from './calls.ts'
import { EarshotError } from './error.ts'
import { type PeerFilter, peersQuery } from './filter.ts'
import { isLoss } from './reconnect.ts'

export interface WaitOptions {
  /** How long, ms; for ever unless given. */
  timeout?: number | undefined
  signal?: AbortSignal | undefined
}

/** As long as one answer of the daemon may be waited for, ms. */
const LONGEST_WAIT = 60_000
/** The same where the daemon's own peer counts, whose changes end no waiting. */
const LONGEST_WAIT_FOR_SELF = 1000
const PAUSE = 200

/**
 * The peers that pass, as soon as there are `count` of them.
 * @throws RangeError when `count` is not a whole number above zero
 * @throws EarshotError EARSHOT_TIMED_OUT; when there is no daemon to begin with, EARSHOT_NO_DAEMON
 */
export async function waitFor(
  calls: Calls,
  filter: PeerFilter,
  count: number,
  { timeout = Number.POSITIVE_INFINITY, signal }: WaitOptions,
): Promise<Peer[]> {
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`count must be 1 or more, not ${count}`)
  const deadline = performance.now() + timeout
  const daemon = await calls.stay(signal)
  const query = peersQuery({ state: 'alive', ...filter })
  const longest = filter.self ? LONGEST_WAIT_FOR_SELF : LONGEST_WAIT
  let found = 0
  for (;;) {
    const wait = query.has('since') ? Math.ceil(Math.min(Math.max(0, deadline - performance.now()), longest)) : 0
    if (wait > 0) query.set('wait', `${wait}ms`)
    else query.delete('wait')
    try {
      const { epoch, index, peers } = await daemon.json<Peers>({ path: `/v1/peers?${query}` }, signal, wait)
      if (peers.length >= count) return peers
      found = peers.length
      query.set('since', `${epoch}-${index}`)
    } catch (error) {
      if (!isLoss(error)) throw error
      await delay(Math.max(0, Math.min(PAUSE, deadline - performance.now())), undefined, signal && { signal }).catch(
        () => signal?.throwIfAborted(),
      )
    }
    if (performance.now() >= deadline) {
      throw new EarshotError('EARSHOT_TIMED_OUT', `after ${timeout} ms there are ${found} of ${count} such peers`)
    }
  }
}
