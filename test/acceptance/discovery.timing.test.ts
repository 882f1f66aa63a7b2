import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import { acquainted, history, knewAt, median, names, socketsReadyAt, startAll } from './measure.ts'

const ROUNDS = 5

describeLab('discovery', () => {
  it('lets five hosts that start together list each other within 1 s of the last being ready', async () => {
    await using lab = await Lab.create()
    const hosts = await lab.hosts(names(5), [await lab.network('lan')])
    const daemons = await startAll(hosts)
    const streams = await Promise.all(daemons.map(history))
    const lastReady = Math.max(...daemons.map(socketsReadyAt))
    for (const [index, stream] of streams.entries()) {
      for (const other of hosts.filter((_, at) => at !== index)) {
        expect((await knewAt(stream, 'peer-up', other.name)) - lastReady).toBeLessThan(1000)
      }
    }
  })

  it('makes a sixth known to all within 50 ms of its sockets being ready, and all known to it within 150 ms', async () => {
    await using lab = await Lab.create()
    const hosts = await lab.hosts(names(6), [await lab.network('lan')])
    const sixth = hosts.pop()
    if (!sixth) throw new Error('no sixth host')
    const daemons = await startAll(hosts)
    await acquainted(daemons)
    const toAll: number[] = []
    const toIt: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const name = `newcomer-${round}`
      const streams = await Promise.all(daemons.map((daemon) => daemon.events()))
      const newcomer = await sixth.daemon({ name })
      const ready = socketsReadyAt(newcomer)
      const known = await Promise.all(streams.map((stream) => knewAt(stream, 'peer-up', name)))
      toAll.push(Math.max(...known) - ready)
      const own = await history(newcomer)
      const knows = await Promise.all(hosts.map((host) => knewAt(own, 'peer-up', host.name)))
      toIt.push(Math.max(...knows) - ready)
      await newcomer.stop()
    }
    console.info(`known to all after ${toAll.join(', ')} ms, knows all after ${toIt.join(', ')} ms`)
    expect(median(toAll)).toBeLessThan(50)
    expect(median(toIt)).toBeLessThan(150)
  })
})
