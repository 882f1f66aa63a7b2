import { Earshot } from '../client/index.ts'
import type { Context } from './command.ts'
import { COMMANDS, type CommandLine, type CommandName, GLOBAL_FLAGS } from './commands.ts'
import { EXIT, errorText, exitStatus } from './errors.ts'
import { parseQuickly } from './quick-parser.ts'
import { processOutput } from './terminal.ts'

/** Runs a command of `earshot`, and sets the exit status. */

type Values = Record<string, unknown>
type Handler = (options: never, context: Context) => Promise<void>

/** Loads the file of a command. */
const HANDLERS: Readonly<Record<CommandName, () => Promise<Handler>>> = {
  ls: async () => (await import('./ls.ts')).ls,
  services: async () => (await import('./services.ts')).services,
  show: async () => (await import('./show.ts')).show,
  watch: async () => (await import('./watch.ts')).watch,
  publish: async () => (await import('./own-record.ts')).publish,
  unpublish: async () => (await import('./own-record.ts')).unpublish,
  set: async () => (await import('./own-record.ts')).set,
  unset: async () => (await import('./own-record.ts')).unset,
  resolve: async () => (await import('./resolve.ts')).resolve,
  wait: async () => (await import('./wait.ts')).wait,
  ping: async () => (await import('./ping.ts')).ping,
  status: async () => (await import('./status.ts')).status,
}

/** The commands by name and by alias. */
const NAMES: ReadonlyMap<string, CommandName> = new Map(
  (Object.entries(COMMANDS) as [CommandName, CommandLine][]).flatMap(([name, { aliases = [] }]) =>
    [name, ...aliases].map((word) => [word, name] as const),
  ),
)

export async function runEarshot(words: readonly string[]): Promise<void> {
  const interruption = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort())
  const output = processOutput()
  const context: Context = {
    output,
    daemon: ({ socket }) => new Earshot({ socket }),
    signal: interruption.signal,
    now: Date.now,
  }
  const run = async (name: CommandName, options: Values) => {
    const handler = await HANDLERS[name]()
    await handler(options as never, context)
  }
  try {
    const line = await commandLine(words)
    if (line) return await run(line.name, line.options)
    const { parseFully } = await import('./full-parser.ts')
    await parseFully(words, output.terminal ? output.width : null, run)
  } catch (error) {
    if (!interruption.signal.aborted) output.warn(errorText(error))
    process.exitCode = interruption.signal.aborted ? EXIT.interrupted : exitStatus(error)
  }
}

/** A command with the values of its arguments and flags. Undefined if yargs has to parse the words. */
export async function commandLine([first = '', ...words]: readonly string[]): Promise<
  { name: CommandName; options: Values } | undefined
> {
  const name = NAMES.get(first)
  if (name === undefined) return undefined
  const { command, flags, takesCommand }: CommandLine = COMMANDS[name]
  const options = await parseQuickly(words, {
    flags: { ...GLOBAL_FLAGS, ...flags },
    usage: command.split(' ').slice(1),
    ...(takesCommand && { takesCommand }),
  })
  return options && { name, options }
}
