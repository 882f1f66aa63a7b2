import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Options } from 'yargs'
import { COMMANDS, type CommandLine, type CommandName, GLOBAL_FLAGS } from '../../src/cli/commands.ts'
import { parseDaemonFlags } from '../../src/cli/full-daemon-parser.ts'
import { parseFully } from '../../src/cli/full-parser.ts'
import { parseQuickly } from '../../src/cli/quick-parser.ts'
import { commandLine } from '../../src/cli/run.ts'
import { daemonOptions } from '../../src/daemon/config/settings.ts'

// The quick parser may leave any command line to yargs. What it accepts, yargs must accept with the same values.

const RUNS = 200

type Flags = Readonly<Record<string, Options>>
const LINES: readonly CommandLine[] = Object.values(COMMANDS)

/** Words that a parser could take for something else than a value, and ordinary ones. */
const value = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('kitchen', 'a', 'http', 'status=idle', 'alive,failed', '8080', '1.5', 'K=') },
  fc.constantFrom(
    '',
    ' ',
    '-',
    '--',
    '-1',
    '-1.5',
    '-x',
    '--x',
    '0x10',
    '1e3',
    '007',
    '9007199254740993',
    'true',
    'false',
  ),
  fc.constantFrom(
    'null',
    'undefined',
    'NaN',
    '"quoted"',
    "'single'",
    '"',
    "'",
    'a b',
    'é',
    '\\n',
    '=',
    '==',
    'a=b=c',
    '...',
  ),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    '_',
    '$0',
    'a.b',
    '[x]',
    '{}',
    '*',
    '@file',
    'help',
    'version',
    'ls',
  ),
  fc.string({ maxLength: 4 }),
)

/** Ways to write a flag, right and wrong. */
function flagWords(flags: Flags): fc.Arbitrary<string[]> {
  const names = Object.keys(flags)
  const letters = Object.values(flags).flatMap(({ alias = [] }) => [alias].flat())
  const name = fc.constantFrom(...names, ...letters)
  const short = letters.length > 0 ? fc.constantFrom(...letters) : fc.constantFrom('h', 'x')
  return fc.oneof(
    { weight: 3, arbitrary: name.map((text) => [`--${text}`]) },
    { weight: 3, arbitrary: fc.tuple(name, value).map(([text, given]) => [`--${text}`, given]) },
    { weight: 3, arbitrary: fc.tuple(name, value).map(([text, given]) => [`--${text}=${given}`]) },
    name.map((text) => [`--no-${text}`]),
    fc.tuple(name, value).map(([text, given]) => [`--no-${text}=${given}`]),
    fc.tuple(short, value).map(([letter, given]) => [`-${letter}`, given]),
    fc.tuple(short, value).map(([letter, given]) => [`-${letter}${given}`]),
    fc.tuple(short, value).map(([letter, given]) => [`-${letter}=${given}`]),
    fc.tuple(short, short).map(([one, other]) => [`-${one}${other}`]),
    name.map((text) => [`-${text}`]),
    // Abbreviated, in another case, with a part after a dot, or misspelt.
    name.map((text) => [`--${text.slice(0, -1)}`]),
    name.map((text) => [`--${text.replace(/-(.)/g, (_, letter) => letter.toUpperCase())}`]),
    name.map((text) => [`--${text.toUpperCase()}`]),
    fc.tuple(name, value).map(([text, given]) => [`--${text}.x`, given]),
    fc
      .constantFrom('--help', '-h', '--version', '--no-help', '--get-yargs-completions', '--$0', '--_')
      .map((text) => [text]),
  )
}

function words(flags: Flags, maxLength: number): fc.Arbitrary<string[]> {
  const one = fc.oneof(
    { weight: 5, arbitrary: flagWords(flags) },
    value.map((text) => [text]),
  )
  return fc.array(one, { maxLength }).map((parts) => parts.flat())
}

/** The values that a command or the daemon uses. */
function used(values: Record<string, unknown> | undefined, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, values?.[name]]))
}

describe.each(LINES)(
  'earshot $command',
  ({ command, aliases = [], flags = {}, arguments: positionals = {}, takesCommand }) => {
    const [name = ''] = command.split(' ')
    const names = [...Object.keys({ ...GLOBAL_FLAGS, ...flags, ...positionals }), '--']
    // As many arguments as the command needs are more often right than any number.
    const needed = fc.array(value, {
      minLength: Object.keys(positionals).length,
      maxLength: Object.keys(positionals).length,
    })
    const line = fc
      .tuple(
        fc.constantFrom(name, ...aliases),
        needed,
        words({ ...GLOBAL_FLAGS, ...flags }, 4),
        fc.oneof(
          { weight: takesCommand ? 1 : 9, arbitrary: fc.constant(undefined) },
          fc.array(value, { maxLength: 2 }),
        ),
      )
      .map(([first, some, more, command]) => [first, ...some, ...more, ...(command ? ['--', ...command] : [])])

    test('has the same values from both parsers', async () => {
      let accepted = 0
      await fc.assert(
        fc.asyncProperty(line, async (argv) => {
          const quick = await commandLine(argv)
          if (!quick) return
          accepted++
          let full: { name: CommandName; options: Record<string, unknown> } | undefined
          await parseFully(argv, null, async (name, options) => {
            full = { name, options }
          })
          expect(full?.name).toBe(quick.name)
          expect(used(full?.options, names)).toEqual(used(quick.options, names))
        }),
        { numRuns: RUNS },
      )
      expect(accepted).toBeGreaterThan(RUNS / 20)
    })
  },
)

test('earshotd has the same values from both parsers', async () => {
  let accepted = 0
  await fc.assert(
    fc.asyncProperty(words(daemonOptions, 4), async (argv) => {
      const quick = await parseQuickly(argv, { flags: daemonOptions })
      if (!quick) return
      accepted++
      const full = await parseDaemonFlags(argv, daemonOptions, null)
      const names = Object.keys(daemonOptions)
      expect(used(full, names)).toEqual(used(quick, names))
    }),
    { numRuns: RUNS },
  )
  expect(accepted).toBeGreaterThan(RUNS / 20)
})
