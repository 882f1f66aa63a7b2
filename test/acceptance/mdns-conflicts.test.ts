import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import { type Daemon, describeMdnsLab, Lab, type Network } from '../lab/index.ts'
import { logEntries, startAll } from './daemons.ts'
import { MDNS_PORT, mdnsStatus, register, waitUntilPublished } from './mdns.ts'
import { GROUP4, question } from './mdns-messages.ts'

/** Time without any change after the names are resolved, ms. */
const STABLE_MS = 60_000

/** The mDNS instance name of the daemon's service. */
async function nameOf(daemon: Daemon, id: string): Promise<string | undefined> {
  return (await mdnsStatus(daemon)).publications.find((publication) => publication.id === id)?.name
}

describeMdnsLab('a conflict between two equal mDNS names', () => {
  it.concurrent('of earshot and Avahi: one keeps the name, the other becomes (2), both are reachable and stable', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const hosts = await lab.hosts(['a', 'b', 'c', 'd'], [lan])
    const [a, b, c, d] = hosts
    if (!a || !b || !c || !d) throw new Error('no hosts')
    const [[one, two], holder, watcher] = await Promise.all([startAll([a, b]), c.avahi(), d.avahi()])
    if (!one || !two) throw new Error('no daemons')
    await using browser = await watcher.watch('_http._tcp')
    // First conflicts: earshot publishes a name of Avahi, and Avahi publishes a name of earshot.
    await holder.publish('Lamp', '_http._tcp', 1)
    await Promise.all([register(one, 'lamp', http('Lamp', 2)), register(one, 'desk', http('Desk', 3))])
    await waitUntilPublished(one)
    const published = await holder.publish('Other', '_http._tcp', 9)
    const late = c.spawn('avahi-publish-service', ['Desk', '_http._tcp', '4'])
    // Simultaneous conflicts: between earshot and Avahi, and between two earshot daemons.
    await Promise.all([
      register(one, 'shop', http('Shop', 5)),
      register(two, 'shop', http('Shop', 6)),
      register(two, 'both', http('Both', 7)),
      c.spawn('avahi-publish-service', ['Both', '_http._tcp', '8']),
    ])
    await (await late).waitForLine(/Name collision, picking new name 'Desk #2'|Established under name 'Desk #2'/)
    await Promise.all([waitUntilPublished(one), waitUntilPublished(two)])
    // Waits for the last announcements of the newest name.
    await sleep(5000)

    expect(await nameOf(one, 'lamp')).toBe('Lamp (2)')
    expect(await nameOf(one, 'desk')).toBe('Desk')
    const shops = [await nameOf(one, 'shop'), await nameOf(two, 'shop')]
    expect(shops.toSorted()).toEqual(['Shop', 'Shop (2)'])
    const both = await nameOf(two, 'both')
    expect(['Both', 'Both (2)']).toContain(both)
    expect(logEntries(one, /another host has the name 'Lamp': publishing as 'Lamp \(2\)' instead/)).toHaveLength(1)
    const wanted = [
      ...['Lamp 1', 'Lamp (2) 2', 'Desk 3', 'Desk #2 4', 'Other 9'],
      ...shops.map((name, index) => `${name} ${5 + index}`),
      ...[`${both} 7`, `${both === 'Both' ? 'Both #2' : 'Both'} 8`],
    ].sort()
    const reachable = async () => {
      const lines = await watcher.browse('_http._tcp')
      return [...new Set(lines.map(({ name, port }) => `${name} ${port}`))].sort()
    }
    await vi.waitFor(async () => expect(await reachable()).toEqual(wanted), { timeout: 10_000 })

    const [from, lines] = [browser.lines.length, published.lines.items.length]
    await using tap = await lan.sniff({ port: MDNS_PORT })
    await sleep(STABLE_MS)
    expect(browser.lines.slice(from).filter(({ change }) => change !== 'resolved')).toEqual([])
    expect(published.lines.items.slice(lines)).toEqual([])
    expect([await nameOf(one, 'shop'), await nameOf(two, 'shop')]).toEqual(shops)
    expect(await nameOf(one, 'lamp')).toBe('Lamp (2)')
    expect(await reachable()).toEqual(wanted)
    // A probe (a query with an authority section) would mean that a name is in conflict.
    const probes = tap.datagrams.filter(({ hex }) => hex.slice(4, 8) === '0000' && hex.slice(16, 20) !== '0000')
    expect(probes).toEqual([])
  })

  it.concurrent('of two daemons on networks that are joined later', async () => {
    await using lab = await Lab.create()
    const lan: Network = await lab.network('lan')
    const [a, b, c] = await lab.hosts(['a', 'b', 'c'], [lan])
    if (!a || !b || !c) throw new Error('no hosts')
    await lan.partition([a, c], [b])
    const [[one, two], avahi] = await Promise.all([startAll([a, b]), c.avahi()])
    if (!one || !two) throw new Error('no daemons')
    await Promise.all([register(one, 'shop', http('Shop', 5)), register(two, 'shop', http('Shop', 6))])
    await Promise.all([waitUntilPublished(one), waitUntilPublished(two)])
    expect([await nameOf(one, 'shop'), await nameOf(two, 'shop')]).toEqual(['Shop', 'Shop'])
    // Longer than the announcements take.
    await sleep(8000)
    await lan.heal()
    const healed = performance.now()
    // The conflict shows only when a question is asked.
    await c.inject({
      src: c.address(),
      dst: GROUP4,
      payload: question('_http._tcp'),
      sport: MDNS_PORT,
      dport: MDNS_PORT,
    })
    const names = async () => [await nameOf(one, 'shop'), await nameOf(two, 'shop')].toSorted()
    await vi.waitFor(async () => expect(await names()).toEqual(['Shop', 'Shop (2)']), { timeout: 20_000, interval: 20 })
    console.info(`the conflict was resolved ${(performance.now() - healed).toFixed(0)} ms after the question`)
    await Promise.all([waitUntilPublished(one), waitUntilPublished(two)])
    // Two names, each on both IP versions.
    await vi.waitFor(async () => expect(await avahi.browse('_http._tcp')).toHaveLength(4), { timeout: 20_000 })
    await sleep(15_000)
    expect(await names()).toEqual(['Shop', 'Shop (2)'])
    expect([one, two].flatMap((daemon) => logEntries(daemon, 'another host has the name'))).toHaveLength(1)
  })
})

function http(name: string, port: number): object {
  return { name, type: 'http', port }
}
