import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeMdnsLab, Lab } from '../lab/index.ts'
import { live, offerOf, serviceTold } from './mdns.ts'
import { look, nextEvent, start, told } from './measure.ts'

/** Of the address and SRV records of Avahi, s. */
const TTL = 120

describeMdnsLab('a host that dies without a word', () => {
  it.concurrent('goes suspect, then fails, by the TTL of its records; one that lives is asked, and stays', async () => {
    await using lab = await Lab.create()
    const [desk, printer, living] = await lab.hosts(['desk', 'printer', 'living'], [await lab.network('lan')])
    if (!desk || !printer || !living) throw new Error('no hosts')
    const [daemon, dying, staying] = await Promise.all([start(desk), printer.avahi(), living.avahi()])
    using events = await live(daemon)
    await Promise.all([dying.publish('Office', '_ipp._tcp', 631), staying.publish('Lounge', '_http._tcp', 80)])
    await Promise.all(['Office', 'Lounge'].map((name) => serviceTold(events, 'service-up', name)))
    // Its last announcements.
    await sleep(5000)
    await dying.kill()
    const killed = Date.now()

    const suspect = await nextEvent(events, 'peer-suspect', 'printer', { timeoutMs: (TTL + 5) * 1000 })
    const failed = await nextEvent(events, 'peer-failed', 'printer', { timeoutMs: (TTL + 5) * 1000 })
    await serviceTold(events, 'service-down', 'Office')
    const lastSeen = Date.parse(failed.peer.lastSeen)
    const [doubted = 0, given = 0] = [suspect, failed].map(({ at }) => (Date.parse(at) - lastSeen) / 1000)
    console.info(`suspect ${doubted.toFixed(1)} s, failed ${given.toFixed(1)} s after its last word`)
    expect(lastSeen).toBeLessThan(killed + 1000)
    expect(doubted).toBeGreaterThan(0.8 * TTL)
    expect(doubted).toBeLessThan(0.9 * TTL)
    expect(given).toBeGreaterThan(TTL - 2)
    expect(given).toBeLessThan(TTL + 3)

    // Heard for the last time when the other was, but for the answers that it gave when asked.
    const { state, lastSeen: heard } = await look(daemon, 'living.local')
    expect(state).toBe('alive')
    expect(Date.now() - Date.parse(heard)).toBeLessThan(0.9 * TTL * 1000)
    for (const type of ['peer-suspect', 'peer-failed']) expect(told(events, type)).toEqual(['printer'])
  }, 240_000)

  it.concurrent('goes by the TTL that its records have, and not before: it is asked', async () => {
    await using lab = await Lab.create()
    const [desk, laptop] = await lab.hosts(['desk', 'laptop'], [await lab.network('lan')])
    if (!desk || !laptop) throw new Error('no hosts')
    const daemon = await start(desk)
    using events = await live(daemon)
    const ttl = 10
    const zeroconf = await laptop.zeroconf()
    const from = events.events.length
    const ring = offerOf(laptop, { name: 'Ring', type: '_http._tcp', port: 80, txt: {} })
    await zeroconf.publish({ ...ring, hostTtl: ttl })
    await serviceTold(events, 'service-up', 'Ring', { from })
    // Its records would have run out, had nobody asked for them.
    await sleep(1.6 * ttl * 1000)
    const alive = await look(daemon, 'laptop.local')
    expect(alive.state).toBe('alive')
    expect(Date.now() - Date.parse(alive.lastSeen)).toBeLessThan(ttl * 1000)
    expect(told(events, 'peer-suspect', from)).toEqual([])

    await zeroconf.kill()
    const wish = { from, timeoutMs: 2 * ttl * 1000 }
    const suspect = await nextEvent(events, 'peer-suspect', 'laptop', wish)
    const failed = await nextEvent(events, 'peer-failed', 'laptop', wish)
    const after = [suspect, failed].map(({ at }) => (Date.parse(at) - Date.parse(failed.peer.lastSeen)) / 1000)
    console.info(`suspect and failed ${after.map((s) => s.toFixed(1)).join(' and ')} s after its last word`)
    const [doubted = 0, given = 0] = after
    expect(doubted).toBeGreaterThan(0.7 * ttl)
    expect(doubted).toBeLessThan(0.95 * ttl)
    expect(given).toBeGreaterThan(0.95 * ttl)
    expect(given).toBeLessThan(ttl + 3)
    await serviceTold(events, 'service-down', 'Ring', { from })
  }, 90_000)
})
