import yargs, { type Argv } from 'yargs'
import { PARSING } from '../shared/flags.ts'
import { VERSION } from '../shared/version.prebuilt.ts'
import { COMMANDS, COMPLETION, type CommandLine, type CommandName, GLOBAL_FLAGS } from './commands.ts'
import { type KnownWords, usageError } from './errors.ts'

/** The command line of `earshot` as yargs parses it: with help, completion, and errors for each wrong word. */

/** Runs a command with the values of its arguments and flags. */
type Run = (name: CommandName, options: Record<string, unknown>) => Promise<void>

/**
 * Parses a command line, and calls `run` if it names a command. Prints help, the version or completions if it asks for them.
 * @param width the width of the help text, columns; null: no limit
 * @throws UsageError
 */
export async function parseFully(argv: readonly string[], width: number | null, run: Run): Promise<void> {
  await earshotYargs(argv, run).wrap(width).parseAsync()
}

/** What yargs writes for a command line that asks for help or for a completion script. */
export async function textOf(words: readonly string[], width: number | null): Promise<string> {
  let written = ''
  await earshotYargs(words, async () => {})
    .wrap(width)
    .parseAsync(words, {}, (_error, _values, text) => {
      written = text
    })
  return written
}

function earshotYargs(argv: readonly string[], run: Run): Argv {
  const lines: [CommandName, CommandLine][] = Object.entries(COMMANDS) as [CommandName, CommandLine][]
  const known = knownWords([...lines.map(([, line]) => line), COMPLETION])
  const parser = yargs([...argv])
    .scriptName('earshot')
    .usage('$0 COMMAND\n\nWho is on this network right now, what they offer, and whether they are alive.')
    .locale('en')
    .parserConfiguration(PARSING)
    .options(GLOBAL_FLAGS)
  for (const [name, { command, aliases = [], describe, ...line }] of lines) {
    parser.command({
      command,
      aliases,
      describe,
      builder: (builder) => build(builder, line),
      handler: async (options) => await run(name, options),
    })
  }
  return parser
    .completion(COMPLETION.command, COMPLETION.describe)
    .demandCommand(1, `which command? ${known.commands.join(', ')}`)
    .strict()
    .alias('help', 'h')
    .version(VERSION)
    .exitProcess(false)
    .fail((message, error) => {
      throw error && !message ? error : usageError(message, argv, known, 'earshot')
    })
}

function build(
  builder: Argv,
  { arguments: positionals = {}, flags = {}, takesCommand, epilogue }: Omit<CommandLine, 'command' | 'describe'>,
): Argv {
  for (const [name, options] of Object.entries(positionals)) builder.positional(name, options)
  builder.options(flags)
  if (takesCommand) builder.parserConfiguration({ ...PARSING, 'populate--': true })
  if (epilogue !== undefined) builder.epilogue(epilogue)
  return builder
}

/** All commands and flags, for suggestions when a word is misspelt. */
function knownWords(lines: readonly CommandLine[]): KnownWords {
  const usages = lines.flatMap(({ command, aliases = [] }) => {
    const [, ...args] = command.split(' ')
    return [command, ...aliases.map((name) => [name, ...args].join(' '))]
  })
  return {
    usages,
    commands: usages.map((usage) => usage.split(' ')[0] ?? usage),
    flags: [...Object.keys(GLOBAL_FLAGS), 'help', 'version', ...lines.flatMap(({ flags = {} }) => Object.keys(flags))],
  }
}
