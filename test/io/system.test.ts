import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Alarm, Clock } from '../../src/io/system.ts'

test('rings when it was set to, and never again once it is stopped', async () => {
  const clock = new Clock()
  let rung = 0
  const alarm = new Alarm(clock, () => rung++)
  alarm.set(clock.now())
  await delay(30)
  expect(rung).toBe(1)
  alarm.set(clock.now() + 10)
  alarm.stop()
  alarm.set(clock.now())
  await delay(30)
  expect(rung).toBe(1)
})
