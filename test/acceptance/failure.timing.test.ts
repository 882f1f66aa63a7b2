import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import { hostNames, median, peerEventTime, startAll, waitUntilAllAlive } from './daemons.ts'

const ROUNDS = 3

describeLab('failure and goodbye', () => {
  it('are reported by all: a stopped peer as left within 50 ms, a killed one as failed within 5 s', async () => {
    await using lab = await Lab.create()
    const hosts = await lab.hosts(hostNames(6), [await lab.network('lan')])
    const daemons = await startAll(hosts)
    const [killed, stopped, ...staying] = daemons
    if (!killed || !stopped) throw new Error('too few hosts')
    const streams = await Promise.all(staying.map((daemon) => daemon.events()))

    const left: number[] = []
    const ended: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      await waitUntilAllAlive(daemons)
      const from = streams.map(({ events }) => events.length)
      using reader = await stopped.events({ state: true })
      await reader.waitFor(({ event }) => event === 'sync')
      const stoppedAt = Date.now()
      const stopping = stopped.stop().then(() => ended.push(Date.now() - stoppedAt))
      const known = await Promise.all(
        streams.map((stream, at) => peerEventTime(stream, 'peer-left', stopped.name, 15_000, from[at])),
      )
      left.push(Math.max(...known) - stoppedAt)
      await stopping
      await stopped.restart()
    }
    console.info(`left after ${left.join(', ')} ms, ended after ${ended.join(', ')} ms`)
    expect(median(left)).toBeLessThan(50)
    expect(median(ended)).toBeLessThan(1000)

    const killedAt = Date.now()
    await killed.kill()
    const failed = await Promise.all(streams.map((stream) => peerEventTime(stream, 'peer-failed', killed.name, 8000)))
    console.info(`failed after ${failed.map((at) => at - killedAt).join(', ')} ms`)
    expect(Math.max(...failed) - killedAt).toBeLessThan(5000)
  })
})
