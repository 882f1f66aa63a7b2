import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import { acquainted, history, knewAt, names, socketsReadyAt, startAll } from './measure.ts'

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
    const streams = await Promise.all(daemons.map((daemon) => daemon.events()))

    const newcomer = await sixth.daemon()
    const ready = socketsReadyAt(newcomer)
    const toAll = await Promise.all(streams.map((stream) => knewAt(stream, 'peer-up', sixth.name)))
    const own = await history(newcomer)
    const toIt = await Promise.all(hosts.map(({ name }) => knewAt(own, 'peer-up', name)))
    console.info(`known to all after ${Math.max(...toAll) - ready} ms, knows all after ${Math.max(...toIt) - ready} ms`)
    expect(Math.max(...toAll) - ready).toBeLessThan(50)
    expect(Math.max(...toIt) - ready).toBeLessThan(150)
  })
})
