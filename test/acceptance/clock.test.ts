import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Event } from '../../src/client/index.ts'
import { describeLab, Lab } from '../lab/index.ts'
import { acquainted, history, look, peerEvents, start, told, VERDICT_MS } from './measure.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

// The real clock belongs to the whole machine: this one steps for one daemon alone, an hour on at each SIGUSR2.
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

describeLab('the wall clock', () => {
  it('may step on and back, and be wrong: nobody fails by that, and times are told by it', async () => {
    await using lab = await Lab.create()
    const [a, b] = await lab.hosts(['a', 'b'], [await lab.network('lan')])
    if (!a || !b) throw new Error('no hosts')
    const [stepping, other] = await Promise.all([start(a, options(0)), start(b, options(-DAY))])
    await acquainted([stepping, other], 30_000)
    const streams = await Promise.all([stepping, other].map(history))

    let ahead = 0
    for (const [signal, step] of [['SIGUSR2', HOUR] as const, ['SIGWINCH', -DAY] as const]) {
      stepping.process.signal(signal)
      ahead += step
      await sleep(VERDICT_MS)
      const { lastSeen, firstSeen } = await look(stepping, 'b')
      expect(Math.abs(Date.parse(lastSeen) - (Date.now() + ahead))).toBeLessThan(5000)
      expect(Date.parse(lastSeen) - Date.parse(firstSeen)).toBeLessThan(180_000)
    }
    for (const stream of streams) {
      for (const type of ['peer-suspect', 'peer-failed']) expect(told(stream, type)).toEqual([])
    }
    await acquainted([stepping, other], 0)
  }, 180_000)

  it('may have gone back while a daemon was down: its new life is believed all the same', async () => {
    await using lab = await Lab.create()
    const [a, b] = await lab.hosts(['a', 'b'], [await lab.network('lan')])
    if (!a || !b) throw new Error('no hosts')
    const [first, other] = await Promise.all([start(a), start(b)])
    await acquainted([first, other], 30_000)
    const stream = await history(other)
    const { id, incarnation } = await look(other, 'a')
    await first.kill()
    const again = await start(a, options(-DAY))
    // An update, or on a machine so slow that it had failed meanwhile, a peer that is up again.
    const isAgain = (event: Event) => event.peer.incarnation > incarnation
    await stream.waitFor(({ event, data }) => event.startsWith('peer-') && isAgain(data as Event), 30_000)
    expect(peerEvents(stream).filter(isAgain)).toMatchObject([{ peer: { id, name: 'a' } }])
    await acquainted([again, other])
  }, 180_000)
})
