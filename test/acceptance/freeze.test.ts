import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import {
  FAILURE_TIMEOUT_MS,
  getPeer,
  hostNames,
  openAllEvents,
  peerEventTime,
  peersWithEvent,
  startAll,
  waitUntilAllAlive,
} from './daemons.ts'

describeLab('a frozen daemon', () => {
  it.concurrent('for 2 s does not fail, and reports no other peer as failed', async () => {
    await using lab = await Lab.create()
    const daemons = await startAll(await lab.hosts(hostNames(4), [await lab.network('lan')]))
    await waitUntilAllAlive(daemons, 30_000)
    const streams = await Promise.all(daemons.map(openAllEvents))
    const [frozen] = daemons
    if (!frozen) throw new Error('no daemon')

    await frozen.freeze()
    await sleep(2000)
    frozen.thaw()
    await sleep(FAILURE_TIMEOUT_MS)
    for (const stream of streams) expect(peersWithEvent(stream, 'peer-failed')).toEqual([])
    await waitUntilAllAlive(daemons, 0)
  })

  it.concurrent('for 60 s is soon alive again in the same incarnation, and reports only the killed peer as failed', async () => {
    await using lab = await Lab.create()
    const daemons = await startAll(await lab.hosts(hostNames(5), [await lab.network('lan')]))
    await waitUntilAllAlive(daemons, 30_000)
    const [frozen, killed, ...others] = daemons
    if (!frozen || !killed) throw new Error('too few daemons')
    const own = await openAllEvents(frozen)
    const streams = await Promise.all(others.map(openAllEvents))
    const before = await Promise.all(others.map((daemon) => getPeer(daemon, frozen.name)))

    await frozen.freeze()
    await sleep(30_000)
    await killed.kill()
    await sleep(30_000)
    for (const stream of streams) expect(peersWithEvent(stream, 'peer-failed')).toEqual([frozen.name, killed.name])

    const marks = streams.map(({ events }) => events.length)
    const thawedAt = Date.now()
    frozen.thaw()
    const back = await Promise.all(
      streams.map((stream, at) => peerEventTime(stream, 'peer-up', frozen.name, 5000, marks[at])),
    )
    const aliveAfter = Math.max(...back) - thawedAt
    await peerEventTime(own, 'peer-failed', killed.name, FAILURE_TIMEOUT_MS)
    const verdictAfter = Date.now() - thawedAt
    console.info(
      `alive again for all after ${aliveAfter} ms; reported the killed peer as failed after ${verdictAfter} ms`,
    )
    expect(aliveAfter).toBeLessThan(2000)
    await sleep(FAILURE_TIMEOUT_MS)
    expect(peersWithEvent(own, 'peer-failed')).toEqual([killed.name])
    for (const [at, stream] of streams.entries()) expect(peersWithEvent(stream, 'peer-failed', marks[at])).toEqual([])
    for (const [at, daemon] of others.entries()) {
      expect(await getPeer(daemon, frozen.name)).toMatchObject({ state: 'alive', incarnation: before[at]?.incarnation })
    }
  })
})
