import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import { caughtUp, change, crowded, PEERS, Watch } from './crowd.ts'
import { nineTenths } from './measure.ts'

describeLab('two hundred readers of events, ten of which never read', () => {
  it('do not keep the daemon from answering others', async () => {
    await using lab = await Lab.create()
    const { daemon, peers, readers } = await crowded(lab)
    await using watch = new Watch(daemon)
    await change(peers, daemon, 4 * PEERS, 150)
    await caughtUp(daemon, readers, 10_000)
    const usual = nineTenths(watch.answers)
    console.info(`nine of ten answers in ${usual.toFixed(0)} ms, all in ${watch.slowest.toFixed(0)} ms`)
    expect(usual).toBeLessThan(1000)
  }, 60_000)
})
