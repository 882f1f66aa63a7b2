import { setTimeout as delay } from 'node:timers/promises'
import { type DaemonEvent, EarshotError, type EventOptions } from '../client/index.ts'
import type { Context, GlobalOptions } from './command.ts'

const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 2000
const LOSSES = ['EARSHOT_NO_DAEMON', 'EARSHOT_CONNECTION_LOST', 'EARSHOT_TIMED_OUT']

export const GONE = 'the daemon has gone: waiting for it to come back'
export const BACK = 'the daemon is back'

/**
 * The present state, then the daemon's events for as long as the user wants, across the daemon's restarts.
 * @throws EarshotError when there is no daemon to begin with, or when it refuses
 */
export async function* following(
  filter: Pick<EventOptions, 'service' | 'name'>,
  options: GlobalOptions,
  { daemon: daemonFor, output, signal }: Context,
): AsyncGenerator<DaemonEvent, void, void> {
  const daemon = daemonFor(options)
  let resumeFrom = ''
  let everHeard = false
  let lost = false
  let wait = FIRST_DELAY_MS
  while (!signal.aborted) {
    try {
      const since = resumeFrom ? { since: resumeFrom } : {}
      for await (const event of daemon.events({ ...filter, ...since, state: true, signal })) {
        if (lost) output.remark(BACK)
        everHeard = true
        lost = false
        wait = FIRST_DELAY_MS
        resumeFrom = event.lastEventId || resumeFrom
        yield event
      }
    } catch (error) {
      if (signal.aborted) return
      const isLoss = error instanceof EarshotError && LOSSES.includes(error.code)
      if (!everHeard || !isLoss) throw error
    }
    if (signal.aborted) return
    if (!lost) output.remark(GONE)
    lost = true
    await delay(wait, undefined, { signal }).catch(() => {})
    wait = Math.min(2 * wait, LONGEST_DELAY_MS)
  }
}
