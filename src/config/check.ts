import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { TSchema } from 'typebox'
import { BadConfig } from '../errors.ts'
import { MAX_INTERVAL, MIN_INTERVAL } from '../wire/record.ts'
import { parseDuration } from './duration.ts'
import { isGroup4, isGroup6 } from './group.ts'
import { nearest } from './nearest.ts'
import { parseRate } from './rate.ts'
import { annotation, type SettingKey, settings, type TableKey, tables, type Written } from './schema.ts'

/** `found` as an error message shows it: short, and on one line. */
const SHOWN_CHARACTERS = 60

const within = (value: number | undefined, least: number, most: number) =>
  value !== undefined && value >= least && value <= most

const ajv = new Ajv({
  strict: false,
  verbose: true,
  formats: {
    group4: isGroup4,
    group6: isGroup6,
    duration: (text: string) => parseDuration(text) !== undefined,
    interval: (text: string) => within(parseDuration(text), MIN_INTERVAL, MAX_INTERVAL),
    budget: (text: string) => within(parseRate(text), 1000, 1_000_000_000),
  },
})

type Schemas = Record<SettingKey | TableKey, TSchema>
const schemas: Schemas = { ...settings, ...tables }
const validators = new Map<string, ValidateFunction>()

/**
 * Checks one value against its schema. `source` is where it was found: a file, `EARSHOT_…` or `--…`.
 * @throws BadConfig, which names source, key, what was expected and what was found
 */
export function check<Key extends keyof Written>(key: Key, value: unknown, source: string): Written[Key] {
  let validate = validators.get(key)
  if (!validate) {
    validate = ajv.compile(schemas[key])
    validators.set(key, validate)
  }
  if (isChecked<Key>(validate, value)) return value
  throw new BadConfig(explain(key, validate.errors ?? [], value, source))
}

function isChecked<Key extends keyof Written>(validate: ValidateFunction, value: unknown): value is Written[Key] {
  return validate(value) === true
}

function explain(key: keyof Written, errors: ErrorObject[], whole: unknown, source: string): string {
  const error = errors.find(({ parentSchema }) => typeof parentSchema?.['expected'] === 'string') ?? errors[0]
  const at = labelled(source, keyPath(key, error?.instancePath ?? ''))
  if (error?.keyword === 'required') return `${at}: '${error.params['missingProperty']}' is missing`
  if (error?.keyword === 'additionalProperties' && error.parentSchema?.['properties']) {
    const found = String(error.params['additionalProperty'])
    return `${at}: unknown key '${found}'${suggestion(found, Object.keys(error.parentSchema['properties']))}`
  }
  const words = error?.parentSchema?.['expected']
  if (typeof words === 'string') return `${at}: expected ${words}, found ${shown(error?.data)}`
  // A part that has no words of its own is explained by the whole.
  return `${labelled(source, key)}: expected ${annotation(schemas[key], 'expected')}, found ${shown(whole)}`
}

/** `services[0].port`: the key, and the way from it to the fault, out of a JSON pointer. */
function keyPath(key: string, pointer: string): string {
  return key + pointer.replace(/\/(\d+)/g, '[$1]').replaceAll('/', '.')
}

/** Source and key, without saying the same word twice where the source is the key's own flag or variable. */
export function labelled(source: string, key: string): string {
  return source === `--${key}` || source === variableOf(key) ? source : `${source}: ${key}`
}

/** The environment variable of a key: `state-dir` is `EARSHOT_STATE_DIR`. */
export function variableOf(key: string): string {
  return `EARSHOT_${key.toUpperCase().replaceAll('-', '_')}`
}

/** ` (did you mean 'interval'?)`, or nothing when no candidate is near. */
export function suggestion(word: string, candidates: Iterable<string>): string {
  const near = nearest(word, candidates)
  return near === undefined ? '' : ` (did you mean '${near}'?)`
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
}
