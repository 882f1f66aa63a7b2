import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeMdnsLab, Lab } from '../lab/index.ts'
import { Watch } from './crowd.ts'
import { announced, brokenLines, live, MDNS_PORT, mdnsOf, offerOf, register, serviceTold } from './mdns.ts'
import { announcement, GROUP4, GROUP6, question } from './mdns-messages.ts'
import { acquainted, logged, peerEvents, startAll } from './measure.ts'
import { Dice, mutatedDatagram } from './mutation.ts'
import { type Forgery, spray } from './spray.ts'

const COUNT = 200_000
/** So many of them the daemon has to take in, in so many rounds at most. */
const WANTED = 0.7 * COUNT
const MOST_ROUNDS = 4
/** As many as the daemon decodes; of so many senders that it does so for each. */
const PER_SECOND = 2800
const SENDERS = 50
const MIB = 1024 * 1024

describeMdnsLab('200,000 mutated mDNS messages', () => {
  it('end no daemon, break no line of its log, and leave everyone in peace', async () => {
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
    await acquainted([target, other])
    using events = await live(target)
    // Messages of all kinds of programs: probes, announcements, questions with known answers, goodbyes.
    await register(other, 'shop', { name: 'Sh.op ü', type: 'http', port: 80, txt: { a: 'b' }, subtypes: ['fresh'] })
    const office = await avahi.publish('Office', '_ipp._tcp', 631, {
      txt: ['a=b'],
      subtypes: ['_color._sub._ipp._tcp'],
    })
    const ring = offerOf(laptop, { name: 'Ring', type: '_http._tcp', port: 80, txt: { k: 'v' } })
    await zeroconf.browse('_http._tcp')
    await zeroconf.publish(ring)
    await serviceTold(events, 'service-up', 'Ring')
    await avahi.browse('_http._tcp')
    await zeroconf.withdraw(ring)
    await office.kill('SIGTERM')
    await announced(other)
    await sleep(2000)
    await tap.close()
    // It is not they who are tried.
    const deaf = (percent: number) =>
      Promise.all([printer, laptop].map((host) => host.drop(percent, { port: MDNS_PORT })))
    await deaf(100)
    const real = [
      ...tap.datagrams.map(({ hex }) => Buffer.from(hex, 'hex')),
      question('_http._tcp'),
      announcement({ name: 'x', type: '_http._tcp', hostname: 'x.local', address: '10.77.0.9', ttl: 5 }),
    ]
    const dice = new Dice(5)
    const nonsense = function* (): Iterable<Forgery> {
      for (let i = 0; i < COUNT; i++) {
        const payload = mutatedDatagram(dice, real)
        const sender = 1 + dice.below(SENDERS)
        if (dice.below(2) === 0) yield { src: `10.77.9.${sender}`, dst: GROUP4, port: MDNS_PORT, payload }
        else yield { src: `fe80::9:${sender}`, dst: GROUP6, port: MDNS_PORT, payload }
      }
    }
    const from = events.events.length
    const before = (await mdnsOf(target)).counters
    const received = async () => (await mdnsOf(target)).counters.received - before.received
    const warm = target.process.rss()
    let slowest = 0
    let rss = 0
    {
      await using watch = new Watch(target)
      await spray(intruder, nonsense(), PER_SECOND)
      // The kernel drops what a daemon without processor time does not fetch: as much is sent again.
      for (let round = 1; round < MOST_ROUNDS && (await received()) < WANTED; round++) {
        await spray(intruder, nonsense(), PER_SECOND)
      }
      ;({ slowest, rss } = watch)
    }
    const { counters } = await mdnsOf(target)
    console.info(
      `${real.length} real messages, heard ${counters.received - before.received}, dropped ${counters.dropped - before.dropped}, ` +
        `memory +${((rss - warm) / MIB).toFixed(1)} MiB on ${(warm / MIB).toFixed(0)}, answers in ${slowest.toFixed(0)} ms`,
    )
    expect(counters.received - before.received).toBeGreaterThanOrEqual(WANTED)
    // None was passed over for being too many: all were looked into.
    expect(logged(target, 'too much mDNS data')).toEqual([])
    expect(rss - warm).toBeLessThan(120 * MIB)
    for (const daemon of [target, other]) {
      expect(daemon.process.running).toBe(true)
      expect(brokenLines(daemon)).toEqual([])
      expect(daemon.log.filter(({ level }) => Number(level) >= 50)).toEqual([])
    }
    expect(target.process.stderr).toEqual([])
    const lost = peerEvents(events, from).filter(
      ({ type, peer }) => peer.name === 'kitchen' && /suspect|failed|left/.test(type),
    )
    expect(lost).toEqual([])
    // It goes on seeing and being seen.
    await deaf(0)
    await avahi.publish('Still here', '_ipp._tcp', 631)
    await serviceTold(events, 'service-up', 'Still here')
    await register(target, 'own', { name: 'Own', type: 'printer', port: 515 })
    await expect.poll(async () => (await avahi.browse('_printer._tcp')).length, { timeout: 15_000 }).toBe(2)
  }, 480_000)
})
