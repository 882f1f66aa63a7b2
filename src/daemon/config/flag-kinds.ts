import type { Options } from 'yargs'

/** The kinds of flags that both commands have. Apart from the schema, which the CLI does without. */

/** A flag of one text; given again, the last counts. */
export const textFlag = {
  type: 'string',
  nargs: 1,
  coerce: (value: unknown) => (Array.isArray(value) ? value.at(-1) : value),
} as const satisfies Options

/** A flag of several texts: it may be repeated. */
export const listFlag = { type: 'string', array: true, requiresArg: true } as const satisfies Options

/** How yargs has to parse these: one word a flag, and keys as they are written. */
export const PARSING = { 'greedy-arrays': false, 'camel-case-expansion': false, 'dot-notation': false }
