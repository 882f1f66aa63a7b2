import { expect, test } from 'vitest'
import { LoopbackMonitor } from '../../../src/core/presence/loopback-monitor.ts'
import type { Notice } from '../../../src/core/presence/peers/types.ts'

const INTERVAL = 1000
const DEAF = { interface: 'eth0', path: 'multicast4' } as const

function monitor(): { loopback: LoopbackMonitor; notices: Notice['type'][] } {
  const notices: Notice['type'][] = []
  const loopback = new LoopbackMonitor(({ type }) => notices.push(type))
  loopback.setInterfaces([{ name: 'eth0', addresses: [], paths: ['multicast4'] }], 0)
  return { loopback, notices }
}

test('a path is joined again when three beats in a row did not come back, and then less and less often', () => {
  const { loopback, notices } = monitor()
  const joinedAt: number[] = []
  for (let now = 1000; now < 30_000; now += INTERVAL) {
    if (loopback.takeDeafPaths(INTERVAL, now).length > 0) joinedAt.push(now)
    if (now === 1000) loopback.echo(DEAF.interface, DEAF.path, now)
  }
  expect(joinedAt).toEqual([4000, 7000, 13_000, 25_000])
  expect(notices).toEqual(['loopback-lost'])
  loopback.echo(DEAF.interface, DEAF.path, 30_000)
  expect(notices).toEqual(['loopback-lost', 'loopback-restored'])
})

test('after a pause of the process a path is not deaf: what it received is read after the first beat', () => {
  const { loopback, notices } = monitor()
  for (const now of [1000, 2000, 20_000, 40_000]) {
    expect(loopback.takeDeafPaths(INTERVAL, now)).toEqual([])
    loopback.echo(DEAF.interface, DEAF.path, now)
  }
  // Stopped between a beat and its return.
  for (const now of [41_000, 60_000]) expect(loopback.takeDeafPaths(INTERVAL, now)).toEqual([])
  expect(notices).toEqual([])
})
