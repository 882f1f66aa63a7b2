import { codeOf, messageOf } from '../shared/caught-error.ts'
import { suggestion } from '../shared/did-you-mean.ts'
import { printable } from './terminal.ts'

/** Errors as exit status and as one line of text; what yargs reports, in the words of these commands. */

/** Exit statuses of the commands. `failed` also means that the answer is no: not found, or no answer to `ping`. */
export const EXIT = { failed: 1, usage: 2, noDaemon: 3, timedOut: 4, interrupted: 130 } as const

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  EARSHOT_BAD_REQUEST: EXIT.usage,
  EARSHOT_BAD_SERVICE: EXIT.usage,
  EARSHOT_BAD_CONFIG: EXIT.usage,
  EARSHOT_NO_DAEMON: EXIT.noDaemon,
  EARSHOT_CONNECTION_LOST: EXIT.noDaemon,
  EARSHOT_TIMED_OUT: EXIT.timedOut,
}

/** The command line is wrong: exit status 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** The exit status for an error. */
export function exitStatus(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage
  return STATUS_BY_CODE[codeOf(error) ?? ''] ?? EXIT.failed
}

/** Fields of the API and the arguments that set them. */
const ARGUMENT_BY_FIELD: Readonly<Record<string, string>> = {
  body: 'KEY=VALUE',
  'body/name': 'NAME',
  'body/type': 'TYPE',
  'body/txt': 'KEY=VALUE',
  'body/subtypes': '--subtype',
  'params/id': 'ID',
}

/** An error in one line. A field that the API refuses is named as the flag or argument that set it. */
export function errorText(error: unknown): string {
  const text = messageOf(error).replace(
    /^(?:body|params)(?:\/\w+)?(?=[ /:])/,
    (field) => ARGUMENT_BY_FIELD[field] ?? field,
  )
  return printable(text.replace(/^querystring\/(?=\w)/, '--').replace(/^(?:body|params)\/(?=\w)/, ''))
}

/** Commands and flags that a misspelt word is compared with. */
export interface KnownWords {
  commands: readonly string[]
  /** The commands with their arguments, as yargs takes them: `show <peer>`. */
  usages?: readonly string[]
  flags: readonly string[]
}

/**
 * Turns an error message of yargs about the arguments `argv` into a UsageError of one line. An unknown word comes with
 * the nearest known one. `program` is `earshot` or `earshotd`.
 */
export function usageError(message: string, argv: readonly string[], known: KnownWords, program: string): UsageError {
  const seeHelp = ` (see '${program} --help')`
  const [, given] = /^Not enough non-option arguments: got (\d+)/.exec(message) ?? []
  if (given !== undefined) return missingArgument(Number(given), argv, known, program)
  const [, words] = /^Unknown (?:argument|command)s?: (.*)$/.exec(message) ?? []
  const [word = ''] = words?.split(', ') ?? []
  const [, flagWithoutValue] = /^Not enough arguments following: (\S+)/.exec(message) ?? []
  if (flagWithoutValue !== undefined) return new UsageError(`${flagText(flagWithoutValue)} needs a value${seeHelp}`)
  const [, one, other] = /^Arguments (\S+) and (\S+) are mutually exclusive/.exec(message) ?? []
  if (one !== undefined && other !== undefined) {
    return new UsageError(`${flagText(one)} and ${flagText(other)} cannot be given together${seeHelp}`)
  }
  // Other messages of yargs may have several lines.
  if (word === '') return new UsageError(message.replace(/\s*\n\s*/g, ' ') + seeHelp)
  // yargs reports an unknown flag and an unknown command alike.
  const flag = flagText(word)
  if (argv.some((argument) => argument === flag || argument.startsWith(`${flag}=`))) {
    return new UsageError(`unknown flag '${flag}'${suggestion(word, known.flags, '--') || seeHelp}`)
  }
  if (known.commands.length === 0 || argv.find((argument) => !argument.startsWith('-')) !== word) {
    return new UsageError(`unexpected argument '${word}'${seeHelp}`)
  }
  return new UsageError(`unknown command '${word}'${suggestion(word, known.commands) || seeHelp}`)
}

/** The name of one argument of those that may be repeated. */
const REPEATED_ARGUMENTS: Readonly<Record<string, string>> = { pairs: 'KEY=VALUE', keys: 'KEY' }

/** Names the first argument that a command needs and did not get; `given` is how many it got. */
function missingArgument(given: number, argv: readonly string[], known: KnownWords, program: string): UsageError {
  const command = argv.find((argument) => known.commands.includes(argument)) ?? ''
  const usage = known.usages?.find((text) => text.split(' ')[0] === command) ?? ''
  const needed = [...usage.matchAll(/<([^.>]+)(?:\.\.)?>/g)].map(
    ([, name = '']) => REPEATED_ARGUMENTS[name] ?? name.toUpperCase(),
  )
  const missing = needed[given]
  return new UsageError(
    missing === undefined
      ? `an argument is missing (see '${program} --help')`
      : `${command}: ${missing} is missing (see '${program} ${command} --help')`,
  )
}

/** A flag as typed: `-c` or `--count`. */
function flagText(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`
}
