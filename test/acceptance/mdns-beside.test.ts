import { expect, it } from 'vitest'
import { describeMdnsLab, type Host, Lab } from '../lab/index.ts'
import { announced, foundByMdns, live, mdnsOf, register, resolvedBoth, serviceTold } from './mdns.ts'
import { acquainted, logged, look, saidSince, start } from './measure.ts'

/** Holds the port of mDNS for itself, as programs do that do not know better. */
const GREEDY = `
import socket, sys
held = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
held.bind(('::', 5353))
print('held')
sys.stdin.read()
`

describeMdnsLab('beside other mDNS programs on one host', () => {
  it.each([['before'], ['after']])(
    'avahi-daemon, started %s: both work, and see the others',
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
      await acquainted([daemon, peer])
      using atDaemon = await live(daemon)
      using atPeer = await live(peer)
      await using atAvahi = await avahi.watch('_http._tcp')
      await using atOther = await other.watch('_http._tcp')

      // Four programs offer something, two of them on one host.
      await Promise.all([
        avahi.publish('Of Avahi', '_http._tcp', 81),
        register(daemon, 'own', { name: 'Of earshot', type: 'http', port: 82 }),
        other.publish('Of desk', '_http._tcp', 83),
        register(peer, 'studio', { name: 'Of studio', type: 'http', port: 84 }),
      ])
      for (const name of ['Of Avahi', 'Of earshot', 'Of desk', 'Of studio']) {
        await Promise.all([resolvedBoth(atAvahi, name), resolvedBoth(atOther, name)])
      }
      for (const stream of [atDaemon, atPeer]) await serviceTold(stream, 'service-up', 'Of desk')
      await serviceTold(atPeer, 'service-up', 'Of Avahi')
      await serviceTold(atDaemon, 'service-up', 'Of studio')

      // Nobody was renamed, and nobody is there twice.
      expect(await Promise.all([avahi.hostname(), other.hostname()])).toEqual(['both.local', 'desk.local'])
      for (const each of [daemon, peer]) {
        const { publications } = await announced(each)
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
      // What the host's Avahi offers is that host's, found by mDNS.
      const services = (await look(peer, 'both')).services.map(({ name, source }) => `${name} ${source ?? 'signed'}`)
      expect(services.sort()).toEqual(['Of Avahi mdns', 'Of earshot signed'])
      expect(await avahi.resolve('desk.local')).toBe(desk.address())
      expect(await other.resolve('both.local')).toBe(both.address())
      expect(await other.resolve((await announced(daemon)).hostname)).toBe(both.address())

      // What both are told to publish is Avahi's, and there once.
      await avahi.publish('Both', '_http._tcp', 85)
      await resolvedBoth(atOther, 'Both')
      await register(daemon, 'both', { name: 'Both', type: 'http', port: 85 })
      const stateOf = async () => (await daemon.self()).mdns?.publications.find(({ id }) => id === 'both')?.state
      await expect.poll(stateOf, { timeout: 10_000 }).toBe('elsewhere')
      for (const { lines } of [atAvahi, atOther]) expect(lines.filter(({ name }) => /#|\(2\)/.test(name))).toEqual([])

      // When earshot ends, Avahi goes on.
      await daemon.stop()
      const left = async () => [...new Set((await other.browse('_http._tcp')).map(({ name }) => name))].sort()
      await expect.poll(left, { timeout: 5000 }).toEqual(['Both', 'Of Avahi', 'Of desk', 'Of studio'])
      expect(await avahi.hostname()).toBe('both.local')
    },
    120_000,
  )

  it('one that keeps the port to itself: a fault, and mDNS as soon as it is free', async () => {
    await using lab = await Lab.create()
    const [crowded, desk] = await lab.hosts(['crowded', 'desk'], [await lab.network('lan')])
    if (!crowded || !desk) throw new Error('no hosts')
    const greedy = await crowded.python(GREEDY)
    await greedy.waitForLine(/^held$/)
    const [daemon, avahi] = await Promise.all([start(crowded), desk.avahi()])
    await avahi.publish('Office', '_ipp._tcp', 631)
    expect(await foundByMdns(daemon)).toEqual([])
    expect(saidSince(daemon, 0).filter((line) => /5353/.test(line)).length).toBeGreaterThan(0)
    const { publications, interfaces } = await mdnsOf(daemon)
    expect(publications.map(({ state }) => state)).toEqual(['waiting'])
    expect(interfaces.map(({ name }) => name)).toEqual(['eth0'])
    for (const { fault } of interfaces[0]?.paths ?? [])
      expect(fault).toMatch(/^another program does not share UDP port 5353/)
    await greedy.kill()
    await expect.poll(() => foundByMdns(daemon), { timeout: 30_000 }).toMatchObject([{ name: 'desk' }])
    await using browser = await avahi.watch('_earshot._udp')
    await resolvedBoth(browser, 'crowded', { timeoutMs: 30_000 })
    expect(logged(daemon, 'uncaught')).toEqual([])
  }, 120_000)
})
