import { expect, it } from 'vitest'
import { cpuTime, receivedDatagrams, residentMemory } from '../../bench/proc.ts'

it('reads the processor time of all threads in ms', () => {
  const before = cpuTime(process.pid)
  const { user, system } = process.cpuUsage()
  const until = user + system + 50_000
  for (let used = 0; used < until; ) {
    const now = process.cpuUsage()
    used = now.user + now.system
  }
  const used = cpuTime(process.pid) - before
  expect(used).toBeGreaterThan(25)
  expect(used).toBeLessThan(5000)
})

it('reads the resident memory in MiB', () => {
  const mib = process.memoryUsage.rss() / 1024 / 1024
  expect(residentMemory(process.pid) / mib).toBeGreaterThan(0.8)
  expect(residentMemory(process.pid) / mib).toBeLessThan(1.25)
})

it('reads the UDP counters of both IP versions', () => {
  expect(receivedDatagrams(process.pid)).toBeGreaterThanOrEqual(0)
})
