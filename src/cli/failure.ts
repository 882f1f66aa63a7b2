import { codeOf, messageOf } from '../shared/caught-error.ts'
import { suggestion } from '../shared/did-you-mean.ts'
import { Usage } from './command.ts'
import { printable } from './printable.ts'

/** What an exit status means: 0 done, 1 the answer is no, 2 wrong usage, 3 no daemon, 4 timed out. */
export const EXIT = { done: 0, no: 1, usage: 2, noDaemon: 3, timedOut: 4 } as const

const STATUSES: Readonly<Record<string, number>> = {
  EARSHOT_BAD_REQUEST: EXIT.usage,
  EARSHOT_BAD_SERVICE: EXIT.usage,
  EARSHOT_BAD_CONFIG: EXIT.usage,
  EARSHOT_NO_DAEMON: EXIT.noDaemon,
  EARSHOT_CONNECTION_LOST: EXIT.noDaemon,
  EARSHOT_TIMED_OUT: EXIT.timedOut,
}

/** The exit status that tells a script what went wrong. */
export function exitStatus(error: unknown): number {
  if (error instanceof Usage) return EXIT.usage
  const code = codeOf(error) ?? ''
  return STATUSES[code] ?? EXIT.no
}

/** What the commands call the fields of the API. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  body: 'KEY=VALUE',
  'body/name': 'NAME',
  'body/type': 'TYPE',
  'body/txt': 'KEY=VALUE',
  'body/subtypes': '--subtype',
  'params/id': 'ID',
}

/** An error in one line. What the API refuses is named as the flag or the argument that it came from. */
export function sentence(error: unknown): string {
  const named = messageOf(error).replace(/^(?:body|params)(?:\/\w+)?(?=[ /:])/, (field) => ARGUMENTS[field] ?? field)
  return printable(named.replace(/^querystring\/(?=\w)/, '--').replace(/^(?:body|params)\/(?=\w)/, ''))
}

export interface KnownWords {
  commands: readonly string[]
  /** The commands as yargs has them, with their arguments: `show <peer>`. */
  usages?: readonly string[]
  flags: readonly string[]
}

/**
 * What yargs finds wrong with the arguments, in our words: one line, and the nearest of what is known where a word is
 * unknown. `program` is what the user typed.
 */
export function usageError(message: string, argv: readonly string[], known: KnownWords, program: string): Usage {
  const seeHelp = ` (see '${program} --help')`
  const [, given] = /^Not enough non-option arguments: got (\d+)/.exec(message) ?? []
  if (given !== undefined) return missingArgument(Number(given), argv, known, program)
  const [, words] = /^Unknown (?:argument|command)s?: (.*)$/.exec(message) ?? []
  const [word = ''] = words?.split(', ') ?? []
  const [, valueless] = /^Not enough arguments following: (\S+)/.exec(message) ?? []
  if (valueless !== undefined) return new Usage(`${flag(valueless)} needs a value${seeHelp}`)
  const [, one, other] = /^Arguments (\S+) and (\S+) are mutually exclusive/.exec(message) ?? []
  if (one !== undefined && other !== undefined) {
    return new Usage(`${flag(one)} and ${flag(other)} cannot be given together${seeHelp}`)
  }
  // yargs gives its parting line breaks, and calls a command and a flag alike an argument.
  if (word === '') return new Usage(message.replace(/\s*\n\s*/g, ' ') + seeHelp)
  const typed = flag(word)
  if (argv.some((argument) => argument === typed || argument.startsWith(`${typed}=`))) {
    return new Usage(`unknown flag '${typed}'${suggestion(word, known.flags, '--') || seeHelp}`)
  }
  if (known.commands.length === 0 || argv.find((argument) => !argument.startsWith('-')) !== word) {
    return new Usage(`unexpected argument '${word}'${seeHelp}`)
  }
  return new Usage(`unknown command '${word}'${suggestion(word, known.commands) || seeHelp}`)
}

/** What one argument is called where a command takes several. */
const REPEATED: Readonly<Record<string, string>> = { pairs: 'KEY=VALUE', keys: 'KEY' }

/** Names the first argument that a command needs and has not been given; `given` is how many it has. */
function missingArgument(given: number, argv: readonly string[], known: KnownWords, program: string): Usage {
  const command = argv.find((argument) => known.commands.includes(argument)) ?? ''
  const usage = known.usages?.find((text) => text.split(' ')[0] === command) ?? ''
  const needed = [...usage.matchAll(/<([^.>]+)(?:\.\.)?>/g)].map(
    ([, name = '']) => REPEATED[name] ?? name.toUpperCase(),
  )
  const missing = needed[given]
  return new Usage(
    missing === undefined
      ? `an argument is missing (see '${program} --help')`
      : `${command}: ${missing} is missing (see '${program} ${command} --help')`,
  )
}

/** A flag as it is typed. */
function flag(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`
}
