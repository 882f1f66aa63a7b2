import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import {
  hostNames,
  median,
  openAllEvents,
  peerEventTime,
  socketsReadyAt,
  startAll,
  waitUntilAllAlive,
} from './daemons.ts'

const ROUNDS = 5

describeLab('discovery', () => {
  it('makes five hosts that start together list each other within 1 s after the last is ready', async () => {
    await using lab = await Lab.create()
    const hosts = await lab.hosts(hostNames(5), [await lab.network('lan')])
    const daemons = await startAll(hosts)
    const streams = await Promise.all(daemons.map(openAllEvents))
    const lastReady = Math.max(...daemons.map(socketsReadyAt))
    for (const [index, stream] of streams.entries()) {
      for (const other of hosts.filter((_, at) => at !== index)) {
        expect((await peerEventTime(stream, 'peer-up', other.name)) - lastReady).toBeLessThan(1000)
      }
    }
  })

  it('makes all list a sixth host within 50 ms after its sockets are open, and the sixth list all within 150 ms', async () => {
    await using lab = await Lab.create()
    const hosts = await lab.hosts(hostNames(6), [await lab.network('lan')])
    const sixth = hosts.pop()
    if (!sixth) throw new Error('no sixth host')
    const daemons = await startAll(hosts)
    await waitUntilAllAlive(daemons)
    const toAll: number[] = []
    const toIt: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const name = `newcomer-${round}`
      const streams = await Promise.all(daemons.map((daemon) => daemon.events()))
      const newcomer = await sixth.daemon({ name })
      const ready = socketsReadyAt(newcomer)
      const known = await Promise.all(streams.map((stream) => peerEventTime(stream, 'peer-up', name)))
      toAll.push(Math.max(...known) - ready)
      const own = await openAllEvents(newcomer)
      const knows = await Promise.all(hosts.map((host) => peerEventTime(own, 'peer-up', host.name)))
      toIt.push(Math.max(...knows) - ready)
      await newcomer.stop()
    }
    console.info(`listed by all after ${toAll.join(', ')} ms, lists all after ${toIt.join(', ')} ms`)
    expect(median(toAll)).toBeLessThan(50)
    expect(median(toIt)).toBeLessThan(150)
  })
})
