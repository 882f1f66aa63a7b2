import { setTimeout as delay } from 'node:timers/promises'
import type { Peer, Peers } from '../shared/api.ts'
import { callBack } from './call-back.ts'
import type { Calls, DaemonEvent } from './calls.ts'
import type { Change, Synced } from './change.ts'
import type { EarshotError } from './error.ts'
import { peersQuery, type WatchFilter, writeQuery } from './filter.ts'
import { isLoss, reconnecting } from './reconnect.ts'
import { ToldPeers } from './told-peers.ts'

export interface WatchOptions {
  signal?: AbortSignal | undefined
  /** Whether the end of the present state is told, by a `sync`. */
  sync?: boolean | undefined
  /**
   * Called when the connection is lost, with the reason unless the daemon ended it, and when it is there again. Meanwhile
   * what was told is the last that is known.
   */
  onConnection?: ((connected: boolean, error?: EarshotError) => void) | undefined
}

/** What could not be asked now is asked again after this long, ms. */
const ASK_AGAIN = 1000

/**
 * The present state and then the changes, told once each across gaps and the daemon's restarts, until the signal is aborted,
 * which it has to be in the end. Nothing is read ahead: to
 * one who is slow to ask, the daemon tells later, and when it has kept no more of the past, what is different by then.
 */
export async function* watch(
  calls: Calls,
  filter: WatchFilter,
  onConnection: (connected: boolean, error?: EarshotError) => void,
  signal: AbortSignal,
): AsyncGenerator<Change | Synced, void, void> {
  const told = new ToldPeers(filter)
  const daemon = await calls.stay(signal)
  const events = follow(daemon, filter, told, onConnection, signal)
  let next = events.next()
  let notBefore = 0
  try {
    for (;;) {
      if (await comesBefore(next, told.due && Math.max(told.due, notBefore))) {
        const { done, value: event } = await next
        if (done) return
        yield* told.take(event, performance.now())
        next = events.next()
      } else {
        const fates = await askForFates(daemon, filter, told, signal)
        if (fates) yield* told.overdue(performance.now(), new Date().toISOString(), fates)
        else notBefore = performance.now() + ASK_AGAIN
      }
    }
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    next.catch(() => {})
  }
}

async function* follow(
  daemon: Calls,
  { service, name, self }: WatchFilter,
  told: ToldPeers,
  onConnection: (connected: boolean, error?: EarshotError) => void,
  signal: AbortSignal,
): AsyncGenerator<DaemonEvent, void, void> {
  let since = ''
  let connected = true
  const open = () => {
    if (since === '') told.beginState()
    return daemon.events(
      writeQuery({ service, name, self: self ? '1' : undefined, state: '1', since: since || undefined }),
      signal,
    )
  }
  const onLoss = (error: EarshotError | undefined) => {
    if (connected) callBack(onConnection, false, error)
    connected = false
  }
  for await (const event of reconnecting(open, onLoss, signal)) {
    if (!connected) callBack(onConnection, true)
    connected = true
    since = event.lastEventId || since
    yield event
  }
}

/** Whether this comes before that moment, monotonic ms. */
async function comesBefore(pending: Promise<unknown>, due: number | undefined): Promise<boolean> {
  if (due === undefined) return true
  const come = new AbortController()
  const moment = delay(Math.max(0, due - performance.now()), false, { signal: come.signal })
  try {
    return await Promise.race([pending.then(() => true), moment])
  } finally {
    come.abort()
  }
}

/** The peers that the daemon knows to be gone, by id; undefined when it is not the one that ought to know, or is away. */
async function askForFates(
  daemon: Calls,
  { name }: WatchFilter,
  told: ToldPeers,
  signal: AbortSignal,
): Promise<Map<string, Peer> | undefined> {
  try {
    const query = peersQuery({ ...(name && { name }), state: ['failed', 'left'] })
    const { epoch, peers } = await daemon.json<Peers>({ path: `/v1/peers?${query}` }, signal)
    return epoch === told.epoch ? new Map(peers.map((peer) => [peer.id, peer])) : undefined
  } catch (error) {
    if (isLoss(error)) return undefined
    throw error
  }
}
