import type { Options } from 'yargs'
import type { Options as ParserOptions } from 'yargs-parser'
import { PARSING } from '../shared/flags.ts'

/**
 * Parses command lines that have no fault with the parser of yargs alone, because yargs itself takes longer to load than Node takes to
 * start. Everything else is left to yargs: help, completion, and every command line that it may refuse.
 */

/** What a program takes on its command line. */
interface Accepted {
  flags: Readonly<Record<string, Options>>
  /** Names of the arguments without a flag, in their order. Yargs' notation: `<peer>`, `[type]`, `<pairs..>`. */
  usage?: readonly string[]
  /** Whether another command may follow after `--`. */
  takesCommand?: boolean
}

/**
 * The values by name, in the form in which yargs gives them to a command. Undefined if yargs has to parse the words.
 * @param words the command line without the names of the program and of the command
 */
export async function parseQuickly(
  words: readonly string[],
  { flags, usage = [], takesCommand = false }: Accepted,
): Promise<Record<string, unknown> | undefined> {
  const parsed = words.length === 0 ? { _: [], ...defaults(flags) } : await parse(words, flags)
  if (!parsed) return undefined
  const { _: rest, '--': command, ...given } = parsed
  if (command && !takesCommand) return undefined
  const values = withArguments(given, rest.map(String), usage)
  if (!values || !Object.keys(given).every((key) => isFlag(key, flags)) || hasConflict(given, flags)) return undefined
  for (const [name, { coerce }] of Object.entries(flags)) {
    if (coerce && values[name] !== undefined) values[name] = coerce(values[name])
  }
  return command ? { ...values, '--': command } : values
}

type Parsed = Record<string, unknown> & { _: (string | number)[]; '--'?: (string | number)[] }

/** What the parser of yargs makes of the words; undefined if it finds a fault. Without words, nobody has to load it. */
async function parse(words: readonly string[], flags: Accepted['flags']): Promise<Parsed | undefined> {
  const { default: parser } = await import('yargs-parser')
  const { argv, error } = parser.detailed([...words], parserOptions(flags))
  return error ? undefined : argv
}

/** The values of flags that are not given. */
function defaults(flags: Accepted['flags']): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(flags).flatMap(([name, flag]) => ('default' in flag ? [[name, flag.default]] : [])),
  )
}

function parserOptions(flags: Accepted['flags']): ParserOptions {
  const named = Object.entries(flags)
  const ofType = (type: Options['type']) => named.flatMap(([name, flag]) => (flag.type === type ? [name] : []))
  return {
    boolean: ofType('boolean'),
    string: ofType('string'),
    array: named.flatMap(([name, { array }]) => (array ? [name] : [])),
    narg: Object.fromEntries(
      named.flatMap(([name, { nargs, requiresArg }]) => {
        // How yargs tells its parser that a value is required.
        return nargs !== undefined ? [[name, nargs]] : requiresArg ? [[name, Number.NaN]] : []
      }),
    ),
    default: defaults(flags),
    alias: Object.fromEntries(named.map(([name, { alias = [] }]) => [name, [alias].flat()])),
    configuration: { ...PARSING, 'populate--': true },
  }
}

/** Adds the arguments without a flag. Undefined if there are too few or too many, or if yargs might change one. */
function withArguments(
  given: Record<string, unknown>,
  rest: readonly string[],
  usage: readonly string[],
): Record<string, unknown> | undefined {
  if (rest.some((word) => /^-|["']/.test(word)) || rest.at(-1) === 'help') return undefined
  const values = { ...given }
  let at = 0
  for (const text of usage) {
    const [, open, name = '', dots] = /^([<[])(.+?)(\.\.)?[>\]]$/.exec(text) ?? []
    const words = dots ? rest.slice(at) : rest.slice(at, at + 1)
    if (open === '<' && words.length === 0) return undefined
    if (dots) values[name] = words
    else if (words.length > 0) values[name] = words[0]
    at += words.length
  }
  return at === rest.length ? values : undefined
}

function isFlag(key: string, flags: Accepted['flags']): boolean {
  return Object.hasOwn(flags, key) || Object.values(flags).some(({ alias = [] }) => [alias].flat().includes(key))
}

function hasConflict(given: Record<string, unknown>, flags: Accepted['flags']): boolean {
  return Object.entries(flags).some(([name, { conflicts = [] }]) => {
    return given[name] !== undefined && [conflicts].flat().some((other) => given[String(other)] !== undefined)
  })
}
