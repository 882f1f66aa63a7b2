import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Ticker } from '../../src/io/ticker.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => void vi.useRealTimers())

test('a task runs by itself after 1.2 intervals, and not after it was ended', () => {
  const ticker = new Ticker(Date.now)
  const run = vi.fn()
  const end = ticker.every(1000, run)
  vi.advanceTimersByTime(1199)
  expect(run).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1201)
  expect(run).toHaveBeenCalledTimes(2)
  end()
  expect(vi.getTimerCount()).toBe(0)
  ticker.awake()
  expect(run).toHaveBeenCalledTimes(2)
})

test('a task runs with other work, but not before three quarters of its interval', () => {
  const ticker = new Ticker(Date.now)
  const run = vi.fn()
  ticker.every(1000, run)
  vi.advanceTimersByTime(749)
  ticker.awake()
  expect(run).not.toHaveBeenCalled()
  vi.advanceTimersByTime(351)
  ticker.awake()
  expect(run).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(1100)
  ticker.awake()
  vi.advanceTimersByTime(1199)
  expect(run).toHaveBeenCalledTimes(2)
})

test('tasks with different intervals share wake-ups', () => {
  const ticker = new Ticker(Date.now)
  const [often, seldom] = [vi.fn(), vi.fn()]
  ticker.every(1000, often)
  ticker.every(5000, seldom)
  vi.advanceTimersByTime(4800)
  expect(often).toHaveBeenCalledTimes(4)
  expect(seldom).toHaveBeenCalledTimes(1)
})
