import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Budget, KeyedBudget } from '../../src/core/budget.ts'

test('a token is available exactly at the time that availableAt returns', () => {
  const moments = fc.array(fc.double({ min: 0, max: 1000, noNaN: true }), { maxLength: 20 })
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 5000, noNaN: true }),
      fc.double({ min: 0, max: 1e10, noNaN: true }),
      moments,
      (rate, begin, waits) => {
        const budget = new Budget(rate, 2)
        let now = begin
        for (const wait of waits) {
          now += wait
          while (budget.take(now));
          const at = budget.availableAt(now)
          expect(at).toBeGreaterThan(now)
          expect(budget.take(at)).toBe(true)
          now = at
        }
      },
    ),
  )
})

test('a keyed budget remembers 1024 keys: the least recently used one is fresh again after as many others', () => {
  const budget = new KeyedBudget(1, 2)
  const take = (key: string) => budget.take(key, 0)
  expect([take('a'), take('a'), take('a')]).toEqual([true, true, false])
  for (let i = 1; i < 1024; i++) take(`other ${i}`)
  expect(take('a')).toBe(false)
  for (let i = 1; i <= 1024; i++) take(`other ${i}`)
  expect([take('a'), take('a'), take('a')]).toEqual([true, true, false])
})
