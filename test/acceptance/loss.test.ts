import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import { acquainted, history, look, names, startAll, told } from './measure.ts'

describeLab('a bad network', () => {
  it('that loses 30 % of all datagrams for 3 minutes makes nobody fail', async () => {
    await using lab = await Lab.create()
    const hosts = await lab.hosts(names(5), [await lab.network('lan')])
    const daemons = await startAll(hosts)
    await acquainted(daemons, 30_000)
    const streams = await Promise.all(daemons.map(history))

    await Promise.all(hosts.map((host) => host.drop(30)))
    await sleep(180_000)
    const suspicions = streams.flatMap((stream) => told(stream, 'peer-suspect')).length
    const pairs = daemons.flatMap((daemon) =>
      hosts.filter(({ name }) => name !== daemon.name).map(({ name }) => look(daemon, name)),
    )
    const beacons = (await Promise.all(pairs)).map((peer) => peer.beacons)
    const heard = beacons.reduce((sum, each) => sum + each.heard, 0)
    const lost = beacons.reduce((sum, each) => sum + each.lost, 0)
    console.info(`${heard} beats heard, ${lost} lost on every path, ${suspicions} suspicions`)
    for (const stream of streams) expect(told(stream, 'peer-failed')).toEqual([])
    await acquainted(daemons, 3000)
    // A beat is lost when all of its three copies are, 0.3³ of them: the loss was real, and the paths made up for it.
    expect(lost / (heard + lost)).toBeGreaterThan(0.01)
    expect(lost / (heard + lost)).toBeLessThan(0.06)
  }, 300_000)
})
