import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import { getPeer, hostNames, openAllEvents, peersWithEvent, startAll, waitUntilAllAlive } from './daemons.ts'

describeLab('a network with packet loss', () => {
  it('of 30 % for 3 minutes makes no peer fail', async () => {
    await using lab = await Lab.create()
    const hosts = await lab.hosts(hostNames(5), [await lab.network('lan')])
    const daemons = await startAll(hosts)
    await waitUntilAllAlive(daemons, 30_000)
    const streams = await Promise.all(daemons.map(openAllEvents))

    await Promise.all(hosts.map((host) => host.drop(30)))
    await sleep(180_000)
    const suspicions = streams.flatMap((stream) => peersWithEvent(stream, 'peer-suspect')).length
    const pairs = daemons.flatMap((daemon) =>
      hosts.filter(({ name }) => name !== daemon.name).map(({ name }) => getPeer(daemon, name)),
    )
    const beacons = (await Promise.all(pairs)).map((peer) => peer.beacons)
    const heard = beacons.reduce((sum, each) => sum + each.heard, 0)
    const lost = beacons.reduce((sum, each) => sum + each.lost, 0)
    console.info(`${heard} beats received, ${lost} lost on every path, ${suspicions} times suspect`)
    for (const stream of streams) expect(peersWithEvent(stream, 'peer-failed')).toEqual([])
    await waitUntilAllAlive(daemons, 3000)
    // A beat is lost if all three copies are lost: 0.3³ = 2.7 %. The check proves the loss, and that paths compensate it.
    expect(lost / (heard + lost)).toBeGreaterThan(0.01)
    expect(lost / (heard + lost)).toBeLessThan(0.06)
  }, 300_000)
})
