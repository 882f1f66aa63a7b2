import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Agenda, NamedTasks, type Task } from '../../src/core/agenda.ts'
import { collectGarbage } from '../garbage.ts'

describe('the agenda', () => {
  it('runs each task that is not cancelled once, in the order of their times', () => {
    const act = fc.record({ at: fc.nat({ max: 1000 }), cancel: fc.option(fc.nat({ max: 50 }), { freq: 2 }) })
    fc.assert(
      fc.property(fc.array(act, { maxLength: 200 }), (acts) => {
        const agenda = new Agenda()
        const tasks: Task[] = []
        const wanted = new Set<number>()
        const ran: { index: number; at: number }[] = []
        for (const [index, { at, cancel }] of acts.entries()) {
          tasks.push(agenda.add(at, () => ran.push({ index, at })))
          wanted.add(index)
          const victim = cancel === null ? undefined : tasks[cancel]
          if (!victim) continue
          agenda.cancel(victim)
          agenda.cancel(victim)
          wanted.delete(cancel ?? 0)
        }
        expect(agenda.size).toBe(wanted.size)
        const times = acts.filter((_, index) => wanted.has(index)).map(({ at }) => at)
        expect(agenda.next).toBe(times.length === 0 ? undefined : Math.min(...times))
        agenda.run(500)
        expect(ran.every(({ at }) => at <= 500)).toBe(true)
        for (const task of tasks.slice(0, 10)) agenda.cancel(task)
        agenda.run(1000)
        expect(new Set(ran.map(({ index }) => index)).size).toBe(ran.length)
        expect(ran.map(({ at }) => at)).toEqual(ran.map(({ at }) => at).sort((a, b) => a - b))
        expect(ran.every(({ index }) => wanted.has(index))).toBe(true)
        expect(agenda.size).toBe(0)
      }),
    )
  })

  it('releases what a task refers to once it has run or was cancelled', async () => {
    const agenda = new Agenda()
    const add = (at: number) => {
      const held = { text: 'x'.repeat(1000) }
      return { task: agenda.add(at, () => held.text), held: new WeakRef(held) }
    }
    const [cancelled, ran, waiting] = [add(10), add(20), add(30)]
    agenda.cancel(cancelled.task)
    agenda.run(20)
    await collectGarbage()
    expect([cancelled, ran, waiting].map(({ held }) => held.deref() !== undefined)).toEqual([false, false, true])
  })

  it('stays small however many tasks are cancelled', async () => {
    const agenda = new Agenda()
    const tasks = new NamedTasks<'lease'>(agenda)
    const before = await collectGarbage()
    for (let i = 0; i < 200_000; i++) tasks.set('lease', i, () => {})
    expect(agenda.size).toBe(1)
    expect(agenda.next).toBe(199_999)
    expect((await collectGarbage()) - before).toBeLessThan(1024 * 1024)
    tasks.cancelAll()
    expect(agenda.next).toBeUndefined()
  })
})
