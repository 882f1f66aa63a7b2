import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { type Daemon, describeLab, Lab, type Path } from '../lab/index.ts'
import { logEntries, openAllEvents, peersWithEvent, start, udpSockets, waitUntilAllAlive } from './daemons.ts'

const PATHS = ['broadcast', 'multicast4', 'multicast6'] as const
const DEAF = 'no longer receives its own beacons'
const HEARING = 'receives its own beacons again'

/** The paths on which the daemon reports that it is deaf. */
async function deafOn(daemon: Daemon): Promise<string[]> {
  const { interfaces } = await daemon.self()
  return interfaces.flatMap(({ paths }) => paths.filter(({ deaf }) => deaf).map(({ path }) => path))
}

describeLab('a daemon that no longer receives its own beacons', () => {
  it('logs this once for each path, and recovers when the path works again', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const addDaemon = async (path: Path) => {
      const host = await lab.host(path, [net])
      return { path, host, daemon: await start(host) }
    }
    const all = await Promise.all(PATHS.map(addDaemon))
    const daemons = all.map(({ daemon }) => daemon)
    await waitUntilAllAlive(daemons, 30_000)
    const streams = await Promise.all(daemons.map(openAllEvents))
    const sockets = await Promise.all(all.map(({ host }) => udpSockets(host)))
    for (const daemon of daemons) expect(await deafOn(daemon)).toEqual([])

    await Promise.all(all.map(({ host, path }) => host.blockPath(path)))
    await Promise.all(daemons.map(({ process }) => process.waitForLine(new RegExp(DEAF), 10_000)))
    for (const { daemon, path } of all) expect(await deafOn(daemon)).toEqual([path])
    // In the meantime the daemon joins the groups repeatedly.
    await sleep(10_000)
    for (const { daemon, path } of all) {
      expect(logEntries(daemon, DEAF)).toMatchObject([{ interface: 'eth0', path }])
      expect(logEntries(daemon, HEARING)).toEqual([])
    }

    await Promise.all(all.map(({ host }) => host.clearRules()))
    const clearedAt = Date.now()
    await Promise.all(daemons.map(({ process }) => process.waitForLine(new RegExp(HEARING), 10_000)))
    console.info(`received their own beacons again after ${Date.now() - clearedAt} ms`)
    expect(Date.now() - clearedAt).toBeLessThan(3000)
    await sleep(4000)
    for (const { daemon, path } of all) {
      expect(await deafOn(daemon)).toEqual([])
      expect(logEntries(daemon, DEAF)).toHaveLength(1)
      expect(logEntries(daemon, HEARING)).toMatchObject([{ interface: 'eth0', path }])
    }
    expect(await Promise.all(all.map(({ host }) => udpSockets(host)))).toEqual(sockets)
    for (const stream of streams) expect(peersWithEvent(stream, 'peer-failed')).toEqual([])
  })
})
