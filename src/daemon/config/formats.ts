import { MAX_INTERVAL, MIN_INTERVAL } from '../../core/wire/messages.ts'
import { parseDuration } from '../../shared/duration.ts'
import { fullServiceType, isGroup4, isGroup6, parseRate } from './values.ts'

/** The formats of texts that the schema of the settings names. */
export const FORMATS = {
  group4: isGroup4,
  group6: isGroup6,
  browsed: (text: string) => fullServiceType(text) !== undefined,
  duration: (text: string) => parseDuration(text) !== undefined,
  interval: (text: string) => isWithin(parseDuration(text), MIN_INTERVAL, MAX_INTERVAL),
  budget: (text: string) => isWithin(parseRate(text), 1000, 1_000_000_000),
}

function isWithin(value: number | undefined, min: number, max: number): boolean {
  return value !== undefined && value >= min && value <= max
}
