import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeLab, Lab } from '../lab/index.ts'
import { live, serviceTold } from './mdns.ts'
import { look, nextEvent, start, told } from './measure.ts'

/** Of the address and SRV records of Avahi, s. */
const TTL = 120

describeLab('an Avahi whose machine dies without a word', () => {
  it('goes suspect, then fails, by the TTL of its records; one that lives is asked, and stays', async () => {
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
})
