import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { Earshot } from '../client/index.ts'
import { PARSING, textFlag } from '../shared/flags.ts'
import { VERSION } from '../shared/version.ts'
import { setCommand, unsetCommand } from './attributes.ts'
import type { Context } from './command.ts'
import { exitStatus, type KnownWords, sentence, usageError } from './failure.ts'
import { lsCommand } from './ls.ts'
import { processOutput } from './output.ts'
import { pingCommand } from './ping.ts'
import { publishCommand } from './publish.ts'
import { resolveCommand } from './resolve.ts'
import { servicesCommand } from './services.ts'
import { showCommand } from './show.ts'
import { statusCommand } from './status.ts'
import { unpublishCommand } from './unpublish.ts'
import { waitCommand } from './wait.ts'
import { watchCommand } from './watch.ts'

/** The command `earshot`: parses, runs one command, and ends with a status that scripts can use. */

const GLOBAL_FLAGS = {
  socket: { ...textFlag, describe: "The daemon's control socket (also EARSHOT_SOCKET)" },
  json: { type: 'boolean', describe: "JSON in the HTTP API's shape" },
} as const

const COMPLETION = {
  command: 'completion',
  describe: 'Shell completion: eval "$(earshot completion)" in ~/.bashrc or ~/.zshrc',
}

async function run(argv: readonly string[], context: Context): Promise<void> {
  const ls = lsCommand(context)
  const services = servicesCommand(context)
  const show = showCommand(context)
  const watch = watchCommand(context)
  const publish = publishCommand(context)
  const unpublish = unpublishCommand(context)
  const set = setCommand(context)
  const unset = unsetCommand(context)
  const resolve = resolveCommand(context)
  const wait = waitCommand(context)
  const ping = pingCommand(context)
  const status = statusCommand(context)
  const known = wordsOf([
    ls,
    services,
    show,
    watch,
    publish,
    unpublish,
    set,
    unset,
    resolve,
    wait,
    ping,
    status,
    COMPLETION,
  ])
  await yargs([...argv])
    .scriptName('earshot')
    .usage('$0 COMMAND\n\nWho is on this network right now, what they offer, and whether they are alive.')
    .locale('en')
    .parserConfiguration(PARSING)
    .options(GLOBAL_FLAGS)
    .command(ls)
    .command(services)
    .command(show)
    .command(watch)
    .command(publish)
    .command(unpublish)
    .command(set)
    .command(unset)
    .command(resolve)
    .command(wait)
    .command(ping)
    .command(status)
    .completion(COMPLETION.command, COMPLETION.describe)
    .demandCommand(1, `which command? ${known.commands.join(', ')}`)
    .strict()
    .alias('help', 'h')
    .version(VERSION)
    .exitProcess(false)
    .wrap(context.output.terminal ? context.output.width : null)
    .fail((message, error) => {
      throw error && !message ? error : usageError(message, argv, known, 'earshot')
    })
    .parseAsync()
}

interface Worded {
  command?: string | readonly string[] | undefined
  aliases?: string | readonly string[] | undefined
  builder?: unknown
  flags?: object | undefined
}

/** Every word of the command line that a user may have meant. */
function wordsOf(commands: readonly Worded[]): KnownWords {
  const usages = commands.flatMap(({ command = [], aliases = [] }) => {
    const [whole = '', ...others] = [command, aliases].flat()
    const [, ...needed] = whole.split(' ')
    return [whole, ...others.map((name) => [name, ...needed].join(' '))]
  })
  return {
    usages,
    commands: usages.map((usage) => usage.split(' ')[0] ?? usage),
    flags: [
      ...Object.keys(GLOBAL_FLAGS),
      'help',
      'version',
      ...commands.flatMap(({ builder, flags = typeof builder === 'object' ? builder : {} }) =>
        Object.keys(flags ?? {}),
      ),
    ],
  }
}

const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort())
const output = processOutput()

try {
  await run(hideBin(process.argv), {
    output,
    daemon: ({ socket }) => new Earshot({ socket }),
    signal: interruption.signal,
    now: Date.now,
  })
} catch (error) {
  if (!interruption.signal.aborted) output.remark(sentence(error))
  process.exitCode = interruption.signal.aborted ? 130 : exitStatus(error)
}
