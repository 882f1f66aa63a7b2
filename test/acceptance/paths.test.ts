import { expect, it } from 'vitest'
import { type Daemon, describeLab, type Host, type HostOptions, Lab, type Network, type Path } from '../lab/index.ts'
import { addressesOf, history, knewAt, look, pathsOf, seen, socketsReadyAt, start } from './measure.ts'

/** Two hosts on a network of their own, on which both find each other; what each has to say of the other. */
async function pair(
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
    using stream = await history(daemon)
    expect((await knewAt(stream, 'peer-up', other.name)) - ready).toBeLessThan(3000)
    // Three beats: what could be heard has been.
    await seen(daemon, other.name, (peer) => peer.beacons.heard >= 3)
    await check(host, daemon, other)
  }
}

/** What `earshot show` says of the paths. */
async function shownPaths(host: Host, name: string): Promise<string[]> {
  const { code, stdout, stderr } = await host.cli('show', name)
  expect(code, stderr).toBe(0)
  const lines = stdout.matchAll(/^path\t(\S+)\t(broadcast|multicast4|multicast6)\t/gm)
  return Array.from(lines, ([, on, path]) => `${on} ${path}`).sort()
}

describeLab('peers find each other', () => {
  it.each<Path>(['broadcast', 'multicast4', 'multicast6'])(
    'where only %s works, and say so',
    (path) =>
      pair({ prepare: (net) => net.onlyPath(path) }, async (host, daemon, other) => {
        expect(pathsOf(await look(daemon, other.name))).toEqual([`eth0 ${path}`])
        expect(await shownPaths(host, other.name)).toEqual([`eth0 ${path}`])
      }),
    180_000,
  )

  it(
    'where hosts have no IPv4 address',
    () =>
      pair({ options: { ipv4: false } }, async (host, daemon, other) => {
        const peer = await look(daemon, other.name)
        expect(addressesOf(peer)).toEqual([`${other.linkLocal()}%eth0`])
        expect(pathsOf(peer)).toEqual(['eth0 multicast6'])
        expect(await shownPaths(host, other.name)).toEqual(['eth0 multicast6'])
      }),
    180_000,
  )

  it(
    'where hosts have IPv6 switched off',
    () =>
      pair({ options: { ipv6: false } }, async (host, daemon, other) => {
        const peer = await look(daemon, other.name)
        expect(addressesOf(peer)).toEqual([other.address()])
        expect(pathsOf(peer)).toEqual(['eth0 broadcast', 'eth0 multicast4'])
        expect(await shownPaths(host, other.name)).toEqual(['eth0 broadcast', 'eth0 multicast4'])
      }),
    180_000,
  )
})
