import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import { acquainted, knewAt, names, startAll } from './measure.ts'

describeLab('failure and farewell', () => {
  it('reports a killed peer as failed to all within 5 s, and one that is stopped as left within 50 ms', async () => {
    await using lab = await Lab.create()
    const hosts = await lab.hosts(names(6), [await lab.network('lan')])
    const daemons = await startAll(hosts)
    await acquainted(daemons)
    const [killed, stopped, ...staying] = daemons
    if (!killed || !stopped) throw new Error('too few hosts')
    const streams = await Promise.all(staying.map((daemon) => daemon.events()))

    const stoppedAt = Date.now()
    await stopped.stop()
    const left = await Promise.all(streams.map((stream) => knewAt(stream, 'peer-left', stopped.name)))
    console.info(`left after ${Math.max(...left) - stoppedAt} ms`)
    expect(Math.max(...left) - stoppedAt).toBeLessThan(50)

    const killedAt = Date.now()
    await killed.kill()
    const failed = await Promise.all(streams.map((stream) => knewAt(stream, 'peer-failed', killed.name, 8000)))
    console.info(`failed after ${failed.map((at) => at - killedAt).join(', ')} ms`)
    expect(Math.max(...failed) - killedAt).toBeLessThan(5000)
  })
})
