import { expect, it } from 'vitest'
import { type Daemon, describeLab, type Host, type HostOptions, Lab, type Network, type Path } from '../lab/index.ts'
import {
  addressesOf,
  getPeer,
  openAllEvents,
  pathsOf,
  peerEventTime,
  socketsReadyAt,
  start,
  waitForPeer,
} from './daemons.ts'

/** Creates two hosts on a network, waits until they list each other, and runs `check` for each of them. */
async function checkPair(
  { prepare, options }: { prepare?: (network: Network) => Promise<void>; options?: HostOptions },
  check: (host: Host, daemon: Daemon, other: Host) => Promise<void>,
): Promise<void> {
  await using lab = await Lab.create()
  const net = await lab.network('lan')
  await prepare?.(net)
  const [a, b] = await Promise.all([lab.host('a', [net], options), lab.host('b', [net], options)])
  const [one, two] = await Promise.all([start(a), start(b)])
  const ready = Math.max(socketsReadyAt(one), socketsReadyAt(two))
  for (const [host, daemon, other] of [[a, one, b] as const, [b, two, a] as const]) {
    using stream = await openAllEvents(daemon)
    expect((await peerEventTime(stream, 'peer-up', other.name)) - ready).toBeLessThan(3000)
    // After three beats every working path has been used.
    await waitForPeer(daemon, other.name, (peer) => peer.beacons.heard >= 3)
    await check(host, daemon, other)
  }
}

/** The paths in the output of `earshot show`. */
async function shownPaths(host: Host, name: string): Promise<string[]> {
  const { code, stdout, stderr } = await host.cli('show', name)
  expect(code, stderr).toBe(0)
  const lines = stdout.matchAll(/^path\t(\S+)\t(broadcast|multicast4|multicast6)\t/gm)
  return Array.from(lines, ([, on, path]) => `${on} ${path}`).sort()
}

describeLab('peers find each other', () => {
  it.each<Path>(['broadcast', 'multicast4', 'multicast6'])(
    'if only %s works, and list only this path',
    (path) =>
      checkPair({ prepare: (net) => net.onlyPath(path) }, async (host, daemon, other) => {
        expect(pathsOf(await getPeer(daemon, other.name))).toEqual([`eth0 ${path}`])
        expect(await shownPaths(host, other.name)).toEqual([`eth0 ${path}`])
      }),
    180_000,
  )

  it(
    'without IPv4 addresses',
    () =>
      checkPair({ options: { ipv4: false } }, async (host, daemon, other) => {
        const peer = await getPeer(daemon, other.name)
        expect(addressesOf(peer)).toEqual([`${other.linkLocal()}%eth0`])
        expect(pathsOf(peer)).toEqual(['eth0 multicast6'])
        expect(await shownPaths(host, other.name)).toEqual(['eth0 multicast6'])
      }),
    180_000,
  )

  it(
    'with IPv6 disabled',
    () =>
      checkPair({ options: { ipv6: false } }, async (host, daemon, other) => {
        const peer = await getPeer(daemon, other.name)
        expect(addressesOf(peer)).toEqual([other.address()])
        expect(pathsOf(peer)).toEqual(['eth0 broadcast', 'eth0 multicast4'])
        expect(await shownPaths(host, other.name)).toEqual(['eth0 broadcast', 'eth0 multicast4'])
      }),
    180_000,
  )
})
