import { expect, it } from 'vitest'
import { describeMdnsLab, type Host, Lab } from '../lab/index.ts'
import { getPeer, logEntries, logLinesSince, start, waitUntilAllAlive } from './daemons.ts'
import {
  mdnsPeers,
  mdnsStatus,
  openEvents,
  register,
  waitForServiceEvent,
  waitUntilPublished,
  waitUntilResolved,
} from './mdns.ts'

/** Binds the mDNS port without address reuse, like a program that does not share it. */
const EXCLUSIVE_BIND = `
import socket, sys
held = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
held.bind(('::', 5353))
print('held')
sys.stdin.read()
`

describeMdnsLab('earshotd and other mDNS programs on one host', () => {
  it.each([['before'], ['after']])(
    'avahi-daemon, started %s earshotd: both work, and see all other services',
    async (order) => {
      await using lab = await Lab.create()
      const [both, desk, studio] = await lab.hosts(['both', 'desk', 'studio'], [await lab.network('lan')])
      if (!both || !desk || !studio) throw new Error('no hosts')
      const pair = async (host: Host) => {
        if (order === 'before') return [await host.avahi(), await start(host)] as const
        const daemon = await start(host)
        return [await host.avahi(), daemon] as const
      }
      const [[avahi, daemon], other, peer] = await Promise.all([pair(both), desk.avahi(), start(studio)])
      await waitUntilAllAlive([daemon, peer])
      using atDaemon = await openEvents(daemon)
      using atPeer = await openEvents(peer)
      await using atAvahi = await avahi.watch('_http._tcp')
      await using atOther = await other.watch('_http._tcp')

      // Four programs publish a service, two of them on the same host.
      await Promise.all([
        avahi.publish('Of Avahi', '_http._tcp', 81),
        register(daemon, 'own', { name: 'Of earshot', type: 'http', port: 82 }),
        other.publish('Of desk', '_http._tcp', 83),
        register(peer, 'studio', { name: 'Of studio', type: 'http', port: 84 }),
      ])
      for (const name of ['Of Avahi', 'Of earshot', 'Of desk', 'Of studio']) {
        await Promise.all([waitUntilResolved(atAvahi, name), waitUntilResolved(atOther, name)])
      }
      for (const stream of [atDaemon, atPeer]) await waitForServiceEvent(stream, 'service-up', 'Of desk')
      await waitForServiceEvent(atPeer, 'service-up', 'Of Avahi')
      await waitForServiceEvent(atDaemon, 'service-up', 'Of studio')

      // No host or service was renamed, and none is listed twice.
      expect(await Promise.all([avahi.hostname(), other.hostname()])).toEqual(['both.local', 'desk.local'])
      for (const each of [daemon, peer]) {
        const { publications } = await waitUntilPublished(each)
        expect(publications.filter(({ name }) => /\(2\)/.test(name))).toEqual([])
      }
      for (const { lines } of [atAvahi, atOther]) expect(lines.filter(({ name }) => /#|\(2\)/.test(name))).toEqual([])
      expect((await daemon.peers()).map(({ name, source }) => `${name} ${source}`).sort()).toEqual([
        'desk mdns',
        'studio beacon',
      ])
      expect((await peer.peers()).map(({ name, source }) => `${name} ${source}`).sort()).toEqual([
        'both beacon',
        'desk mdns',
      ])
      // The services of the host's Avahi belong to that host, with source mDNS.
      const services = (await getPeer(peer, 'both')).services.map(({ name, source }) => `${name} ${source ?? 'signed'}`)
      expect(services.sort()).toEqual(['Of Avahi mdns', 'Of earshot signed'])
      expect(await avahi.resolve('desk.local')).toBe(desk.address())
      expect(await other.resolve('both.local')).toBe(both.address())
      expect(await other.resolve((await waitUntilPublished(daemon)).hostname)).toBe(both.address())

      // A service that both are asked to publish is published once, by Avahi.
      await avahi.publish('Both', '_http._tcp', 85)
      await waitUntilResolved(atOther, 'Both')
      await register(daemon, 'both', { name: 'Both', type: 'http', port: 85 })
      const stateOf = async () => (await daemon.self()).mdns?.publications.find(({ id }) => id === 'both')?.state
      await expect.poll(stateOf, { timeout: 10_000 }).toBe('elsewhere')
      for (const { lines } of [atAvahi, atOther]) expect(lines.filter(({ name }) => /#|\(2\)/.test(name))).toEqual([])

      // Avahi keeps working after earshotd has stopped.
      await daemon.stop()
      const left = async () => [...new Set((await other.browse('_http._tcp')).map(({ name }) => name))].sort()
      await expect.poll(left, { timeout: 5000 }).toEqual(['Both', 'Of Avahi', 'Of desk', 'Of studio'])
      expect(await avahi.hostname()).toBe('both.local')
    },
    120_000,
  )

  it('a program that does not share port 5353: earshotd reports a fault, and uses mDNS when the port is free', async () => {
    await using lab = await Lab.create()
    const [crowded, desk] = await lab.hosts(['crowded', 'desk'], [await lab.network('lan')])
    if (!crowded || !desk) throw new Error('no hosts')
    const exclusive = await crowded.python(EXCLUSIVE_BIND)
    await exclusive.waitForLine(/^held$/)
    const [daemon, avahi] = await Promise.all([start(crowded), desk.avahi()])
    await avahi.publish('Office', '_ipp._tcp', 631)
    expect(await mdnsPeers(daemon)).toEqual([])
    expect(logLinesSince(daemon, 0).filter((line) => /5353/.test(line)).length).toBeGreaterThan(0)
    const { publications, interfaces } = await mdnsStatus(daemon)
    expect(publications.map(({ state }) => state)).toEqual(['waiting'])
    expect(interfaces.map(({ name }) => name)).toEqual(['eth0'])
    for (const { fault } of interfaces[0]?.paths ?? [])
      expect(fault).toMatch(/^another program does not share UDP port 5353/)
    await exclusive.kill()
    await expect.poll(() => mdnsPeers(daemon), { timeout: 30_000 }).toMatchObject([{ name: 'desk' }])
    await using browser = await avahi.watch('_earshot._udp')
    await waitUntilResolved(browser, 'crowded', { timeoutMs: 30_000 })
    expect(logEntries(daemon, 'uncaught')).toEqual([])
  })
})
