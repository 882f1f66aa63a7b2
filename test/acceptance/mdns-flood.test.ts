import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Peer } from '../../src/shared/api.ts'
import { type Daemon, describeMdnsLab, Lab } from '../lab/index.ts'
import { Watch } from './crowd.ts'
import { brokenLines, foundByMdns, live, MDNS_PORT, mdnsOf, offerOf, serviceTold } from './mdns.ts'
import { announcement, GROUP4 } from './mdns-messages.ts'
import { acquainted, look, peerEvents, start } from './measure.ts'
import { type Forgery, spray } from './spray.ts'

const PER_SECOND = 5000
const SECONDS = 30
const SENDERS = 20
/** Of what is made up, s. */
const TTL = 15
const MIB = 1024 * 1024
/** Node leaves garbage about as long as there is room: with so little, one that held on to more would end. */
const LITTLE_HEAP = { NODE_OPTIONS: '--max-old-space-size=128' }

/** Services that nobody offers, half of them on hosts that nobody has, half on two hosts; one says that it is at `address`. */
function* madeUp(address: string): Iterable<Forgery> {
  for (let i = 0; i < PER_SECOND * SECONDS; i++) {
    const src = `10.77.9.${1 + (i % SENDERS)}`
    const [hostname, at] =
      i % 2 === 0 ? [`h${i}.local`, src] : i % 4 === 1 ? ['many.local', src] : ['liar.local', address]
    const txt = [`text=${'x'.repeat(200)}`]
    const payload = announcement({ name: `s${i}`, type: '_http._tcp', hostname, address: at, ttl: TTL, txt })
    yield { src, dst: GROUP4, port: MDNS_PORT, payload }
  }
}

/** Processor time that a daemon uses in 5 s, ms. */
async function idleTime({ process }: Daemon): Promise<number> {
  const before = process.cpuTime()
  await sleep(5000)
  return process.cpuTime() - before
}

describeMdnsLab('5,000 made-up services a second for 30 s', () => {
  it('leave the registry bounded, beaconing peers and real devices as they were, and the processor free', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan', { ipv4: '10.77.0.0/16' })
    const [desk, kitchen, studio, laptop, intruder] = await lab.hosts(
      ['desk', 'kitchen', 'studio', 'laptop', 'intruder'],
      [lan],
    )
    if (!desk || !kitchen || !studio || !laptop || !intruder) throw new Error('no hosts')
    const [daemons, zeroconf] = await Promise.all([
      Promise.all([start(desk, { env: LITTLE_HEAP }), start(kitchen), start(studio)]),
      laptop.zeroconf(),
    ])
    const [target, ...others] = daemons
    if (!target) throw new Error('no daemon')
    await acquainted([target, ...others])
    const shop = offerOf(laptop, { name: 'Real', type: '_http._tcp', port: 80, txt: {} })
    using events = await live(target)
    await zeroconf.publish(shop)
    await serviceTold(events, 'service-up', 'Real')
    // One is tried: the others would only take its processor time.
    const deaf = (percent: number) =>
      Promise.all([kitchen, studio, laptop].map((host) => host.drop(percent, { port: MDNS_PORT })))
    await deaf(100)
    const idle = await idleTime(target)
    const warm = target.process.rss()
    const [used, flooded] = [target.process.cpuTime(), performance.now()]

    const watch = new Watch(target)
    await spray(intruder, madeUp(kitchen.address()), PER_SECOND)
    await watch[Symbol.asyncDispose]()
    const { slowest, rss } = watch
    const took = performance.now() - flooded
    await deaf(0)
    const share = (target.process.cpuTime() - used) / took
    const { limits, counters } = await mdnsOf(target)
    const found = await foundByMdns(target, 'all')
    const present = await target.peers()
    console.info(
      `in ${(took / 1000).toFixed(0)} s: ${JSON.stringify(limits)}, ${JSON.stringify(counters)}, ${found.length} hosts, ` +
        `memory +${((rss - warm) / MIB).toFixed(1)} MiB on ${(warm / MIB).toFixed(0)}, ` +
        `processor ${(100 * share).toFixed(0)} %, answers in ${slowest.toFixed(0)} ms`,
    )
    for (const { now, most } of Object.values(limits)) expect(now).toBeLessThanOrEqual(most)
    expect(found.length).toBeLessThanOrEqual(limits.hosts.most)
    expect(target.process.running).toBe(true)
    expect(rss - warm).toBeLessThan(120 * MIB)
    expect(
      present
        .filter(({ source }) => source === 'beacon')
        .map(stateOf)
        .sort(),
    ).toEqual(['kitchen alive', 'studio alive'])
    expect(present.map(stateOf)).toContain('laptop alive')
    // Who beacons is not laden with what others say is at its address.
    expect((await look(target, 'kitchen')).services.length).toBeLessThanOrEqual(1024)
    const known = ['kitchen', 'studio', 'laptop']
    const doubted = peerEvents(events).filter(
      ({ type, peer }) => known.includes(peer.name) && /suspect|failed|left/.test(type),
    )
    expect(doubted.map(({ type, peer }) => `${type} ${peer.name}`)).toEqual([])

    // All that was made up goes by its TTL, and what is real is seen again.
    await sleep(TTL * 1000)
    await expect
      .poll(async () => (await target.peers('state=alive')).map(({ name }) => name).sort(), { timeout: 10_000 })
      .toEqual([...known].sort())
    const calm = await idleTime(target)
    console.info(`idle: ${idle} ms of processor time in 5 s before, ${calm} ms after`)
    expect(calm).toBeLessThan(idle + 500)
    await zeroconf.publish({ ...shop, name: 'Another' })
    await serviceTold(events, 'service-up', 'Another')
    expect((await mdnsOf(target)).limits.hosts.now).toBeLessThan(10)
    for (const daemon of [target, ...others]) expect(brokenLines(daemon)).toEqual([])
  }, 240_000)
})

function stateOf({ name, state }: Peer): string {
  return `${name} ${state}`
}
