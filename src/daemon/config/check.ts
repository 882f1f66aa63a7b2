import { Ajv, type ValidateFunction } from 'ajv'
import type { TSchema } from 'typebox'
import { MAX_INTERVAL, MIN_INTERVAL } from '../../core/wire/record.ts'
import { parseDuration } from '../../shared/duration.ts'
import { BadConfig } from '../../shared/errors.ts'
import { describeValidationErrors, dottedPath } from '../services/user-input.ts'
import { fullServiceType } from './browse-types.ts'
import { environmentVariable, type RawSettings, type SettingKey, settings, type TableKey, tables } from './schema.ts'
import { isGroup4, isGroup6, parseRate } from './values.ts'

const isWithin = (value: number | undefined, min: number, max: number) =>
  value !== undefined && value >= min && value <= max

const ajv = new Ajv({
  strict: false,
  strictNumbers: true,
  verbose: true,
  formats: {
    group4: isGroup4,
    group6: isGroup6,
    browsed: (text: string) => fullServiceType(text) !== undefined,
    duration: (text: string) => parseDuration(text) !== undefined,
    interval: (text: string) => isWithin(parseDuration(text), MIN_INTERVAL, MAX_INTERVAL),
    budget: (text: string) => isWithin(parseRate(text), 1000, 1_000_000_000),
  },
})

type Schemas = Record<SettingKey | TableKey, TSchema>
const schemas: Schemas = { ...settings, ...tables }
const validators = new Map<string, ValidateFunction>()

/**
 * Checks a value against the schema of its setting.
 * @param source where the value was found: a file, `EARSHOT_…` or `--…`
 * @param writtenAs how the key is written there
 * @throws BadConfig, which names source, key, what was expected and what was found
 */
export function checkSetting<Key extends keyof RawSettings>(
  key: Key,
  value: unknown,
  source: string,
  writtenAs: string = key,
): RawSettings[Key] {
  let validate = validators.get(key)
  if (!validate) {
    validate = ajv.compile(schemas[key])
    validators.set(key, validate)
  }
  if (isChecked<Key>(validate, value)) return value
  const place = (pointer: string) => errorPrefix(source, writtenAs + dottedPath(pointer))
  throw new BadConfig(describeValidationErrors(validate.errors, place, { schema: schemas[key], value }))
}

function isChecked<Key extends keyof RawSettings>(
  validate: ValidateFunction,
  value: unknown,
): value is RawSettings[Key] {
  return validate(value) === true
}

/** The source and the key of a value; the source alone when it is the flag or the variable of that key. */
export function errorPrefix(source: string, key: string): string {
  // A flag or a variable is named without the index in a list.
  const [setting = key] = key.split('[')
  return source === `--${setting}` || source === environmentVariable(setting) ? source : `${source}: ${key}`
}
