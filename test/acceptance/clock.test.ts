import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Event } from '../../src/client/index.ts'
import { describeLab, Lab } from '../lab/index.ts'
import {
  FAILURE_TIMEOUT_MS,
  getPeer,
  openAllEvents,
  peerEvents,
  peersWithEvent,
  start,
  waitUntilAllAlive,
} from './daemons.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

// The system clock is shared by all processes. This replacement of Date steps for one daemon only: one hour forward at
// SIGUSR2, one day back at SIGWINCH.
const CLOCK = `const Real = Date
let ahead = Number(process.env.CLOCK_AHEAD ?? 0)
globalThis.Date = class extends Real {
  constructor(...parts) { if (parts.length > 0) super(...parts); else super(Real.now() + ahead) }
  static now() { return Real.now() + ahead }
}
process.on('SIGUSR2', () => { ahead += ${HOUR} })
process.on('SIGWINCH', () => { ahead -= ${DAY} })`

const options = (ahead: number) => ({
  env: { CLOCK_AHEAD: String(ahead), NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(CLOCK)}` },
})

describeLab('a wall clock', () => {
  it('can step forward and back and be wrong: no peer fails, and times in the API follow the clock', async () => {
    await using lab = await Lab.create()
    const [a, b] = await lab.hosts(['a', 'b'], [await lab.network('lan')])
    if (!a || !b) throw new Error('no hosts')
    const [stepping, other] = await Promise.all([start(a, options(0)), start(b, options(-DAY))])
    await waitUntilAllAlive([stepping, other], 30_000)
    const streams = await Promise.all([stepping, other].map(openAllEvents))

    let ahead = 0
    for (const [signal, step] of [['SIGUSR2', HOUR] as const, ['SIGWINCH', -DAY] as const]) {
      stepping.process.signal(signal)
      ahead += step
      await sleep(FAILURE_TIMEOUT_MS)
      const { lastSeen, firstSeen } = await getPeer(stepping, 'b')
      expect(Math.abs(Date.parse(lastSeen) - (Date.now() + ahead))).toBeLessThan(5000)
      expect(Date.parse(lastSeen) - Date.parse(firstSeen)).toBeLessThan(180_000)
    }
    for (const stream of streams) {
      for (const type of ['peer-suspect', 'peer-failed']) expect(peersWithEvent(stream, type)).toEqual([])
    }
    await waitUntilAllAlive([stepping, other], 0)
  })

  it('can step back while a daemon is down: peers accept its new incarnation anyway', async () => {
    await using lab = await Lab.create()
    const [a, b] = await lab.hosts(['a', 'b'], [await lab.network('lan')])
    if (!a || !b) throw new Error('no hosts')
    const [first, other] = await Promise.all([start(a), start(b)])
    await waitUntilAllAlive([first, other], 30_000)
    const stream = await openAllEvents(other)
    const { id, incarnation } = await getPeer(other, 'a')
    await first.kill()
    const again = await start(a, options(-DAY))
    // An update, or on a slow machine, where the peer has failed in the meantime, a peer that is up again.
    const isAgain = (event: Event) => event.peer.incarnation > incarnation
    await stream.waitFor(({ event, data }) => event.startsWith('peer-') && isAgain(data as Event), 30_000)
    expect(peerEvents(stream).filter(isAgain)).toMatchObject([{ peer: { id, name: 'a' } }])
    await waitUntilAllAlive([again, other])
  })
})
