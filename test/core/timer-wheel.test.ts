import { describe, expect, it } from 'vitest'
import { Agenda, TimerWheel } from '../../src/core/agenda.ts'

function set() {
  const agenda = new Agenda()
  const ran: [string, number][] = []
  const wheel = new TimerWheel<string>(agenda, (item, now) => ran.push([item, now]))
  const run = (until: number) => {
    for (let { next } = agenda; next !== undefined && next <= until; next = agenda.next) agenda.run(next)
  }
  return { agenda, wheel, ran, run }
}

describe('TimerWheel', () => {
  it('runs each item at most 100 ms after its time', () => {
    const { wheel, ran, run } = set()
    const times = [1, 250, 59_999, 60_000, 61_234, 3_600_000, 86_400_001]
    for (const at of times) wheel.put(String(at), at, 0)
    run(100_000_000)
    expect(ran.map(([item]) => Number(item))).toEqual(times)
    for (const [item, at] of ran) {
      expect(at).toBeGreaterThanOrEqual(Number(item))
      expect(at).toBeLessThan(Number(item) + 100)
    }
  })

  it('moves and removes items', () => {
    const { wheel, ran, run } = set()
    wheel.put('moved', 1000, 0)
    wheel.put('moved', 5000, 0)
    wheel.put('removed', 1000, 0)
    wheel.remove('removed')
    wheel.remove('unknown')
    run(10_000)
    expect(ran).toEqual([['moved', 5000]])
  })

  it('runs a thousand items of one slot in batches', () => {
    const { agenda, wheel, ran, run } = set()
    for (let i = 0; i < 1000; i++) wheel.put(String(i), 50, 0)
    agenda.run(100)
    expect(ran.length).toBeLessThan(500)
    run(110)
    expect(ran.map(([item]) => Number(item))).toEqual(Array.from({ length: 1000 }, (_, i) => i))
  })

  it('leaves almost nothing in the agenda, however often items move', () => {
    const { agenda, wheel, run, ran } = set()
    for (let i = 0; i < 100_000; i++) wheel.put(`${i % 10}`, (i * 7919) % 86_400_000, 0)
    expect(agenda.size).toBeLessThan(600 + 1441)
    run(86_500_000)
    expect(ran).toHaveLength(10)
  })
})
