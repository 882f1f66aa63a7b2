import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Peer } from '../../src/shared/api.ts'
import { type Daemon, describeMdnsLab, Lab } from '../lab/index.ts'
import { getPeer, peerEvents, start, waitUntilAllAlive } from './daemons.ts'
import { DaemonMonitor } from './event-load.ts'
import {
  MDNS_PORT,
  mdnsPeers,
  mdnsStatus,
  nonJsonLines,
  openEvents,
  waitForServiceEvent,
  zeroconfService,
} from './mdns.ts'
import { announcement, GROUP4 } from './mdns-messages.ts'
import { type SpoofedDatagram, sendSpoofed } from './spoofed-datagrams.ts'

const PER_SECOND = 5000
const SECONDS = 30
const SENDERS = 20
/** TTL of the fake records, s. */
const TTL = 15
const MIB = 1024 * 1024
/** A small heap limit, because Node.js collects garbage late if memory is free. A daemon that leaks would crash. */
const SMALL_HEAP = { NODE_OPTIONS: '--max-old-space-size=128' }

/** Fake services: half of them on a new fake host each, the others on two fake hosts, of which one claims `address`. */
function* fakeServices(address: string): Iterable<SpoofedDatagram> {
  for (let i = 0; i < PER_SECOND * SECONDS; i++) {
    const src = `10.77.9.${1 + (i % SENDERS)}`
    const [hostname, at] =
      i % 2 === 0 ? [`h${i}.local`, src] : i % 4 === 1 ? ['many.local', src] : ['liar.local', address]
    const txt = [`text=${'x'.repeat(200)}`]
    const payload = announcement({ name: `s${i}`, type: '_http._tcp', hostname, address: at, ttl: TTL, txt })
    yield { src, dst: GROUP4, port: MDNS_PORT, payload }
  }
}

/** CPU time that a daemon uses in 5 s, ms. */
async function idleCpuTime({ process }: Daemon): Promise<number> {
  const before = process.cpuTime()
  await sleep(5000)
  return process.cpuTime() - before
}

describeMdnsLab('5,000 fake mDNS services per second for 30 s', () => {
  it('keep the registry bounded and the CPU free, and do not affect beaconing peers and real devices', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan', { ipv4: '10.77.0.0/16' })
    const [desk, kitchen, studio, laptop, intruder] = await lab.hosts(
      ['desk', 'kitchen', 'studio', 'laptop', 'intruder'],
      [lan],
    )
    if (!desk || !kitchen || !studio || !laptop || !intruder) throw new Error('no hosts')
    const [daemons, zeroconf] = await Promise.all([
      Promise.all([start(desk, { env: SMALL_HEAP }), start(kitchen), start(studio)]),
      laptop.zeroconf(),
    ])
    const [target, ...others] = daemons
    if (!target) throw new Error('no daemon')
    await waitUntilAllAlive([target, ...others])
    const shop = zeroconfService(laptop, { name: 'Real', type: '_http._tcp', port: 80, txt: {} })
    using events = await openEvents(target)
    await zeroconf.publish(shop)
    await waitForServiceEvent(events, 'service-up', 'Real')
    // Only one daemon is tested. The other programs do not receive the flood, to save CPU time.
    const dropMdns = (percent: number) =>
      Promise.all([kitchen, studio, laptop].map((host) => host.drop(percent, { port: MDNS_PORT })))
    await dropMdns(100)
    const idle = await idleCpuTime(target)
    const warm = target.process.rss()
    const [used, flooded] = [target.process.cpuTime(), performance.now()]

    const monitor = new DaemonMonitor(target)
    await sendSpoofed(intruder, fakeServices(kitchen.address()), PER_SECOND)
    await monitor[Symbol.asyncDispose]()
    const { slowest, rss } = monitor
    const took = performance.now() - flooded
    await dropMdns(0)
    const share = (target.process.cpuTime() - used) / took
    const { limits, counters } = await mdnsStatus(target)
    const found = await mdnsPeers(target, 'all')
    const present = await target.peers()
    console.info(
      `in ${(took / 1000).toFixed(0)} s: ${JSON.stringify(limits)}, ${JSON.stringify(counters)}, ${found.length} hosts, ` +
        `memory +${((rss - warm) / MIB).toFixed(1)} MiB on ${(warm / MIB).toFixed(0)}, ` +
        `CPU ${(100 * share).toFixed(0)} %, responses in ${slowest.toFixed(0)} ms`,
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
    // A beaconing peer must not get all fake services that claim its address.
    expect((await getPeer(target, 'kitchen')).services.length).toBeLessThanOrEqual(1024)
    const known = ['kitchen', 'studio', 'laptop']
    const unexpected = peerEvents(events).filter(
      ({ type, peer }) => known.includes(peer.name) && /suspect|failed|left/.test(type),
    )
    expect(unexpected.map(({ type, peer }) => `${type} ${peer.name}`)).toEqual([])

    // All fake services expire with their TTL, and the real ones are still listed.
    await sleep(TTL * 1000)
    await expect
      .poll(async () => (await target.peers('state=alive')).map(({ name }) => name).sort(), { timeout: 10_000 })
      .toEqual([...known].sort())
    const idleAfter = await idleCpuTime(target)
    console.info(`idle: ${idle} ms of CPU time in 5 s before, ${idleAfter} ms after`)
    expect(idleAfter).toBeLessThan(idle + 500)
    await zeroconf.publish({ ...shop, name: 'Another' })
    await waitForServiceEvent(events, 'service-up', 'Another')
    expect((await mdnsStatus(target)).limits.hosts.now).toBeLessThan(10)
    for (const daemon of [target, ...others]) expect(nonJsonLines(daemon)).toEqual([])
  }, 400_000)
})

function stateOf({ name, state }: Peer): string {
  return `${name} ${state}`
}
