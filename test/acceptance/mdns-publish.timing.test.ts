import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Avahi, type Daemon, describeMdnsLab, type Host, Lab, type Network, type Zeroconf } from '../lab/index.ts'
import { startAll } from './daemons.ts'
import {
  latestTime,
  MDNS_PORT,
  publish,
  register,
  waitUntilPublished,
  waitUntilRemoved,
  waitUntilResolved,
  withdraw,
} from './mdns.ts'

/** Limit from the publication until the service is resolved, ms. */
const SEEN_MS = 2000

/** Limit from the withdrawal until the service is removed, ms. */
const REMOVED_MS = 1000

/** Avahi keeps a record for this time after its goodbye (RFC 6762, section 10.1), ms. */
const GRACE_MS = 1000

describeMdnsLab('publication by mDNS', () => {
  let lab: Lab
  let net: Network
  let kitchen: Host
  let daemon: Daemon
  let avahi: Avahi
  let zeroconf: Zeroconf
  beforeAll(async () => {
    lab = await Lab.create()
    net = await lab.network('lan', { ipv6: 'fd77::/64' })
    // Created first, because the addresses of hosts that are created in parallel are not predictable.
    const here = await lab.host('kitchen', [net])
    const [desk, laptop] = await lab.hosts(['desk', 'laptop'], [net])
    if (!desk || !laptop) throw new Error('no hosts')
    kitchen = here
    const [own] = await startAll([kitchen])
    if (!own) throw new Error('no daemon')
    daemon = own
    ;[avahi, zeroconf] = await Promise.all([desk.avahi(), laptop.zeroconf()])
    await waitUntilPublished(daemon)
  })
  afterAll(() => lab?.close())

  it('Avahi resolves a service of `earshot publish` completely within 2 s, and sees its end', async () => {
    await using browser = await avahi.watch('_http._tcp')
    const { process, at } = await publish(kitchen, 'Shop. No; 1 ü', 'http', '8080', 'path=/list', 'v=2')
    const lines = await waitUntilResolved(browser, 'Shop. No; 1 ü')
    const { hostname } = await waitUntilPublished(daemon)
    const seen = latestTime(lines) - at
    expect(lines).toMatchObject([
      { interface: 'eth0', hostname, port: 8080, txt: ['path=/list', 'v=2'] },
      { interface: 'eth0', hostname, port: 8080, txt: ['path=/list', 'v=2'] },
    ])
    expect(seen).toBeLessThan(SEEN_MS)
    // A later avahi-browse gets the same.
    const listed = await avahi.browse('_http._tcp')
    expect(listed.map(({ name, port, txt }) => ({ name, port, txt }))).toEqual(
      [1, 2].map(() => ({ name: 'Shop. No; 1 ü', port: 8080, txt: ['path=/list', 'v=2'] })),
    )
    expect(await avahi.resolve(hostname, 'ipv4')).toBe(kitchen.address())
    expect(await avahi.resolve(hostname, 'ipv6')).toBe('fd77::1')

    const ended = performance.now()
    process.signal('SIGTERM')
    const removedAfter = (await waitUntilRemoved(browser, 'Shop. No; 1 ü')) - ended
    console.info(
      `Avahi resolved it after ${seen.toFixed(0)} ms, and removed it ${removedAfter.toFixed(0)} ms after its end`,
    )
    expect(removedAfter).toBeLessThan(GRACE_MS + REMOVED_MS)
    expect(await avahi.browse('_http._tcp')).toEqual([])
  })

  it('zeroconf resolves it within 2 s, with all global addresses, and sees its end within 1 s', async () => {
    await zeroconf.browse('_osc._udp')
    const { process, at } = await publish(kitchen, 'Mixer', 'osc/udp', '9000', 'txtvers=1', 'flag')
    const addresses = [kitchen.address(), 'fd77::1'].sort()
    const event = await zeroconf.waitFor(
      ({ event, ...rest }) => event === 'resolved' && 'addresses' in rest && rest.addresses.length >= addresses.length,
    )
    const { hostname } = await waitUntilPublished(daemon)
    expect(event).toMatchObject({ name: 'Mixer', type: '_osc._udp', hostname, port: 9000 })
    if (event.event !== 'resolved') throw new Error('not resolved')
    expect(event.txt).toEqual({ txtvers: '1', flag: '' })
    expect(event.addresses.map((address) => address.replace(/%.*/, '')).sort()).toEqual(addresses)
    const seen = event.at - at
    expect(seen).toBeLessThan(SEEN_MS)

    const ended = performance.now()
    process.signal('SIGTERM')
    const removedAfter = (await zeroconf.waitFor(({ event }) => event === 'removed')).at - ended
    console.info(
      `zeroconf resolved it after ${seen.toFixed(0)} ms, and removed it ${removedAfter.toFixed(0)} ms after its end`,
    )
    expect(removedAfter).toBeLessThan(REMOVED_MS)
  })

  it('announces a changed TXT and port at once under the same name, and a subtype', async () => {
    await using browser = await avahi.watch('_ipp._tcp')
    const printer = { name: 'Office', type: 'ipp', port: 631, txt: { paper: 'A4' }, subtypes: ['color'] }
    await register(daemon, 'office', printer)
    await waitUntilResolved(browser, 'Office')
    expect((await avahi.browse('_color._sub._ipp._tcp')).map(({ name }) => name)).toEqual(['Office', 'Office'])

    const from = browser.lines.length
    const changed = await register(daemon, 'office', { ...printer, port: 632, txt: { paper: 'none' } })
    await expect
      .poll(async () => (await avahi.browse('_ipp._tcp')).map(({ port, txt }) => `${port} ${txt}`), { interval: 10 })
      .toEqual(['632 paper=none', '632 paper=none'])
    const took = performance.now() - changed
    console.info(`a new avahi-browse listed a change after ${took.toFixed(0)} ms`)
    expect(took).toBeLessThan(SEEN_MS)
    // For a running browser it is still the same instance.
    expect(browser.lines.slice(from).filter(({ change }) => change !== 'resolved')).toEqual([])
    await withdraw(daemon, 'office')
    await waitUntilRemoved(browser, 'Office')
  })

  it('publishes the daemon itself as _earshot._udp with its id', async () => {
    const { id, port } = await daemon.self()
    const found = await avahi.browse('_earshot._udp')
    expect(found).toHaveLength(2)
    for (const line of found) {
      expect(line).toMatchObject({ name: 'kitchen', port, hostname: (await waitUntilPublished(daemon)).hostname })
      expect(line.txt).toContain(`id=${id}`)
    }
    // The host name is unchanged, because no other mDNS program on the host uses it.
    expect((await waitUntilPublished(daemon)).hostname).toBe('kitchen.local')
    expect(await avahi.resolve('kitchen.local')).toBe(kitchen.address())
    expect(await avahi.nameOf(kitchen.address())).toBe('kitchen.local')
  })

  it('keeps one of two services with the same type when the other is withdrawn', async () => {
    await using browser = await avahi.watch('_mqtt._tcp')
    await Promise.all(
      ['One', 'Two'].map((name, index) => register(daemon, name, { name, type: 'mqtt', port: 1883 + index })),
    )
    await Promise.all(['One', 'Two'].map((name) => waitUntilResolved(browser, name)))
    await withdraw(daemon, 'One')
    await waitUntilRemoved(browser, 'One')
    const left = await avahi.browse('_mqtt._tcp')
    expect(left.map(({ name, port }) => `${name} ${port}`)).toEqual(['Two 1884', 'Two 1884'])
    expect(await avahi.resolve((await waitUntilPublished(daemon)).hostname)).toBe(kitchen.address())
    await withdraw(daemon, 'Two')
  })

  it('withdraws everything at shutdown', async () => {
    await register(daemon, 'last', { name: 'Last', type: 'http', port: 80 })
    await using services = await avahi.watch('_http._tcp')
    await using daemons = await avahi.watch('_earshot._udp')
    const { hostname } = await waitUntilPublished(daemon)
    await Promise.all([waitUntilResolved(services, 'Last'), waitUntilResolved(daemons, 'kitchen')])
    const ended = performance.now()
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    const removedAfter =
      Math.max(await waitUntilRemoved(services, 'Last'), await waitUntilRemoved(daemons, 'kitchen')) - ended
    console.info(`everything was removed ${removedAfter.toFixed(0)} ms after SIGTERM`)
    expect(removedAfter).toBeLessThan(GRACE_MS + REMOVED_MS)
    expect(await avahi.resolve(hostname)).toBeUndefined()
  })

  it('does not open port 5353 with mdns = false', async () => {
    await using tap = await net.sniff({ port: MDNS_PORT })
    const host = await lab.host('quiet', [net])
    const quiet = await host.daemon({ args: ['--no-mdns'] })
    await register(quiet, 'shop', { name: 'Shop', type: 'http', port: 80 })
    expect(await quiet.get('/v1/self')).toMatchObject({ mdns: null })
    const sockets = await host.exec('sh', ['-c', 'cat /proc/net/udp /proc/net/udp6'])
    expect(sockets.stdout).not.toContain(':14E9 ')
    expect((await host.cli('resolve', 'desk.local')).code).toBe(1)
    expect(tap.datagrams.filter(({ srcMac }) => srcMac === host.mac())).toEqual([])
  })
})
