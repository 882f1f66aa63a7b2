import type { CommandModule } from 'yargs'
import type { Change, Synced } from '../client/index.ts'
import { textFlag } from '../shared/flags.ts'
import { ChangeHandler } from './change-handler.ts'
import { type Context, type GlobalOptions, Usage } from './command.ts'
import { Follower } from './follower.ts'
import { BACK, following, GONE } from './following.ts'
import { peerOptions, readAttributes } from './peer-options.ts'
import { printableJson } from './printable.ts'
import { readDuration } from './values.ts'
import { watchText } from './watch-text.ts'

interface WatchOptions extends GlobalOptions {
  service?: string[] | undefined
  where?: string[] | undefined
  self?: boolean | undefined
  exec?: string | undefined
  'exec-timeout'?: string | undefined
}

const DAY_MS = 86_400_000
const EXEC_TIMEOUT = '30s'

/** `earshot watch`: the present state, a `:` line, then one line a change, until SIGINT. */
export function watchCommand(context: Context): CommandModule<GlobalOptions, WatchOptions> {
  return {
    command: 'watch',
    describe: 'The peers now, then changes as they happen: + new, ~ changed, ? suspect, - gone',
    builder: {
      service: peerOptions.service,
      where: { ...peerOptions.where, conflicts: 'json' },
      self: peerOptions.self,
      exec: {
        ...textFlag,
        describe: 'Instead, run this with sh for each change, told on its standard input and in EARSHOT_… variables',
        conflicts: 'json',
      },
      'exec-timeout': {
        ...textFlag,
        describe: 'Kill a run of --exec that takes longer',
        defaultDescription: EXEC_TIMEOUT,
      },
    },
    handler: async (options) => {
      if (options.exec === undefined && options['exec-timeout'] !== undefined) {
        throw new Usage('--exec-timeout needs --exec')
      }
      if (options.exec !== undefined) await react(options.exec, options, context)
      else await (options.json ? printEvents(options, context) : print(options, context))
    },
  }
}

async function print(options: WatchOptions, context: Context): Promise<void> {
  const { output } = context
  const follower = new Follower()
  for await (const change of changes(options, context)) {
    const line = follower.line(change)
    if (line) await output.write(watchText(line, output))
  }
}

/** The events just as the daemon tells them, `gap` and all: the API's shape is the whole point. */
async function printEvents(options: WatchOptions, context: Context): Promise<void> {
  for await (const { lastEventId, ...event } of following(filterOf(options), options, context)) {
    await context.output.write(printableJson(event))
  }
}

/** `--exec`: the command is told of changes, and not of the state that they begin with. */
async function react(command: string, options: WatchOptions, context: Context): Promise<void> {
  const { remark } = context.output
  const timeout = readDuration('--exec-timeout', options['exec-timeout'] ?? EXEC_TIMEOUT, [100, DAY_MS])
  // `earshot` within the command asks the same daemon.
  const env = options.socket === undefined ? {} : { EARSHOT_SOCKET: options.socket }
  const handler = new ChangeHandler({ command, timeout, env, remark })
  let synced = false
  try {
    for await (const change of changes(options, context)) {
      if (change.type === 'sync') synced = true
      else if (synced) handler.tell(change)
    }
  } finally {
    await handler.close()
  }
}

/** The present state, a `sync`, and then the changes, for as long as the user wants. */
async function* changes(options: WatchOptions, context: Context): AsyncGenerator<Change | Synced, void, void> {
  const { output, signal } = context
  const onConnection = (connected: boolean): void => output.remark(connected ? BACK : GONE)
  try {
    const { where } = options
    const filter = { ...filterOf(options), ...(where && { attributes: readAttributes(where) }) }
    yield* context.daemon(options).watch(filter, { signal, sync: true, onConnection })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function filterOf({ service, self }: WatchOptions): { service?: string[]; self?: boolean } {
  return { ...(service && { service }), ...(self && { self }) }
}
