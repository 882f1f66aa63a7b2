import { setTimeout as delay } from 'node:timers/promises'
import type { Peer, Peers } from '../shared/api.ts'
import type { ApiClient, DaemonEvent } from './api-client.ts'
import { Backoff, CallSignal } from './cancellation.ts'
import { callListener, EarshotError, isTransient } from './error.ts'
import { reconnecting } from './event-stream.ts'
import { type PeerFilter, peersQuery, toQuery, type WatchFilter } from './filter.ts'
import { type Change, type Synced, WatchState } from './watch-state.ts'

/** Follows the peers across restarts of the daemon: `watch` reports every change, `waitFor` waits for a number of peers. */

export interface WatchOptions {
  signal?: AbortSignal | undefined
  /** Whether a `sync` marks the end of the current state. */
  sync?: boolean | undefined
  /**
   * Called when the connection is lost, with the error unless the daemon closed it, and when it is back. While it is lost,
   * the reported state is the last one known.
   */
  onConnection?: ((connected: boolean, error?: EarshotError) => void) | undefined
}

export interface WaitOptions {
  /** The longest time to wait, ms; unlimited unless given. */
  timeout?: number | undefined
  signal?: AbortSignal | undefined
}

/** The pause before a failed query for departed peers is repeated, ms. */
const DEPARTED_RETRY_DELAY = 1000
/** The longest time that the daemon holds a blocking query, ms. */
const MAX_BLOCKING_TIME = 60_000

/**
 * Reports the current state and then every change once, across gaps and restarts of the daemon. Runs until `signal` is
 * aborted, which the caller must do in the end. Nothing is read ahead: while the application does not ask for the next
 * change, the daemon waits, and when its journal is too short for that, only the differences are reported.
 */
export async function* watch(
  client: ApiClient,
  filter: WatchFilter,
  onConnection: (connected: boolean, error?: EarshotError) => void,
  signal: AbortSignal,
): AsyncGenerator<Change | Synced, void, void> {
  const state = new WatchState(filter)
  const pinned = await client.pin(signal)
  const events = eventsAcrossRestarts(pinned, filter, state, onConnection, signal)
  let next = events.next()
  let retryAt = 0
  try {
    for (;;) {
      if (await settlesBefore(next, state.nextDeadline && Math.max(state.nextDeadline, retryAt))) {
        const { done, value: event } = await next
        if (done) return
        yield* state.apply(event, performance.now())
        next = events.next()
      } else {
        const departed = await fetchDeparted(pinned, filter, state, signal)
        if (departed) yield* state.expire(performance.now(), new Date().toISOString(), departed)
        else retryAt = performance.now() + DEPARTED_RETRY_DELAY
      }
    }
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    next.catch(() => {})
  }
}

async function* eventsAcrossRestarts(
  client: ApiClient,
  { service, name, self }: WatchFilter,
  state: WatchState,
  onConnection: (connected: boolean, error?: EarshotError) => void,
  signal: AbortSignal,
): AsyncGenerator<DaemonEvent, void, void> {
  let since = ''
  let isConnected = true
  const open = () => {
    if (since === '') state.beginSnapshot()
    const query = { service, name, self: self ? '1' : undefined, state: '1', since: since || undefined }
    return client.events(toQuery(query), signal)
  }
  const onLoss = (error: EarshotError | undefined) => {
    if (isConnected) callListener(onConnection, false, error)
    isConnected = false
  }
  for await (const event of reconnecting(open, onLoss, signal)) {
    if (!isConnected) callListener(onConnection, true)
    isConnected = true
    since = event.lastEventId || since
    yield event
  }
}

/** Whether the promise settles before the deadline, monotonic ms. */
async function settlesBefore(pending: Promise<unknown>, deadline: number | undefined): Promise<boolean> {
  if (deadline === undefined) return true
  const settled = new AbortController()
  const timer = delay(Math.max(0, deadline - performance.now()), false, { signal: settled.signal })
  try {
    return await Promise.race([pending.then(() => true), timer])
  } finally {
    settled.abort()
  }
}

/**
 * The peers that the daemon knows to have failed or left, by id. Undefined when the daemon is away, or has restarted since
 * the state was received.
 */
async function fetchDeparted(
  client: ApiClient,
  { name }: WatchFilter,
  state: WatchState,
  signal: AbortSignal,
): Promise<Map<string, Peer> | undefined> {
  try {
    const query = peersQuery({ ...(name && { name }), state: ['failed', 'left'] })
    const { epoch, peers } = await client.json<Peers>({ path: `/v1/peers?${query}` }, signal)
    return epoch === state.epoch ? new Map(peers.map((peer) => [peer.id, peer])) : undefined
  } catch (error) {
    if (isTransient(error)) return undefined
    throw error
  }
}

/**
 * The peers that match the filter, as soon as there are `count` of them.
 * @throws RangeError when `count` is not a whole number above zero, or `timeout` is negative or NaN
 * @throws EarshotError EARSHOT_TIMED_OUT; EARSHOT_NO_DAEMON when there is no daemon at the start
 */
export async function waitFor(
  client: ApiClient,
  filter: PeerFilter,
  count: number,
  { timeout = Number.POSITIVE_INFINITY, signal }: WaitOptions,
): Promise<Peer[]> {
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`count must be 1 or more, not ${count}`)
  if (!(timeout >= 0)) throw new RangeError(`timeout must be 0 ms or more, not ${timeout}`)
  const call = new CallSignal(signal)
  try {
    return await pollUntilCount(client, filter, count, timeout, call.signal)
  } finally {
    call.release()
  }
}

/** Repeats a blocking query, which the daemon answers at the next change. */
async function pollUntilCount(
  client: ApiClient,
  filter: PeerFilter,
  count: number,
  timeout: number,
  signal: AbortSignal,
): Promise<Peer[]> {
  const deadline = performance.now() + timeout
  const pinned = await client.pin(signal)
  const query = peersQuery({ ...filter, state: filter.state ?? 'alive' })
  const backoff = new Backoff()
  let found = 0
  for (;;) {
    const remaining = Math.max(0, deadline - performance.now())
    const wait = query.has('since') ? Math.ceil(Math.min(remaining, MAX_BLOCKING_TIME)) : 0
    if (wait > 0) query.set('wait', `${wait}ms`)
    else query.delete('wait')
    try {
      const { epoch, index, peers } = await pinned.json<Peers>({ path: `/v1/peers?${query}` }, signal, wait)
      if (peers.length >= count) return peers
      found = peers.length
      query.set('since', `${epoch}-${index}`)
      backoff.reset()
    } catch (error) {
      if (!isTransient(error)) throw error
      await backoff.pause(signal, deadline - performance.now())
    }
    if (performance.now() >= deadline) {
      throw new EarshotError('EARSHOT_TIMED_OUT', `after ${timeout} ms, ${found} of ${count} peers were found`)
    }
  }
}
