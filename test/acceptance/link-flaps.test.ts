import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Peer } from '../../src/client/index.ts'
import { type Daemon, describeLab, type Host, Lab } from '../lab/index.ts'
import {
  FAILURE_TIMEOUT_MS,
  logLinesSince,
  openAllEvents,
  pathsOf,
  peersWithEvent,
  start,
  startAll,
  udpSockets,
  waitForPeer,
  waitUntilAllAlive,
} from './daemons.ts'

const ALL_PATHS = ['eth0 broadcast', 'eth0 multicast4', 'eth0 multicast6']

/** Waits until the daemon receives the peer on every path again. Returns the time since `since`, ms. */
async function recoveryTime(daemon: Daemon, name: string, since: number): Promise<number> {
  const isHeard = (peer: Peer) => peer.state === 'alive' && pathsOf(peer, since).length === ALL_PATHS.length
  const peer = await waitForPeer(daemon, name, isHeard)
  expect(pathsOf(peer)).toEqual(ALL_PATHS)
  const shared = peer.paths.filter(({ path }) => path !== 'unicast')
  return Math.max(...shared.map(({ lastHeard }) => Date.parse(lastHeard))) - since
}

/** The host's memberships in the beacon groups, as lines `INTERFACE FAMILY COUNT` from the kernel's lists. */
async function memberships(host: Host): Promise<string[]> {
  // 239.255.153.53 in host byte order, and ff12::153:53.
  const ipv4 = `awk '/^[0-9]/ { device = $2 } $1 == "3599FFEF" { print device, "ipv4", $2 }' /proc/net/igmp`
  const ipv6 = `awk '$3 == "ff120000000000000000000001530053" { print $2, "ipv6", $4 }' /proc/net/igmp6`
  const { stdout } = await host.exec('sh', ['-c', `${ipv4}; ${ipv6}`])
  return stdout.split('\n').filter(Boolean)
}

/** Names of the interfaces that the daemon does not use. */
async function unusedInterfaces(daemon: Daemon): Promise<string[]> {
  return (await daemon.self()).leftOut.map(({ name }) => name)
}

describeLab('links', () => {
  it('that go down and come up with the same address work again within 2 s on both sides', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const downFor = [10, 250, 1000, 3000, 12_000]
    const hosts = await lab.hosts(
      downFor.map((ms) => `down-${ms}`),
      [net],
    )
    const steady = await start(await lab.host('steady', [net]))
    const daemons = await startAll(hosts)
    await waitUntilAllAlive([steady, ...daemons], 30_000)
    const stream = await openAllEvents(steady)

    const flap = async (host: Host, daemon: Daemon, ms: number): Promise<number> => {
      await host.linkDown()
      await sleep(ms)
      await host.linkUp()
      const upAt = Date.now()
      return Math.max(
        ...(await Promise.all([recoveryTime(steady, host.name, upAt), recoveryTime(daemon, 'steady', upAt)])),
      )
    }
    const flaps = daemons.map((daemon, at) => ({ daemon, host: hosts[at], ms: downFor[at] }))
    const took = await Promise.all(
      flaps.map(({ daemon, host, ms }) => (host && ms !== undefined ? flap(host, daemon, ms) : Number.NaN)),
    )
    console.info(`down for ${downFor.join(', ')} ms: received again on every path after ${took.join(', ')} ms`)
    expect(Math.max(...took)).toBeLessThan(2000)
    // An interruption that is shorter than the lease causes no failure.
    expect(peersWithEvent(stream, 'peer-failed')).toEqual(['down-12000'])
    for (const host of hosts) expect(await memberships(host)).toEqual(['eth0 ipv4 1', 'eth0 ipv6 1'])
  })

  it('of a hundred containers are ignored', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const [docker, other] = await Promise.all([lab.host('docker', [net]), lab.host('other', [net])])
    const daemons = await Promise.all([start(docker), start(other)])
    const [daemon] = daemons
    await waitUntilAllAlive(daemons, 30_000)
    const streams = await Promise.all(daemons.map(openAllEvents))
    const [lines, sockets] = [daemon.process.lines.items.length, await udpSockets(docker)]

    for (const prefix of ['docker', 'virbr', 'veth']) await docker.addBridges(prefix, prefix === 'docker' ? 34 : 33)
    await expect
      .poll(() => unusedInterfaces(daemon), { timeout: 5000 })
      .toEqual(expect.arrayContaining(['docker0', 'veth32']))
    expect(await memberships(docker)).toEqual(['eth0 ipv4 1', 'eth0 ipv6 1'])
    expect(await udpSockets(docker)).toBe(sockets)
    for (const prefix of ['docker', 'virbr', 'veth']) await docker.removeBridges(prefix)
    await expect.poll(() => unusedInterfaces(daemon), { timeout: 5000 }).toEqual(['lo'])
    await sleep(FAILURE_TIMEOUT_MS)

    expect(logLinesSince(daemon, lines)).toEqual([])
    expect(await memberships(docker)).toEqual(['eth0 ipv4 1', 'eth0 ipv6 1'])
    for (const stream of streams) expect(peersWithEvent(stream, 'peer-failed')).toEqual([])
    await waitUntilAllAlive(daemons, 0)
  })

  it('that flap 300 times leak nothing, and work again within 2 s', async () => {
    await using lab = await Lab.create()
    const net = await lab.network('lan')
    const [a, b] = await Promise.all([lab.host('a', [net]), lab.host('b', [net])])
    const daemons = await Promise.all([start(a), start(b)])
    const [atA, atB] = daemons
    await waitUntilAllAlive(daemons, 30_000)
    const [sockets, fds] = [await udpSockets(a), atA.process.openFds()]

    // First as fast as possible, and then slowly enough for the daemon to see every change.
    await a.flip('eth0', 200)
    for (let flip = 0; flip < 100; flip += 1) {
      await a.linkDown()
      await sleep(50 * Math.random())
      await a.linkUp()
      await sleep(50 * Math.random())
    }
    const upAt = Date.now()
    const took = Math.max(await recoveryTime(atA, 'b', upAt), await recoveryTime(atB, 'a', upAt))
    console.info(`flapped 300 times: received again on every path after ${took} ms`)
    expect(took).toBeLessThan(2000)
    expect(await memberships(a)).toEqual(['eth0 ipv4 1', 'eth0 ipv6 1'])
    expect(await udpSockets(a)).toBe(sockets)
    // The connection of the last request may not be closed yet.
    expect(atA.process.openFds()).toBeLessThan(fds + 3)
    expect(atA.process.running).toBe(true)
  })
})
