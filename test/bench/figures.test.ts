import { describe, expect, it } from 'vitest'
import { compared, type Figure, inTurn, median, passes } from '../../bench/figures.ts'

const figure: Figure = { what: 'start', unit: 'ms', measured: 300, reference: 100 }

describe('the median', () => {
  it('is the middle figure, or the mean of the two in the middle', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([10, 1, 2, 4])).toBe(3)
    expect(median([7])).toBe(7)
  })

  it('needs figures', () => {
    expect(() => median([])).toThrow(RangeError)
  })
})

describe('a figure', () => {
  it('is compared as a ratio to its reference, or as it is without one', () => {
    expect(compared(figure)).toBe(3)
    expect(compared({ what: 'idle', unit: 'ms/s', measured: 2 })).toBe(2)
  })

  it('passes up to its limit', () => {
    expect(passes({ ...figure, goal: { limit: 3, short: 9 } }, false)).toBe(true)
    expect(passes({ ...figure, goal: { limit: 2.9, short: 9 } }, false)).toBe(false)
  })

  it('has another limit in the short form', () => {
    expect(passes({ ...figure, goal: { limit: 1, short: 3 } }, true)).toBe(true)
    expect(passes({ ...figure, goal: { limit: 9, short: 1 } }, true)).toBe(false)
  })

  it('of a rate is compared inversely, and passes from its limit on', () => {
    const rate = (limit: number): Figure => ({ ...figure, measured: 200, goal: { limit, short: 0, atLeast: true } })
    expect(compared(rate(0.5))).toBe(0.5)
    expect(passes(rate(0.5), false)).toBe(true)
    expect(passes(rate(0.6), false)).toBe(false)
  })

  it('passes without a goal', () => {
    expect(passes(figure, false)).toBe(true)
  })

  it.each([{}, { atLeast: true }])('that could not be measured misses its goal: %o', (sense) => {
    for (const broken of [{ measured: Number.NaN }, { measured: 0, reference: 0 }]) {
      expect(passes({ ...figure, ...broken, goal: { limit: 1, short: 1, ...sense } }, false)).toBe(false)
    }
  })
})

it('measures in turn', async () => {
  const order: string[] = []
  const measure = (name: string) => async () => order.push(name)
  expect(await inTurn(2, { a: measure('a'), b: measure('b') })).toEqual({ a: [1, 3], b: [2, 4] })
  expect(order).toEqual(['a', 'b', 'a', 'b'])
})
