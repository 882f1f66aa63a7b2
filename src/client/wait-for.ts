import type { Peer, Peers } from '../shared/api.ts'
import { CallSignal } from './call-signal.ts'
import type { Calls } from './calls.ts'
import { EarshotError } from './error.ts'
import { type PeerFilter, peersQuery } from './filter.ts'
import { Backoff, isLoss } from './reconnect.ts'

export interface WaitOptions {
  /** How long, ms; for ever unless given. */
  timeout?: number | undefined
  signal?: AbortSignal | undefined
}

/** As long as one answer of the daemon may be waited for, ms. */
const LONGEST_WAIT = 60_000

/**
 * The peers that pass, as soon as there are `count` of them.
 * @throws RangeError when `count` is not a whole number above zero, or `timeout` no time
 * @throws EarshotError EARSHOT_TIMED_OUT; when there is no daemon to begin with, EARSHOT_NO_DAEMON
 */
export async function waitFor(
  calls: Calls,
  filter: PeerFilter,
  count: number,
  { timeout = Number.POSITIVE_INFINITY, signal }: WaitOptions,
): Promise<Peer[]> {
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`count must be 1 or more, not ${count}`)
  if (!(timeout >= 0)) throw new RangeError(`timeout must be 0 ms or more, not ${timeout}`)
  const call = new CallSignal(signal)
  try {
    return await untilThere(calls, filter, count, timeout, call.signal)
  } finally {
    call.release()
  }
}

async function untilThere(
  calls: Calls,
  filter: PeerFilter,
  count: number,
  timeout: number,
  signal: AbortSignal,
): Promise<Peer[]> {
  const deadline = performance.now() + timeout
  const daemon = await calls.stay(signal)
  const query = peersQuery({ ...filter, state: filter.state ?? 'alive' })
  const backoff = new Backoff()
  let found = 0
  for (;;) {
    const remaining = Math.max(0, deadline - performance.now())
    const wait = query.has('since') ? Math.ceil(Math.min(remaining, LONGEST_WAIT)) : 0
    if (wait > 0) query.set('wait', `${wait}ms`)
    else query.delete('wait')
    try {
      const { epoch, index, peers } = await daemon.json<Peers>({ path: `/v1/peers?${query}` }, signal, wait)
      if (peers.length >= count) return peers
      found = peers.length
      query.set('since', `${epoch}-${index}`)
      backoff.reset()
    } catch (error) {
      if (!isLoss(error)) throw error
      await backoff.pause(signal, deadline - performance.now())
    }
    if (performance.now() >= deadline) {
      throw new EarshotError('EARSHOT_TIMED_OUT', `after ${timeout} ms there are ${found} of ${count} such peers`)
    }
  }
}
