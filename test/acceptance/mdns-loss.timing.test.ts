import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { type BrowseLine, describeMdnsLab, type Host, Lab, type Sniffer } from '../lab/index.ts'
import { peersWithEvent, start } from './daemons.ts'
import {
  MDNS_PORT,
  openEvents,
  register,
  waitForServiceEvent,
  waitUntilPublished,
  withdraw,
  zeroconfService,
} from './mdns.ts'
import { isGoodbye } from './mdns-messages.ts'

/** Limit for changes that take up to 2 s on a network without loss, ms. */
const LIMIT_MS = 10_000
const NAMES = ['One', 'Two', 'Three', 'Four']

/** Whether a goodbye for the instance has reached the host over IPv4 and over IPv6. All goodbyes may be lost. */
function goodbyes(sniffer: Sniffer, name: string): { IPv4: boolean; IPv6: boolean } {
  const received = sniffer.datagrams.filter((datagram) => !datagram.outgoing && isGoodbye(datagram, name))
  const by = (isIt: boolean) => received.some(({ src }) => src.includes(':') === isIt)
  return { IPv4: by(false), IPv6: by(true) }
}

/** Adds hosts that lose 30 % of their incoming mDNS datagrams. */
async function addLossyHosts(lab: Lab, names: string[]): Promise<Host[]> {
  const hosts = await lab.hosts(names, [await lab.network('lan')])
  await Promise.all(hosts.map((host) => host.drop(30, { port: MDNS_PORT })))
  return hosts
}

/** Ends the services one by one, so that each has a separate goodbye. Returns `performance.now()` of each end. */
async function endOneByOne(end: (name: string) => Promise<unknown>): Promise<number[]> {
  const ended: number[] = []
  for (const name of NAMES) {
    ended.push(performance.now())
    await end(name)
    await sleep(1500)
  }
  await sleep(LIMIT_MS - 1500)
  return ended
}

