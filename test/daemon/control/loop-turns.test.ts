import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { LoopTurns } from '../../../src/daemon/control/loop-turns.ts'

test('long tasks run one after the other, each in turns of its own', async () => {
  let time = 0
  let turn = 0
  let isOpen = true
  const turns = new LoopTurns(() => time)
  const runs: { task: string; turn: number }[] = []
  const run = async (task: string) => {
    for (let steps = 0; steps < 1000; steps++) {
      time += 0.05
      if (!turns.isOver()) continue
      runs.push({ task, turn })
      await turns.next()
    }
  }
  const tasks = Promise.all(['one', 'two'].map(run)).finally(() => {
    isOpen = false
  })
  while (isOpen) {
    await setImmediate()
    turn++
  }
  await tasks
  expect(runs.length).toBeGreaterThan(10)
  expect(runs.slice(0, 10).map(({ task }) => task)).toEqual(Array.from({ length: 5 }, () => ['one', 'two']).flat())
  // When the second task begins, the turn of the first one is over.
  const later = runs.slice(2)
  expect(new Set(later.map(({ turn }) => turn)).size).toBe(later.length)
})
