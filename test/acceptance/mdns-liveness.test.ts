import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeMdnsLab, Lab } from '../lab/index.ts'
import { getPeer, peersWithEvent, start, waitForPeerEvent } from './daemons.ts'
import { openEvents, waitForServiceEvent, zeroconfService } from './mdns.ts'

/** TTL of Avahi's address and SRV records, s. */
const TTL = 120

describeMdnsLab('an mDNS host that ends without a goodbye', () => {
  it.concurrent('becomes suspect, then failed, by the TTL of its records; a live host is queried and stays', async () => {
    await using lab = await Lab.create()
    const [desk, printer, living] = await lab.hosts(['desk', 'printer', 'living'], [await lab.network('lan')])
    if (!desk || !printer || !living) throw new Error('no hosts')
    const [daemon, dying, staying] = await Promise.all([start(desk), printer.avahi(), living.avahi()])
    using events = await openEvents(daemon)
    await Promise.all([dying.publish('Office', '_ipp._tcp', 631), staying.publish('Lounge', '_http._tcp', 80)])
    await Promise.all(['Office', 'Lounge'].map((name) => waitForServiceEvent(events, 'service-up', name)))
    // Waits for the last announcements.
    await sleep(5000)
    await dying.kill()
    const killed = Date.now()

    const suspect = await waitForPeerEvent(events, 'peer-suspect', 'printer', { timeoutMs: (TTL + 5) * 1000 })
    const failed = await waitForPeerEvent(events, 'peer-failed', 'printer', { timeoutMs: (TTL + 5) * 1000 })
    await waitForServiceEvent(events, 'service-down', 'Office')
    const lastSeen = Date.parse(failed.peer.lastSeen)
    const [suspectAfter = 0, failedAfter = 0] = [suspect, failed].map(({ at }) => (Date.parse(at) - lastSeen) / 1000)
    console.info(`suspect ${suspectAfter.toFixed(1)} s, failed ${failedAfter.toFixed(1)} s after its last message`)
    expect(lastSeen).toBeLessThan(killed + 1000)
    expect(suspectAfter).toBeGreaterThan(0.8 * TTL)
    expect(suspectAfter).toBeLessThan(0.9 * TTL)
    expect(failedAfter).toBeGreaterThan(TTL - 2)
    expect(failedAfter).toBeLessThan(TTL + 3)

    // The live host sent its last announcement at the same time, but it has answered queries since then.
    const { state, lastSeen: heard } = await getPeer(daemon, 'living.local')
    expect(state).toBe('alive')
    expect(Date.now() - Date.parse(heard)).toBeLessThan(0.9 * TTL * 1000)
    for (const type of ['peer-suspect', 'peer-failed']) expect(peersWithEvent(events, type)).toEqual(['printer'])
  }, 400_000)

  it.concurrent('fails by the TTL of its own records, and is queried before', async () => {
    await using lab = await Lab.create()
    const [desk, laptop] = await lab.hosts(['desk', 'laptop'], [await lab.network('lan')])
    if (!desk || !laptop) throw new Error('no hosts')
    const daemon = await start(desk)
    using events = await openEvents(daemon)
    const ttl = 10
    const zeroconf = await laptop.zeroconf()
    const from = events.events.length
    const ring = zeroconfService(laptop, { name: 'Ring', type: '_http._tcp', port: 80, txt: {} })
    await zeroconf.publish({ ...ring, hostTtl: ttl })
    await waitForServiceEvent(events, 'service-up', 'Ring', { from })
    // Without queries its records would have expired.
    await sleep(1.6 * ttl * 1000)
    const alive = await getPeer(daemon, 'laptop.local')
    expect(alive.state).toBe('alive')
    expect(Date.now() - Date.parse(alive.lastSeen)).toBeLessThan(ttl * 1000)
    expect(peersWithEvent(events, 'peer-suspect', from)).toEqual([])

    await zeroconf.kill()
    const options = { from, timeoutMs: 2 * ttl * 1000 }
    const suspect = await waitForPeerEvent(events, 'peer-suspect', 'laptop', options)
    const failed = await waitForPeerEvent(events, 'peer-failed', 'laptop', options)
    const after = [suspect, failed].map(({ at }) => (Date.parse(at) - Date.parse(failed.peer.lastSeen)) / 1000)
    console.info(`suspect and failed ${after.map((s) => s.toFixed(1)).join(' and ')} s after its last message`)
    const [suspectAfter = 0, failedAfter = 0] = after
    expect(suspectAfter).toBeGreaterThan(0.7 * ttl)
    expect(suspectAfter).toBeLessThan(0.95 * ttl)
    expect(failedAfter).toBeGreaterThan(0.95 * ttl)
    expect(failedAfter).toBeLessThan(ttl + 3)
    await waitForServiceEvent(events, 'service-down', 'Ring', { from })
  })
})
