import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeMdnsLab, Lab } from '../lab/index.ts'
import { logEntries, peerEvents, startAll, waitUntilAllAlive } from './daemons.ts'
import { DaemonMonitor } from './event-load.ts'
import { mutatedDatagram, SeededRandom } from './fuzz-data.ts'
import {
  MDNS_PORT,
  mdnsStatus,
  nonJsonLines,
  openEvents,
  register,
  waitForServiceEvent,
  waitUntilPublished,
  zeroconfService,
} from './mdns.ts'
import { announcement, GROUP4, GROUP6, question } from './mdns-messages.ts'
import { type SpoofedDatagram, sendSpoofed } from './spoofed-datagrams.ts'

const COUNT = 200_000
/** Number of messages that the daemon must receive, within `MAX_ROUNDS` rounds. */
const MIN_RECEIVED = 0.7 * COUNT
const MAX_ROUNDS = 4
/** The daemon's decode limit. There are enough senders to stay below its limit per sender. */
const PER_SECOND = 2800
const SENDERS = 50
const MIB = 1024 * 1024

describeMdnsLab('200,000 mutated mDNS messages', () => {
  it('crash no daemon, corrupt no log line, and affect no peer', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan', { ipv4: '10.77.0.0/16' })
    const [desk, kitchen, printer, laptop, intruder] = await lab.hosts(
      ['desk', 'kitchen', 'printer', 'laptop', 'intruder'],
      [lan],
    )
    if (!desk || !kitchen || !printer || !laptop || !intruder) throw new Error('no hosts')
    await using tap = await lan.sniff({ port: MDNS_PORT })
    const [daemons, avahi, zeroconf] = await Promise.all([
      startAll([desk, kitchen]),
      printer.avahi(),
      laptop.zeroconf(),
    ])
    const [target, other] = daemons
    if (!target || !other) throw new Error('no daemons')
    await waitUntilAllAlive([target, other])
    using events = await openEvents(target)
    // Captures messages of all programs: probes, announcements, questions with known answers, goodbyes.
    await register(other, 'shop', { name: 'Sh.op ü', type: 'http', port: 80, txt: { a: 'b' }, subtypes: ['fresh'] })
    const office = await avahi.publish('Office', '_ipp._tcp', 631, {
      txt: ['a=b'],
      subtypes: ['_color._sub._ipp._tcp'],
    })
    const ring = zeroconfService(laptop, { name: 'Ring', type: '_http._tcp', port: 80, txt: { k: 'v' } })
    await zeroconf.browse('_http._tcp')
    await zeroconf.publish(ring)
    await waitForServiceEvent(events, 'service-up', 'Ring')
    await avahi.browse('_http._tcp')
    await zeroconf.withdraw(ring)
    await office.kill('SIGTERM')
    await waitUntilPublished(other)
    await sleep(2000)
    await tap.close()
    // Only the daemons are tested, so the other programs do not receive the flood.
    const dropMdns = (percent: number) =>
      Promise.all([printer, laptop].map((host) => host.drop(percent, { port: MDNS_PORT })))
    await dropMdns(100)
    const real = [
      ...tap.datagrams.map(({ hex }) => Buffer.from(hex, 'hex')),
      question('_http._tcp'),
      announcement({ name: 'x', type: '_http._tcp', hostname: 'x.local', address: '10.77.0.9', ttl: 5 }),
    ]
    const random = new SeededRandom(5)
    const invalidMessages = function* (): Iterable<SpoofedDatagram> {
      for (let i = 0; i < COUNT; i++) {
        const payload = mutatedDatagram(random, real)
        const sender = 1 + random.below(SENDERS)
        if (random.below(2) === 0) yield { src: `10.77.9.${sender}`, dst: GROUP4, port: MDNS_PORT, payload }
        else yield { src: `fe80::9:${sender}`, dst: GROUP6, port: MDNS_PORT, payload }
      }
    }
    const from = events.events.length
    const before = (await mdnsStatus(target)).counters
    const received = async () => (await mdnsStatus(target)).counters.received - before.received
    const warm = target.process.rss()
    let slowest = 0
    let rss = 0
    {
      await using monitor = new DaemonMonitor(target)
      await sendSpoofed(intruder, invalidMessages(), PER_SECOND)
      // On a busy machine the kernel drops datagrams before the daemon reads them. Then the test sends another round.
      for (let round = 1; round < MAX_ROUNDS && (await received()) < MIN_RECEIVED; round++) {
        await sendSpoofed(intruder, invalidMessages(), PER_SECOND)
      }
      ;({ slowest, rss } = monitor)
    }
    const { counters } = await mdnsStatus(target)
    console.info(
      `${real.length} real messages, received ${counters.received - before.received}, dropped ${counters.dropped - before.dropped}, ` +
        `memory +${((rss - warm) / MIB).toFixed(1)} MiB on ${(warm / MIB).toFixed(0)}, responses in ${slowest.toFixed(0)} ms`,
    )
    expect(counters.received - before.received).toBeGreaterThanOrEqual(MIN_RECEIVED)
    // The rate limit dropped no message: all were decoded.
    expect(logEntries(target, 'too much mDNS data')).toEqual([])
    expect(rss - warm).toBeLessThan(120 * MIB)
    for (const daemon of [target, other]) {
      expect(daemon.process.running).toBe(true)
      expect(nonJsonLines(daemon)).toEqual([])
      expect(daemon.log.filter(({ level }) => Number(level) >= 50)).toEqual([])
    }
    expect(target.process.stderr).toEqual([])
    const lost = peerEvents(events, from).filter(
      ({ type, peer }) => peer.name === 'kitchen' && /suspect|failed|left/.test(type),
    )
    expect(lost).toEqual([])
    // The daemon still discovers services and publishes its own.
    await dropMdns(0)
    await avahi.publish('Still here', '_ipp._tcp', 631)
    await waitForServiceEvent(events, 'service-up', 'Still here')
    await register(target, 'own', { name: 'Own', type: 'printer', port: 515 })
    await expect.poll(async () => (await avahi.browse('_printer._tcp')).length, { timeout: 15_000 }).toBe(2)
  }, 480_000)
})
