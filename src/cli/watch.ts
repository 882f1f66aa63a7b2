import { setTimeout as delay } from 'node:timers/promises'
import type { CommandModule } from 'yargs'
import { type DaemonEvent, EarshotError, type Peer } from '../client/index.ts'
import type { Context, GlobalOptions } from './command.ts'
import { Follower } from './follower.ts'
import { peerOptions } from './peer-options.ts'
import { printableJson } from './printable.ts'
import { watchText } from './watch-text.ts'

interface WatchOptions extends GlobalOptions {
  service?: string[] | undefined
}

const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 2000
const LOSSES = ['EARSHOT_NO_DAEMON', 'EARSHOT_CONNECTION_LOST', 'EARSHOT_TIMED_OUT']

/** `earshot watch`: the present state, a `:` line, then one line a change, until SIGINT. */
export function watchCommand(context: Context): CommandModule<GlobalOptions, WatchOptions> {
  return {
    command: 'watch',
    describe: 'The peers now, then changes as they happen: + new, ~ changed, ? suspect, - gone',
    builder: { service: peerOptions.service },
    handler: async (options) => {
      const { output } = context
      const follower = new Follower(await offers(options.service))
      for await (const event of events(options, context)) {
        const lines = options.json
          ? [printableJson({ ...event, lastEventId: undefined })]
          : follower.lines(event).map((line) => watchText(line, output))
        if (lines.length > 0) await output.write(...lines)
      }
    },
  }
}

/** The test that the daemon applies to services too: an update may tell that a peer no longer passes it. */
async function offers(service: readonly string[] | undefined): Promise<((peer: Peer) => boolean) | undefined> {
  if (!service) return undefined
  const { eventsTest } = await import('../control/filter.ts')
  return eventsTest({ service }) as unknown as (peer: Peer) => boolean
}

/** The daemon's events for as long as the user wants, across the daemon's restarts. */
async function* events(options: WatchOptions, context: Context): AsyncGenerator<DaemonEvent, void, void> {
  const { output, signal } = context
  const daemon = context.daemon(options)
  const filter = options.service ? { service: options.service } : {}
  let resumeFrom = ''
  let everHeard = false
  let lost = false
  let wait = FIRST_DELAY_MS
  while (!signal.aborted) {
    try {
      const since = resumeFrom ? { since: resumeFrom } : {}
      for await (const event of daemon.events({ ...filter, ...since, state: true, signal })) {
        if (lost) output.remark('the daemon is back')
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
    if (!lost) output.remark('the daemon has gone: waiting for it to come back')
    lost = true
    await delay(wait, undefined, { signal }).catch(() => {})
    wait = Math.min(2 * wait, LONGEST_DELAY_MS)
  }
}
