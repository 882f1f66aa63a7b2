import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Alarm, Clock } from '../../src/io/system.ts'

test('an alarm goes off at its time, and never after it was stopped', async () => {
  const clock = new Clock()
  let calls = 0
  const alarm = new Alarm(clock, () => calls++)
  alarm.set(clock.now())
  await delay(30)
  expect(calls).toBe(1)
  alarm.set(clock.now() + 10)
  alarm.stop()
  alarm.set(clock.now())
  await delay(30)
  expect(calls).toBe(1)
})
