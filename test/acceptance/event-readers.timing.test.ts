import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import { percentile90 } from './daemons.ts'
import { changePeers, DaemonMonitor, PEERS, startEventLoad, waitUntilCaughtUp } from './event-load.ts'

describeLab('two hundred event readers, ten of which do not read', () => {
  it('do not delay the daemon for other requests', async () => {
    await using lab = await Lab.create()
    const { daemon, peers, readers } = await startEventLoad(lab)
    await using monitor = new DaemonMonitor(daemon)
    await changePeers(peers, daemon, 4 * PEERS, 150)
    await waitUntilCaughtUp(daemon, readers, 10_000)
    const usual = percentile90(monitor.responseTimes)
    console.info(`90 % of the responses in ${usual.toFixed(0)} ms, all in ${monitor.slowest.toFixed(0)} ms`)
    expect(usual).toBeLessThan(1000)
  })
})
