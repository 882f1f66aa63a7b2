import { expect, it } from 'vitest'
import { describeMdnsLab, Lab } from '../lab/index.ts'
import { addressesOf, getPeer, start } from './daemons.ts'
import {
  MDNS_PORT,
  mdnsPeers,
  openEvents,
  register,
  waitForServiceEvent,
  waitUntilPublished,
  waitUntilResolved,
} from './mdns.ts'
import { addressesIn, GROUP4, GROUP6 } from './mdns-messages.ts'

describeMdnsLab('mDNS on several interfaces', () => {
  it('announces on each network only the addresses of that network, and discovers services on each', async () => {
    await using lab = await Lab.create()
    const [red, blue] = await Promise.all([
      lab.network('red', { ipv6: 'fd01::/64' }),
      lab.network('blue', { ipv6: 'fd02::/64' }),
    ])
    const both = await lab.host('both', [red, blue])
    const [atRed, atBlue] = await Promise.all([lab.host('red', [red]), lab.host('blue', [blue])])
    await using redTap = await red.sniff({ port: MDNS_PORT })
    await using blueTap = await blue.sniff({ port: MDNS_PORT })
    const [daemon, redAvahi, blueAvahi] = await Promise.all([start(both), atRed.avahi(), atBlue.avahi()])
    using events = await openEvents(daemon)
    await using redBrowser = await redAvahi.watch('_http._tcp')
    await using blueBrowser = await blueAvahi.watch('_http._tcp')
    await register(daemon, 'shop', { name: 'Shop', type: 'http', port: 80 })
    // Link-local addresses are omitted if there are global ones.
    const onRed = [both.address('eth0'), 'fd01::1']
    const onBlue = [both.address('eth1'), 'fd02::1']
    for (const [browser, avahi, own] of [
      [redBrowser, redAvahi, onRed] as const,
      [blueBrowser, blueAvahi, onBlue] as const,
    ]) {
      for (const { address } of await waitUntilResolved(browser, 'Shop')) expect(own).toContain(address)
      const { hostname } = await waitUntilPublished(daemon)
      expect(await avahi.resolve(hostname)).toBe(own[0])
      expect(own).toContain(await avahi.resolve(hostname, 'ipv6'))
    }

    // The daemon discovers each host on its own interface.
    await Promise.all([redAvahi.publish('Red', '_http._tcp', 1), blueAvahi.publish('Blue', '_http._tcp', 2)])
    await Promise.all(['Red', 'Blue'].map((name) => waitForServiceEvent(events, 'service-up', name)))
    expect((await mdnsPeers(daemon)).map(({ id }) => id).sort()).toEqual(['blue.local', 'red.local'])
    const [redPeer, bluePeer] = await Promise.all([getPeer(daemon, 'red.local'), getPeer(daemon, 'blue.local')])
    expect(redPeer.paths.map((path) => path.interface)).toEqual(['eth0'])
    expect(bluePeer.paths.map((path) => path.interface)).toEqual(['eth1'])
    expect(addressesOf(redPeer)).toEqual([atRed.address(), 'fd01::2'])
    expect(addressesOf(bluePeer)).toEqual([atBlue.address(), 'fd02::2'])

    // Checks all mDNS messages that the host has sent.
    for (const [tap, own, mac] of [
      [redTap, onRed, both.mac('eth0')] as const,
      [blueTap, onBlue, both.mac('eth1')] as const,
    ]) {
      const sent = tap.datagrams.filter(({ srcMac, sport }) => srcMac === mac && sport === MDNS_PORT)
      expect(new Set(sent.map(({ dst }) => dst))).toEqual(new Set([GROUP4, GROUP6]))
      expect(new Set(sent.map(({ ttl }) => ttl))).toEqual(new Set([255]))
      expect(new Set(sent.flatMap(addressesIn))).toEqual(new Set(own))
      // Over both IP versions.
      for (const dst of [GROUP4, GROUP6]) {
        expect(new Set(sent.filter((each) => each.dst === dst).flatMap(addressesIn))).toEqual(new Set(own))
      }
    }

    // If a removed interface does not return within 5 s, its hosts are removed. A new interface is used at once.
    await both.removeInterface('eth1')
    await expect
      .poll(async () => (await mdnsPeers(daemon)).map(({ id }) => id), { timeout: 20_000 })
      .toEqual(['red.local'])
    const from = events.events.length
    await both.addInterface(blue, { name: 'eth2' })
    const added = performance.now()
    await waitForServiceEvent(events, 'service-up', 'Blue', { from: from, timeoutMs: 10_000 })
    console.info(`Blue was discovered again ${(performance.now() - added).toFixed(0)} ms after an interface was added`)
    const { hostname } = await waitUntilPublished(daemon)
    await expect.poll(() => blueAvahi.resolve(hostname), { timeout: 10_000 }).toBe(both.address('eth2'))
  })

  it('joins the groups again on an interface that goes down and returns with the same address', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const [here, there] = await lab.hosts(['here', 'there'], [lan])
    if (!here || !there) throw new Error('no hosts')
    const [daemon, avahi] = await Promise.all([start(here), there.avahi()])
    using events = await openEvents(daemon)
    await here.flip('eth0')
    await here.linkDown()
    await here.linkUp()
    const from = events.events.length
    await avahi.publish('Office', '_ipp._tcp', 631)
    await waitForServiceEvent(events, 'service-up', 'Office', { from, timeoutMs: 10_000 })
    await using browser = await avahi.watch('_ipp._tcp')
    await register(daemon, 'own', { name: 'Own', type: 'ipp', port: 632 })
    await waitUntilResolved(browser, 'Own')
  })
})
