import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import { acquainted, history, knewAt, look, names, startAll, told, VERDICT_MS } from './measure.ts'

describeLab('a daemon that stands still', () => {
  it.concurrent('for 2 s is given up by nobody, and gives nobody up', async () => {
    await using lab = await Lab.create()
    const daemons = await startAll(await lab.hosts(names(4), [await lab.network('lan')]))
    await acquainted(daemons, 30_000)
    const streams = await Promise.all(daemons.map(history))
    const [frozen] = daemons
    if (!frozen) throw new Error('no daemon')

    await frozen.freeze()
    await sleep(2000)
    frozen.thaw()
    await sleep(VERDICT_MS)
    for (const stream of streams) expect(told(stream, 'peer-failed')).toEqual([])
    await acquainted(daemons, 0)
  }, 180_000)

  it.concurrent('for 60 s is soon back for all as the same, and gives up only who has died meanwhile', async () => {
    await using lab = await Lab.create()
    const daemons = await startAll(await lab.hosts(names(5), [await lab.network('lan')]))
    await acquainted(daemons, 30_000)
    const [frozen, mortal, ...others] = daemons
    if (!frozen || !mortal) throw new Error('too few daemons')
    const own = await history(frozen)
    const streams = await Promise.all(others.map(history))
    const before = await Promise.all(others.map((daemon) => look(daemon, frozen.name)))

    await frozen.freeze()
    await sleep(30_000)
    await mortal.kill()
    await sleep(30_000)
    for (const stream of streams) expect(told(stream, 'peer-failed')).toEqual([frozen.name, mortal.name])

    const marks = streams.map(({ events }) => events.length)
    const thawedAt = Date.now()
    frozen.thaw()
    const back = await Promise.all(streams.map((stream, at) => knewAt(stream, 'peer-up', frozen.name, 5000, marks[at])))
    const aliveAfter = Math.max(...back) - thawedAt
    await knewAt(own, 'peer-failed', mortal.name, VERDICT_MS)
    const verdictAfter = Date.now() - thawedAt
    console.info(`alive again for all ${aliveAfter} ms after waking; knew of a death after ${verdictAfter} ms`)
    expect(aliveAfter).toBeLessThan(2000)
    await sleep(VERDICT_MS)
    expect(told(own, 'peer-failed')).toEqual([mortal.name])
    for (const [at, stream] of streams.entries()) expect(told(stream, 'peer-failed', marks[at])).toEqual([])
    for (const [at, daemon] of others.entries()) {
      expect(await look(daemon, frozen.name)).toMatchObject({ state: 'alive', incarnation: before[at]?.incarnation })
    }
  }, 180_000)
})
