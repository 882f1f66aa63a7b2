import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Daemon, describeMdnsLab, type EventStream, type Host, Lab } from '../lab/index.ts'
import { addressesOf, getPeer, peersWithEvent, start } from './daemons.ts'
import { mdnsPeers, mdnsStatus, openEvents, output, waitForServiceEvent, zeroconfService } from './mdns.ts'

/** Limit for seeing an announcement, a change or a withdrawal, ms. */
const SEEN_MS = 2000

describeMdnsLab('discovery of mDNS services', () => {
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
    events = await openEvents(daemon)
  })
  afterAll(() => lab?.close())

  it('sees within 2 s how avahi-publish-service publishes, changes and withdraws a service', async () => {
    await using avahi = await printer.avahi()
    const office = await avahi.publish('Of.fice ü', '_ipp._tcp', 631, {
      txt: ['paper=A4'],
      subtypes: ['_color._sub._ipp._tcp'],
    })
    const announced = office.lines.items.at(-1)?.at ?? 0
    const up = await waitForServiceEvent(events, 'service-up', 'Of.fice ü', {
      wanted: ({ txt }) => txt['paper'] === 'A4',
    })
    const peer = await getPeer(daemon, 'printer.local')
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
    expect(seen).toBeLessThan(SEEN_MS)

    // avahi-publish-service cannot update a service. The test withdraws it and publishes it again.
    const from = events.events.length
    const ended = performance.now()
    await office.kill('SIGTERM')
    const again = await avahi.publish('Of.fice ü', '_ipp._tcp', 631, { txt: ['paper=none'] })
    const changed = again.lines.items.at(-1)?.at ?? 0
    await expect
      .poll(async () => (await getPeer(daemon, 'printer.local')).services.map(({ txt }) => txt), { interval: 10 })
      .toEqual([{ paper: 'none' }])
    const known = performance.now() - changed
    expect(known).toBeLessThan(SEEN_MS)
    const withdrawn = performance.now()
    await again.kill('SIGTERM')
    const down = await waitForServiceEvent(events, 'service-down', 'Of.fice ü', { from: events.events.length })
    const removedAfter = down.receivedAt - withdrawn
    console.info(
      `Avahi's service: seen ${seen.toFixed(0)} ms after the announcement, published again after ` +
        `${(changed - ended).toFixed(0)} and ${known.toFixed(0)} ms, removed ${removedAfter.toFixed(0)} ms after its end`,
    )
    expect(removedAfter).toBeLessThan(SEEN_MS)
    expect(await output(desk, 'services', '--no-headers')).toBe('')
    expect(peersWithEvent(events, 'peer-failed', from)).toEqual([])
  })

  it('sees within 2 s how python3-zeroconf publishes, updates and withdraws a service', async () => {
    await using zeroconf = await laptop.zeroconf()
    const from = events.events.length
    const shop = zeroconfService(laptop, { name: 'Shop', type: '_http._tcp', port: 80, txt: { path: '/' } })
    const published = zeroconf.publish(shop)
    const began = performance.now()
    const up = await waitForServiceEvent(events, 'service-up', 'Shop')
    const [peer] = await mdnsPeers(daemon)
    expect(peer).toMatchObject({ id: 'laptop.local', name: 'laptop', services: [{ name: 'Shop', txt: { path: '/' } }] })
    await published
    const updated = performance.now()
    await zeroconf.update({ ...shop, txt: { path: '/new' } })
    const update = await waitForServiceEvent(events, 'service-update', 'Shop', { from })
    expect(update.service.txt).toEqual({ path: '/new' })
    const withdrawn = performance.now()
    await zeroconf.withdraw(shop)
    const down = await waitForServiceEvent(events, 'service-down', 'Shop', { from })
    const times = [up.receivedAt - began, update.receivedAt - updated, down.receivedAt - withdrawn]
    console.info(`zeroconf's service: seen, changed, removed after ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`)
    for (const ms of times) expect(ms).toBeLessThan(SEEN_MS)
    expect(await mdnsPeers(daemon)).toEqual([])
    // The host has withdrawn its last service with a goodbye, so it has left and not failed.
    expect((await mdnsPeers(daemon, 'all')).map(({ id, state }) => `${id} ${state}`)).toContain('laptop.local left')
    expect(peersWithEvent(events, 'peer-failed', from)).toEqual([])
  })

  it('resolve finds cached hosts, queries for others, and fails for an unknown host', async () => {
    await using avahi = await printer.avahi()
    expect(await output(desk, 'resolve', 'printer.local')).toBe(`${printer.address()}\n`)
    expect(await output(desk, 'resolve', 'PRINTER.local', '-6')).toBe(`${printer.linkLocal()}%eth0\n`)
    await avahi.publish('Office', '_ipp._tcp', 631)
    await waitForServiceEvent(events, 'service-up', 'Office', { from: 0 })
    expect(await output(desk, 'resolve', 'printer.local', '--service', 'ipp')).toBe(`${printer.address()}:631\n`)
    const began = performance.now()
    const { hostname } = await mdnsStatus(daemon)
    expect(await output(desk, 'resolve', hostname, '-4')).toBe(`${desk.address()}\n`)
    expect(await desk.cli('resolve', 'nobody.local')).toMatchObject({ code: 1, stdout: '' })
    expect(performance.now() - began).toBeLessThan(10_000)
  })

  it('finds services of unknown types with mdns.browse = "*"', async () => {
    await using avahi = await printer.avahi()
    await avahi.publish('Strange', '_nobody-knows._tcp', 4711)
    await daemon.stop()
    const curious = await desk.daemon({ name: 'curious', args: ['--mdns-browse', '*'] })
    const began = performance.now()
    await expect.poll(() => mdnsPeers(curious), { timeout: 10_000 }).toHaveLength(1)
    console.info(`an unknown type was found ${(performance.now() - began).toFixed(0)} ms after the start`)
    expect((await mdnsPeers(curious)).map(({ services }) => services.map(({ type }) => type))).toEqual([
      ['_nobody-knows._tcp'],
    ])
    await curious.stop()
  })
})
