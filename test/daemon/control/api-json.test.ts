import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isoTime } from '../../../src/daemon/control/api-json.ts'

test('times are formatted as Date does it', () => {
  const DAY = 24 * 3_600_000
  const times = fc.oneof(
    fc.date({ noInvalidDate: true }).map((date) => date.getTime()),
    // The same days again and again, and fractions of a millisecond.
    fc.double({ min: 1_795_250_000_000 - DAY, max: 1_795_250_000_000 + DAY, noNaN: true }),
  )
  fc.assert(fc.property(times, (ms) => isoTime(ms) === new Date(Math.floor(ms)).toISOString()))
  expect(isoTime(0)).toBe('1970-01-01T00:00:00.000Z')
})
