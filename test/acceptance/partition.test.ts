import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeLab, type Host, Lab } from '../lab/index.ts'
import {
  getPeer,
  hostNames,
  openAllEvents,
  peerEventTime,
  peersWithEvent,
  startAll,
  waitUntilAllAlive,
} from './daemons.ts'

interface Isolation {
  /** Duration, ms. */
  duration: number
  isolate: (host: Host) => Promise<void>
  restore: (host: Host) => Promise<void>
}

/** Isolates the last of four hosts for a time, and checks the events on both sides. */
async function expectRecovery({ duration, isolate, restore }: Isolation): Promise<void> {
  await using lab = await Lab.create()
  const hosts = await lab.hosts(hostNames(4), [await lab.network('lan')])
  const daemons = await startAll(hosts)
  await waitUntilAllAlive(daemons, 30_000)
  const isolated = daemons.at(-1)
  const host = hosts.at(-1)
  if (!isolated || !host) throw new Error('no host')
  const others = daemons.slice(0, -1)
  const streams = await Promise.all(others.map(openAllEvents))
  const own = await openAllEvents(isolated)
  const incarnations = await Promise.all(daemons.map(async (daemon) => (await daemon.self())['incarnation']))

  await isolate(host)
  await sleep(duration)
  // A daemon that receives nothing, or that is late, first gives all peers another lease. On a busy machine this takes longer.
  for (const { name } of others) await peerEventTime(own, 'peer-failed', name, 20_000)
  for (const stream of streams) await peerEventTime(stream, 'peer-failed', isolated.name, 20_000)
  for (const stream of streams) expect(peersWithEvent(stream, 'peer-failed')).toEqual([isolated.name])
  expect(peersWithEvent(own, 'peer-failed').sort()).toEqual(others.map(({ name }) => name))

  const marks = streams.map(({ events }) => events.length)
  const ownMark = own.events.length
  await restore(host)
  const restoredAt = Date.now()
  const back = await Promise.all([
    ...streams.map((stream, at) => peerEventTime(stream, 'peer-up', isolated.name, 10_000, marks[at])),
    ...others.map(({ name }) => peerEventTime(own, 'peer-up', name, 10_000, ownMark)),
  ])
  console.info(
    `restored after ${duration / 1000} s: alive again on both sides within ${Math.max(...back) - restoredAt} ms`,
  )
  expect(Math.max(...back) - restoredAt).toBeLessThan(2000)

  // Long enough for a peer to fail again if it was received only once.
  await sleep(6000)
  await waitUntilAllAlive(daemons, 0)
  for (const [at, stream] of streams.entries()) expect(peersWithEvent(stream, 'peer-failed', marks[at])).toEqual([])
  expect(peersWithEvent(own, 'peer-failed', ownMark)).toEqual([])
  for (const [at, { name }] of daemons.entries()) {
    for (const daemon of daemons.filter((each) => each.name !== name)) {
      expect((await getPeer(daemon, name)).incarnation).toBe(incarnations[at])
    }
  }
}

describeLab('an isolated host', () => {
  it(
    'with carrier, for 20 s: fails on both sides, and is alive on both sides within 2 s after the restore',
    () => expectRecovery({ duration: 20_000, isolate: (host) => host.cut(), restore: (host) => host.restore() }),
    180_000,
  )

  it(
    'without carrier, for 10 s: fails on both sides, and is alive on both sides within 2 s after the restore',
    () => expectRecovery({ duration: 10_000, isolate: (host) => host.unplug(), restore: (host) => host.plug() }),
    180_000,
  )
})
