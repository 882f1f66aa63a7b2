import { Ajv, type ValidateFunction } from 'ajv'
import type { TSchema } from 'typebox'
import { MAX_INTERVAL, MIN_INTERVAL } from '../../core/wire/record.ts'
import { parseDuration } from '../../shared/duration.ts'
import { BadConfig } from '../../shared/errors.ts'
import { describeValidationErrors, dottedPath } from '../../shared/validation-error.ts'
import { browsedType } from './browse.ts'
import { isGroup4, isGroup6 } from './group.ts'
import { parseRate } from './rate.ts'
import { type SettingKey, settings, type TableKey, tables, type Written } from './schema.ts'

const within = (value: number | undefined, least: number, most: number) =>
  value !== undefined && value >= least && value <= most

const ajv = new Ajv({
  strict: false,
  strictNumbers: true,
  verbose: true,
  formats: {
    group4: isGroup4,
    group6: isGroup6,
    browsed: (text: string) => browsedType(text) !== undefined,
    duration: (text: string) => parseDuration(text) !== undefined,
    interval: (text: string) => within(parseDuration(text), MIN_INTERVAL, MAX_INTERVAL),
    budget: (text: string) => within(parseRate(text), 1000, 1_000_000_000),
  },
})

type Schemas = Record<SettingKey | TableKey, TSchema>
const schemas: Schemas = { ...settings, ...tables }
const validators = new Map<string, ValidateFunction>()

/**
 * Checks one value against its schema. `source` is where it was found: a file, `EARSHOT_…` or `--…`; `written` how the
 * key is written there.
 * @throws BadConfig, which names source, key, what was expected and what was found
 */
export function check<Key extends keyof Written>(
  key: Key,
  value: unknown,
  source: string,
  written: string = key,
): Written[Key] {
  let validate = validators.get(key)
  if (!validate) {
    validate = ajv.compile(schemas[key])
    validators.set(key, validate)
  }
  if (isChecked<Key>(validate, value)) return value
  const place = (pointer: string) => labelled(source, written + dottedPath(pointer))
  throw new BadConfig(describeValidationErrors(validate.errors, place, { schema: schemas[key], value }))
}

function isChecked<Key extends keyof Written>(validate: ValidateFunction, value: unknown): value is Written[Key] {
  return validate(value) === true
}

/** Source and key, without saying the same word twice where the source is the key's own flag or variable. */
export function labelled(source: string, key: string): string {
  // Which one of a list it is, is no matter where nobody has written it as one.
  const [whole = key] = key.split('[')
  return source === `--${whole}` || source === variableOf(whole) ? source : `${source}: ${key}`
}

/** The environment variable of a key: `state-dir` is `EARSHOT_STATE_DIR`. */
export function variableOf(key: string): string {
  return `EARSHOT_${key.toUpperCase().replaceAll('-', '_')}`
}
