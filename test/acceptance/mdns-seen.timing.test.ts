import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Avahi, type Daemon, describeMdnsLab, type Host, Lab, type Network, type Zeroconf } from '../lab/index.ts'
import { announced, goneBoth, latest, MDNS_PORT, publish, register, resolvedBoth, withdraw } from './mdns.ts'
import { startAll } from './measure.ts'

/** Listed and resolved within this of being published, ms. */
const SEEN_MS = 2000

/** Gone within this of being withdrawn, ms. */
const GONE_MS = 1000

/** So long a goodbye's record lives on at Avahi (RFC 6762, section 10.1), ms. */
const GRACE_MS = 1000

describeMdnsLab('seen by others', () => {
  let lab: Lab
  let net: Network
  let kitchen: Host
  let daemon: Daemon
  let avahi: Avahi
  let zeroconf: Zeroconf
  beforeAll(async () => {
    lab = await Lab.create()
    net = await lab.network('lan', { ipv6: 'fd77::/64' })
    // Alone first, so that its address is known: hosts made together take theirs as they come.
    const here = await lab.host('kitchen', [net])
    const [desk, laptop] = await lab.hosts(['desk', 'laptop'], [net])
    if (!desk || !laptop) throw new Error('no hosts')
    kitchen = here
    const [own] = await startAll([kitchen])
    if (!own) throw new Error('no daemon')
    daemon = own
    ;[avahi, zeroconf] = await Promise.all([desk.avahi(), laptop.zeroconf()])
    await announced(daemon)
  }, 90_000)
  afterAll(() => lab?.close())

  it('what `earshot publish` publishes: by Avahi, with all that it says, within 2 s, and its end', async () => {
    await using browser = await avahi.watch('_http._tcp')
    const { process, at } = await publish(kitchen, 'Shop. No; 1 ü', 'http', '8080', 'path=/list', 'v=2')
    const lines = await resolvedBoth(browser, 'Shop. No; 1 ü')
    const { hostname } = await announced(daemon)
    const seen = latest(lines) - at
    expect(lines).toMatchObject([
      { interface: 'eth0', hostname, port: 8080, txt: ['path=/list', 'v=2'] },
      { interface: 'eth0', hostname, port: 8080, txt: ['path=/list', 'v=2'] },
    ])
    expect(seen).toBeLessThan(SEEN_MS)
    // As Avahi lists it to whoever comes later.
    const listed = await avahi.browse('_http._tcp')
    expect(listed.map(({ name, port, txt }) => ({ name, port, txt }))).toEqual(
      [1, 2].map(() => ({ name: 'Shop. No; 1 ü', port: 8080, txt: ['path=/list', 'v=2'] })),
    )
    expect(await avahi.resolve(hostname, 'ipv4')).toBe(kitchen.address())
    expect(await avahi.resolve(hostname, 'ipv6')).toBe('fd77::1')

    const ended = performance.now()
    process.signal('SIGTERM')
    const gone = (await goneBoth(browser, 'Shop. No; 1 ü')) - ended
    console.info(`Avahi resolved it after ${seen.toFixed(0)} ms, and it was gone ${gone.toFixed(0)} ms after its end`)
    expect(gone).toBeLessThan(GRACE_MS + GONE_MS)
    expect(await avahi.browse('_http._tcp')).toEqual([])
  }, 60_000)

  it('the same by zeroconf: within 2 s, with every address that leads further, and gone within 1 s', async () => {
    await zeroconf.browse('_osc._udp')
    const { process, at } = await publish(kitchen, 'Mixer', 'osc/udp', '9000', 'txtvers=1', 'flag')
    const addresses = [kitchen.address(), 'fd77::1'].sort()
    const event = await zeroconf.waitFor(
      ({ event, ...told }) => event === 'resolved' && 'addresses' in told && told.addresses.length >= addresses.length,
    )
    const { hostname } = await announced(daemon)
    expect(event).toMatchObject({ name: 'Mixer', type: '_osc._udp', hostname, port: 9000 })
    if (event.event !== 'resolved') throw new Error('not resolved')
    expect(event.txt).toEqual({ txtvers: '1', flag: '' })
    expect(event.addresses.map((address) => address.replace(/%.*/, '')).sort()).toEqual(addresses)
    const seen = event.at - at
    expect(seen).toBeLessThan(SEEN_MS)

    const ended = performance.now()
    process.signal('SIGTERM')
    const gone = (await zeroconf.waitFor(({ event }) => event === 'removed')).at - ended
    console.info(
      `zeroconf resolved it after ${seen.toFixed(0)} ms, and it was gone ${gone.toFixed(0)} ms after its end`,
    )
    expect(gone).toBeLessThan(GONE_MS)
  }, 60_000)

  it('a change of TXT and port, at once, under the same name; a subtype', async () => {
    await using browser = await avahi.watch('_ipp._tcp')
    const printer = { name: 'Office', type: 'ipp', port: 631, txt: { paper: 'A4' }, subtypes: ['color'] }
    await register(daemon, 'office', printer)
    await resolvedBoth(browser, 'Office')
    expect((await avahi.browse('_color._sub._ipp._tcp')).map(({ name }) => name)).toEqual(['Office', 'Office'])

    const from = browser.lines.length
    const changed = await register(daemon, 'office', { ...printer, port: 632, txt: { paper: 'none' } })
    await expect
      .poll(async () => (await avahi.browse('_ipp._tcp')).map(({ port, txt }) => `${port} ${txt}`), { interval: 10 })
      .toEqual(['632 paper=none', '632 paper=none'])
    const took = performance.now() - changed
    console.info(`a new avahi-browse listed a change after ${took.toFixed(0)} ms`)
    expect(took).toBeLessThan(SEEN_MS)
    // It is the same instance all along, for those who watch it.
    expect(browser.lines.slice(from).filter(({ change }) => change !== 'resolved')).toEqual([])
    await withdraw(daemon, 'office')
    await goneBoth(browser, 'Office')
  }, 60_000)

  it('itself, as _earshot._udp, by its id', async () => {
    const { id, port } = await daemon.self()
    const found = await avahi.browse('_earshot._udp')
    expect(found).toHaveLength(2)
    for (const line of found) {
      expect(line).toMatchObject({ name: 'kitchen', port, hostname: (await announced(daemon)).hostname })
      expect(line.txt).toContain(`id=${id}`)
    }
    // Under the host's own name, as no other mDNS program has it.
    expect((await announced(daemon)).hostname).toBe('kitchen.local')
    expect(await avahi.resolve('kitchen.local')).toBe(kitchen.address())
    expect(await avahi.nameOf(kitchen.address())).toBe('kitchen.local')
  }, 60_000)

  it('one of two that share a type stays when the other goes', async () => {
    await using browser = await avahi.watch('_mqtt._tcp')
    await Promise.all(
      ['One', 'Two'].map((name, index) => register(daemon, name, { name, type: 'mqtt', port: 1883 + index })),
    )
    await Promise.all(['One', 'Two'].map((name) => resolvedBoth(browser, name)))
    await withdraw(daemon, 'One')
    await goneBoth(browser, 'One')
    const left = await avahi.browse('_mqtt._tcp')
    expect(left.map(({ name, port }) => `${name} ${port}`)).toEqual(['Two 1884', 'Two 1884'])
    expect(await avahi.resolve((await announced(daemon)).hostname)).toBe(kitchen.address())
    await withdraw(daemon, 'Two')
  }, 60_000)

  it('no more, once it is shut down: everything goes at once', async () => {
    await register(daemon, 'last', { name: 'Last', type: 'http', port: 80 })
    await using services = await avahi.watch('_http._tcp')
    await using daemons = await avahi.watch('_earshot._udp')
    const { hostname } = await announced(daemon)
    await Promise.all([resolvedBoth(services, 'Last'), resolvedBoth(daemons, 'kitchen')])
    const ended = performance.now()
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    const gone = Math.max(await goneBoth(services, 'Last'), await goneBoth(daemons, 'kitchen')) - ended
    console.info(`all was gone ${gone.toFixed(0)} ms after SIGTERM`)
    expect(gone).toBeLessThan(GRACE_MS + GONE_MS)
    expect(await avahi.resolve(hostname)).toBeUndefined()
  }, 60_000)

  it('nothing, with mdns = false: port 5353 is left alone', async () => {
    await using tap = await net.sniff({ port: MDNS_PORT })
    const host = await lab.host('quiet', [net])
    const quiet = await host.daemon({ args: ['--no-mdns'] })
    await register(quiet, 'shop', { name: 'Shop', type: 'http', port: 80 })
    expect(await quiet.get('/v1/self')).toMatchObject({ mdns: null })
    const sockets = await host.exec('sh', ['-c', 'cat /proc/net/udp /proc/net/udp6'])
    expect(sockets.stdout).not.toContain(':14E9 ')
    expect((await host.cli('resolve', 'desk.local')).code).toBe(1)
    expect(tap.datagrams.filter(({ srcMac }) => srcMac === host.mac())).toEqual([])
  }, 60_000)
})
