import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isGroup4, isGroup6, parseRate } from '../../../src/daemon/config/values.ts'
import { nearest } from '../../../src/shared/did-you-mean.ts'
import { formatDuration, parseDuration } from '../../../src/shared/duration.ts'

describe('durations', () => {
  test('formatted and parsed give the same value', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 * 86_400_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms)
      }),
    )
  })

  test.each([
    ['500ms', 500],
    ['2s', 2000],
    ['1.5m', 90_000],
    ['1h', 3_600_000],
    ['0s', 0],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each(['soon', '5', '', 's', '-1s', '1 s', '1S', '1e3s', '1d', '1.s', '99999999999999s'])('not %j', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })
})

test.each([
  ['256kbit', 256_000],
  ['256000', 256_000],
  ['1.5mbit', 1_500_000],
  ['1gbit', 1_000_000_000],
  ['8bit', 8],
  ['256kb', undefined],
  ['kbit', undefined],
  ['', undefined],
])('rate %j', (text, bits) => {
  expect(parseRate(text)).toBe(bits)
})

test('multicast groups', () => {
  expect(['239.255.153.53', '224.0.0.1'].every(isGroup4)).toBe(true)
  expect(['192.168.1.1', '240.0.0.1', 'ff12::1', '239.1'].some(isGroup4)).toBe(false)
  expect(['ff12::153:53', 'FF02::1'].every(isGroup6)).toBe(true)
  expect(['ff05::1', 'fe80::1', 'ff02::1%eth0', '239.1.1.1', 'ff2::1'].some(isGroup6)).toBe(false)
})

describe('the nearest name', () => {
  const names = ['name', 'interface', 'interval', 'port', 'log-level']
  test.each([
    ['intervall', 'interval'],
    ['intreval', 'interval'],
    ['Port', 'port'],
    ['loglevel', 'log-level'],
    ['zebra', undefined],
    ['x', undefined],
  ])('of %s', (word, expected) => {
    expect(nearest(word, names)).toBe(expected)
  })
})
