import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Daemon, describeMdnsLab, type EventStream, type Host, Lab } from '../lab/index.ts'
import { foundByMdns, live, mdnsOf, offerOf, output, serviceTold } from './mdns.ts'
import { addressesOf, look, start, told } from './measure.ts'

/** Known within this of being announced, changed or withdrawn, ms. */
const KNOWN_MS = 2000

describeMdnsLab('seeing others', () => {
  let lab: Lab
  let desk: Host
  let printer: Host
  let laptop: Host
  let daemon: Daemon
  let events: EventStream
  beforeAll(async () => {
    lab = await Lab.create()
    const hosts = await lab.hosts(['desk', 'printer', 'laptop'], [await lab.network('lan')])
    const [one, two, three] = hosts
    if (!one || !two || !three) throw new Error('no hosts')
    ;[desk, printer, laptop] = [one, two, three]
    daemon = await start(desk)
    events = await live(daemon)
  }, 60_000)
  afterAll(() => lab?.close())

  it('what avahi-publish-service publishes, within 2 s, changed and withdrawn too', async () => {
    await using avahi = await printer.avahi()
    const office = await avahi.publish('Of.fice ü', '_ipp._tcp', 631, {
      txt: ['paper=A4'],
      subtypes: ['_color._sub._ipp._tcp'],
    })
    const announced = office.lines.items.at(-1)?.at ?? 0
    const up = await serviceTold(events, 'service-up', 'Of.fice ü', { wanted: ({ txt }) => txt['paper'] === 'A4' })
    const peer = await look(daemon, 'printer.local')
    expect(peer).toMatchObject({
      ...{ id: 'printer.local', name: 'printer', hostname: 'printer.local', source: 'mdns', state: 'alive' },
      paths: [{ interface: 'eth0', path: 'mdns' }],
      services: [{ name: 'Of.fice ü', type: '_ipp._tcp', port: 631, txt: { paper: 'A4' } }],
    })
    expect(addressesOf(peer)).toEqual([printer.address(), `${printer.linkLocal()}%eth0`].sort())
    const addresses = `${printer.address()},${printer.linkLocal()}%eth0`
    expect((await output(desk, 'ls', '--no-headers')).split('\t')).toEqual([
      ...['printer', 'alive', addresses, 'ipp:631', expect.any(String), 'eth0 mdns\n'],
    ])
    expect(await output(desk, 'services', 'ipp')).toBe(
      `NAME\tTYPE\tPEER\tADDRESS:PORT\tTXT\tSOURCE\nOf.fice ü\tipp\tprinter\t${printer.address()}:631\tpaper=A4\tmdns\n`,
    )
    const seen = up.receivedAt - announced
    expect(seen).toBeLessThan(KNOWN_MS)

    // avahi-publish-service cannot change what it publishes: it is done by withdrawing, and publishing anew.
    const from = events.events.length
    const ended = performance.now()
    await office.kill('SIGTERM')
    const again = await avahi.publish('Of.fice ü', '_ipp._tcp', 631, { txt: ['paper=none'] })
    const changed = again.lines.items.at(-1)?.at ?? 0
    await expect
      .poll(async () => (await look(daemon, 'printer.local')).services.map(({ txt }) => txt), { interval: 10 })
      .toEqual([{ paper: 'none' }])
    const known = performance.now() - changed
    expect(known).toBeLessThan(KNOWN_MS)
    const withdrawn = performance.now()
    await again.kill('SIGTERM')
    const down = await serviceTold(events, 'service-down', 'Of.fice ü', { from: events.events.length })
    const gone = down.receivedAt - withdrawn
    console.info(
      `Avahi's service: known ${seen.toFixed(0)} ms after it was announced, published anew after ` +
        `${(changed - ended).toFixed(0)} and ${known.toFixed(0)} ms, gone ${gone.toFixed(0)} ms after its end`,
    )
    expect(gone).toBeLessThan(KNOWN_MS)
    expect(await output(desk, 'services', '--no-headers')).toBe('')
    expect(told(events, 'peer-failed', from)).toEqual([])
  }, 60_000)

  it('what python3-zeroconf publishes, within 2 s, a change of TXT within 2 s, withdrawn within 2 s', async () => {
    await using zeroconf = await laptop.zeroconf()
    const from = events.events.length
    const shop = offerOf(laptop, { name: 'Shop', type: '_http._tcp', port: 80, txt: { path: '/' } })
    const published = zeroconf.publish(shop)
    const began = performance.now()
    const up = await serviceTold(events, 'service-up', 'Shop')
    const [peer] = await foundByMdns(daemon)
    expect(peer).toMatchObject({ id: 'laptop.local', name: 'laptop', services: [{ name: 'Shop', txt: { path: '/' } }] })
    await published
    const updated = performance.now()
    await zeroconf.update({ ...shop, txt: { path: '/new' } })
    const update = await serviceTold(events, 'service-update', 'Shop', { from })
    expect(update.service.txt).toEqual({ path: '/new' })
    const withdrawn = performance.now()
    await zeroconf.withdraw(shop)
    const down = await serviceTold(events, 'service-down', 'Shop', { from })
    const times = [up.receivedAt - began, update.receivedAt - updated, down.receivedAt - withdrawn]
    console.info(`zeroconf's service: known, changed, gone after ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`)
    for (const ms of times) expect(ms).toBeLessThan(KNOWN_MS)
    expect(await foundByMdns(daemon)).toEqual([])
    // Said by nobody any more, and by its own word: it has left, and not failed.
    expect((await foundByMdns(daemon, 'all')).map(({ id, state }) => `${id} ${state}`)).toContain('laptop.local left')
    expect(told(events, 'peer-failed', from)).toEqual([])
  }, 60_000)

  it('resolve: by what is known, by asking, and nobody', async () => {
    await using avahi = await printer.avahi()
    expect(await output(desk, 'resolve', 'printer.local')).toBe(`${printer.address()}\n`)
    expect(await output(desk, 'resolve', 'PRINTER.local', '-6')).toBe(`${printer.linkLocal()}%eth0\n`)
    await avahi.publish('Office', '_ipp._tcp', 631)
    await serviceTold(events, 'service-up', 'Office', { from: 0 })
    expect(await output(desk, 'resolve', 'printer.local', '--service', 'ipp')).toBe(`${printer.address()}:631\n`)
    const began = performance.now()
    const { hostname } = await mdnsOf(daemon)
    expect(await output(desk, 'resolve', hostname, '-4')).toBe(`${desk.address()}\n`)
    expect(await desk.cli('resolve', 'nobody.local')).toMatchObject({ code: 1, stdout: '' })
    expect(performance.now() - began).toBeLessThan(10_000)
  }, 60_000)

  it('types that nobody thought of, with mdns.browse = "*"', async () => {
    await using avahi = await printer.avahi()
    await avahi.publish('Strange', '_nobody-knows._tcp', 4711)
    await daemon.stop()
    const curious = await desk.daemon({ name: 'curious', args: ['--mdns-browse', '*'] })
    const began = performance.now()
    await expect.poll(() => foundByMdns(curious), { timeout: 10_000 }).toHaveLength(1)
    console.info(`a strange type was found ${(performance.now() - began).toFixed(0)} ms after the start`)
    expect((await foundByMdns(curious)).map(({ services }) => services.map(({ type }) => type))).toEqual([
      ['_nobody-knows._tcp'],
    ])
    await curious.stop()
  }, 60_000)
})
