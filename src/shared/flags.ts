import type { Options } from 'yargs'

/** Yargs options that `earshot` and `earshotd` share. */

/** A flag with one value. If it is repeated, the last value counts. */
export const textFlag = {
  type: 'string',
  nargs: 1,
  coerce: (value: unknown) => (Array.isArray(value) ? value.at(-1) : value),
} as const satisfies Options

/** A flag with a list of values: it may be repeated. */
export const listFlag = { type: 'string', array: true, requiresArg: true } as const satisfies Options

/** Parser settings of yargs: each flag takes one word, and flags and words stay as they are written. */
export const PARSING = {
  'greedy-arrays': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'boolean-negation': false,
  'parse-positional-numbers': false,
}
