import { formatDuration, parseDuration } from '../shared/duration.ts'
import { Usage } from './command.ts'

/** The kinds of values that arguments have. */

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const JSON_STRING = /^".*"$/s

/**
 * A duration such as `500ms`, `2s` or `5m`, in ms.
 * @throws Usage when it is not one, or not within `least` and `most` (ms)
 */
export function readDuration(
  flag: string,
  text: string,
  [least, most]: readonly [least: number, most: number],
): number {
  const milliseconds = parseDuration(text)
  if (milliseconds === undefined) {
    throw new Usage(`${flag}: expected a duration such as 500ms, 2s or 5m, found "${text}"`)
  }
  if (milliseconds < least || milliseconds > most) {
    throw new Usage(`${flag}: expected ${formatDuration(least)} to ${formatDuration(most)}, found "${text}"`)
  }
  return milliseconds
}

/** @throws Usage when it is not a whole number, or not within `least` and `most` */
export function readWhole(what: string, text: string, [least, most]: readonly [least: number, most: number]): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= least && number <= most)) {
    throw new Usage(`${what}: expected a whole number from ${least} to ${most}, found "${text}"`)
  }
  return number
}

/**
 * `KEY=VALUE`, split at the first `=`.
 * @throws Usage when there is no key or no `=`
 */
export function readPair(what: string, text: string): [key: string, value: string] {
  const at = text.indexOf('=')
  if (at < 1) throw new Usage(`${what}: expected key=value, found "${text}"`)
  return [text.slice(0, at), text.slice(at + 1)]
}

/**
 * An attribute's value: `true`, `false`, a number as JSON writes it, text in double quotes as JSON writes it, and anything
 * else as the text that it is. What a number would not hold exactly (an account of 20 digits) stays text.
 */
export function readValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  if (JSON_NUMBER.test(text)) {
    const number = Number(text)
    return Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : text
  }
  if (!JSON_STRING.test(text)) return text
  try {
    return String(JSON.parse(text))
  } catch {
    return text
  }
}
