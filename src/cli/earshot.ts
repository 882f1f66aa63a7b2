import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { Earshot } from '../client/index.ts'
import { PARSING, textFlag } from '../shared/flags.ts'
import { VERSION } from '../shared/version.ts'
import type { Context } from './command.ts'
import { EXIT, errorText, exitStatus, type KnownWords, usageError } from './errors.ts'
import { lsCommand } from './ls.ts'
import { publishCommand, setCommand, unpublishCommand, unsetCommand } from './own-record.ts'
import { pingCommand } from './ping.ts'
import { resolveCommand } from './resolve.ts'
import { servicesCommand } from './services.ts'
import { showCommand } from './show.ts'
import { statusCommand } from './status.ts'
import { processOutput } from './terminal.ts'
import { waitCommand } from './wait.ts'
import { watchCommand } from './watch.ts'

/** The program `earshot`: parses the command line, runs one command and sets the exit status. */

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
  const known = knownWords([
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

/** The parts of a command that a user types. */
interface CommandWords {
  command?: string | readonly string[] | undefined
  aliases?: string | readonly string[] | undefined
  builder?: unknown
  flags?: object | undefined
}

/** All commands and flags, for suggestions when a word is misspelt. */
function knownWords(commands: readonly CommandWords[]): KnownWords {
  const usages = commands.flatMap(({ command = [], aliases = [] }) => {
    const [usage = '', ...otherNames] = [command, aliases].flat()
    const [, ...args] = usage.split(' ')
    return [usage, ...otherNames.map((name) => [name, ...args].join(' '))]
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
  if (!interruption.signal.aborted) output.warn(errorText(error))
  process.exitCode = interruption.signal.aborted ? EXIT.interrupted : exitStatus(error)
}
