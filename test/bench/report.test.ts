import { expect, it } from 'vitest'
import type { Figure } from '../../bench/figures.ts'
import { table } from '../../bench/report.ts'

const FIGURES: Figure[] = [
  { what: 'start', unit: 'ms', measured: 123.4, reference: 41.13, goal: { limit: 4, short: 9 } },
  { what: 'per beat', unit: 'µs', measured: 20, reference: 5, goal: { limit: 0.6, short: 0.1, atLeast: true } },
  { what: 'idle', unit: 'ms/s', measured: 0.61, goal: { limit: 0.5, short: 5 } },
  { what: 'other', unit: 'MiB', measured: 14.66 },
]

it('prints each figure with its goal, and whether it passes', () => {
  expect(table(FIGURES, false)).toEqual([
    'figure     measured  bare Node  ratio        goal',
    'start        123 ms    41.1 ms      3         ≤ 4  pass',
    'per beat      20 µs       5 µs   0.25       ≥ 0.6  MISS',
    'idle      0.61 ms/s                    ≤ 0.5 ms/s  MISS',
    'other      14.7 MiB',
  ])
})

it('prints the wide limits in the short form', () => {
  const lines = table(FIGURES, true)
  expect(lines[1]).toMatch(/ ≤ 9 \(full: 4\) {2}pass$/)
  expect(lines[2]).toMatch(/ ≥ 0.1 \(full: 0.6\) {2}pass$/)
  expect(lines[3]).toMatch(/ ≤ 5 ms\/s \(full: 0.5\) {2}pass$/)
  expect(lines[4]).toBe('other      14.7 MiB')
})