describeMdnsLab('a network that loses 30 % of all mDNS datagrams', () => {
  // Sometimes (0.8 %) all four announcements over one IP version are lost. Avahi separates the versions and then lists
  // the service for the other version only. The test counts a service as seen if either version lists it.
  it.concurrent('other programs see published services and their end within 10 s', async () => {
    await using lab = await Lab.create()
    const [kitchen, desk, laptop] = await addLossyHosts(lab, ['kitchen', 'desk', 'laptop'])
    if (!kitchen || !desk || !laptop) throw new Error('no hosts')
    const [daemon, avahi, zeroconf] = await Promise.all([start(kitchen), desk.avahi(), laptop.zeroconf()])
    await using browser = await avahi.watch('_http._tcp')
    await zeroconf.browse('_http._tcp')
    const atDesk = await desk.sniff({ port: MDNS_PORT })
    const atLaptop = await laptop.sniff({ port: MDNS_PORT })
    const began = performance.now()
    await Promise.all(NAMES.map((name) => register(daemon, name, { name, type: 'http', port: 80, txt: { k: name } })))
    const isSeen = (line: BrowseLine, name: string) =>
      line.change === 'resolved' && line.name === name && line.port === 80 && line.txt.includes(`k=${name}`)
    const seen = await Promise.all(
      NAMES.flatMap((name) => [
        browser.waitFor((line) => isSeen(line, name), 2 * LIMIT_MS),
        zeroconf.waitFor((event) => event.event === 'resolved' && event.name === name, 2 * LIMIT_MS),
      ]),
    )
    const latest = Math.max(...seen.map(({ at }) => at)) - began
    console.info(`all services were seen ${latest.toFixed(0)} ms after they were published`)
    expect(latest).toBeLessThan(LIMIT_MS)

    await waitUntilPublished(daemon)
    const isKnown = (name: string, protocol: string) =>
      browser.lines.some((line) => line.change === 'new' && line.name === name && line.protocol === protocol)
    const ended = await endOneByOne((name) => withdraw(daemon, name))
    const late: number[] = []
    for (const [index, name] of NAMES.entries()) {
      const arrived = goodbyes(atDesk, name)
      const gone = (['IPv4', 'IPv6'] as const)
        .filter((protocol) => arrived[protocol] && isKnown(name, protocol))
        .map((protocol) =>
          browser.lines.find((line) => line.change === 'gone' && line.name === name && line.protocol === protocol),
        )
      const { IPv4, IPv6 } = goodbyes(atLaptop, name)
      const removed = zeroconf.events.find((event) => event.event === 'removed' && event.name === name)
      const ends = [...gone, ...(IPv4 || IPv6 ? [removed] : [])]
      late.push(...ends.map((end) => (end?.at ?? Number.POSITIVE_INFINITY) - (ended[index] ?? 0)))
    }
    console.info(
      `${late.length} of ${3 * NAMES.length} ends were seen, after at most ${Math.max(...late).toFixed(0)} ms`,
    )
    expect(late.length).toBeGreaterThan(2 * NAMES.length)
    expect(Math.max(...late)).toBeLessThan(LIMIT_MS)
  })

  it.concurrent('the daemon sees services of other programs, their changes and their end within 10 s', async () => {
    await using lab = await Lab.create()
    const [desk, printer, laptop] = await addLossyHosts(lab, ['desk', 'printer', 'laptop'])
    if (!desk || !printer || !laptop) throw new Error('no hosts')
    const [daemon, avahi, zeroconf] = await Promise.all([start(desk), printer.avahi(), laptop.zeroconf()])
    using events = await openEvents(daemon)
    const sniffer = await desk.sniff({ port: MDNS_PORT })
    const shop = zeroconfService(laptop, { name: 'Shop', type: '_http._tcp', port: 80, txt: { path: '/' } })
    const offered = await Promise.all(
      NAMES.map((name) => avahi.publish(name, '_ipp._tcp', 631, { txt: [`k=${name}`] })),
    )
    const began = performance.now()
    await zeroconf.publish(shop)
    const options = { timeoutMs: 2 * LIMIT_MS }
    const known = await Promise.all(
      [...NAMES, 'Shop'].map((name) => waitForServiceEvent(events, 'service-up', name, options)),
    )
    const latest = Math.max(...known.map(({ receivedAt }) => receivedAt)) - began
    const updated = performance.now()
    await zeroconf.update({ ...shop, txt: { path: '/new' } })
    const wanted = ({ txt }: { txt: Record<string, string> }) => txt['path'] === '/new'
    const changed =
      (await waitForServiceEvent(events, 'service-update', 'Shop', { ...options, wanted })).receivedAt - updated
    console.info(`all services were seen after ${latest.toFixed(0)} ms, a change after ${changed.toFixed(0)} ms`)
    expect(latest).toBeLessThan(LIMIT_MS)
    expect(changed).toBeLessThan(LIMIT_MS)

    const withdrawn = performance.now()
    await zeroconf.withdraw(shop)
    const ended = await endOneByOne(async (name) => offered[NAMES.indexOf(name)]?.kill('SIGTERM'))
    const late: number[] = []
    for (const [name, at] of [
      ['Shop', withdrawn] as const,
      ...NAMES.map((name, index) => [name, ended[index] ?? 0] as const),
    ]) {
      const { IPv4, IPv6 } = goodbyes(sniffer, name)
      if (!IPv4 && !IPv6) continue
      const down = await waitForServiceEvent(events, 'service-down', name, { timeoutMs: 100 })
      late.push(down.receivedAt - at)
    }
    console.info(
      `${late.length} of ${NAMES.length + 1} ends were seen, after at most ${Math.max(...late).toFixed(0)} ms`,
    )
    expect(late.length).toBeGreaterThan(1)
    expect(Math.max(...late)).toBeLessThan(LIMIT_MS)
    for (const type of ['peer-suspect', 'peer-failed']) expect(peersWithEvent(events, type)).toEqual([])
  })
})
