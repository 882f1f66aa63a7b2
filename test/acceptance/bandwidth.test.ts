import { expect, it } from 'vitest'
import { decode } from '../../src/core/wire/codec.ts'
import { describeLab, Lab, type SniffedDatagram } from '../lab/index.ts'
import { startAll, waitUntilAllAlive } from './daemons.ts'

const DAEMONS = 20
const SECONDS = 20
const PATHS = 3
/** Limit for all beats on a segment at default settings, bits per second. */
const BUDGET = 256_000
/** Bytes of the Ethernet, IP and UDP headers. */
const HEADERS = { ipv4: 14 + 28, ipv6: 14 + 48 }
const BEAT_BYTES = 64

function bits({ hex, dst }: SniffedDatagram): number {
  return 8 * (hex.length / 2 + (dst.includes(':') ? HEADERS.ipv6 : HEADERS.ipv4))
}

function total(datagrams: readonly SniffedDatagram[]): number {
  return datagrams.reduce((sum, datagram) => sum + bits(datagram), 0)
}

function within(datagrams: readonly SniffedDatagram[], from: number, seconds: number): SniffedDatagram[] {
  return datagrams.filter(({ time }) => time >= from && time < from + seconds)
}

function typeOf({ hex }: SniffedDatagram): string {
  const message = decode(Buffer.from(hex, 'hex'))
  return typeof message === 'string' ? message : message.type
}

describeLab('the traffic of twenty daemons', () => {
  it('is one beat a second on each path, and a short burst at the start', async () => {
    await using lab = await Lab.create()
    const lan = await lab.network('lan')
    const hosts = await lab.hosts(
      Array.from({ length: DAEMONS }, (_, index) => `h${index}`),
      [lan],
    )
    await using tap = await lan.sniff()
    const daemons = await startAll(hosts)
    await waitUntilAllAlive(daemons)
    const quiet = Math.max(...tap.datagrams.filter((each) => typeOf(each) !== 'beat').map(({ time }) => time)) + 2
    await tap.waitFor(({ time }) => time >= quiet + SECONDS, 60_000)

    const steady = within(tap.datagrams, quiet, SECONDS)
    const perSecond = total(steady) / SECONDS
    const beatBits = 8 * (2 * (BEAT_BYTES + HEADERS.ipv4) + BEAT_BYTES + HEADERS.ipv6)
    const burst = tap.datagrams.filter((each) => each.time < quiet && typeOf(each) !== 'beat')
    const kinds: Record<string, number> = {}
    for (const type of burst.map(typeOf)) kinds[type] = (kinds[type] ?? 0) + 1
    const busiest = Math.max(...tap.datagrams.map(({ time }) => total(within(tap.datagrams, time, 1))))
    console.info(
      `${(perSecond / 1000).toFixed(1)} kbit/s; burst ${burst.length} datagrams ${JSON.stringify(kinds)}, ` +
        `${(total(burst) / 8000).toFixed(0)} kB, busiest second ${(busiest / 1000).toFixed(0)} kbit`,
    )
    // On a busy machine beats are late, and late peers are probed. Both must be rare.
    const beats = steady.filter((each) => typeOf(each) === 'beat')
    expect(beats.length / steady.length).toBeGreaterThan(0.95)
    expect(beats.length / SECONDS / PATHS / DAEMONS).toBeGreaterThan(0.8)
    expect(perSecond).toBeLessThan(1.05 * DAEMONS * beatBits)
    expect(perSecond).toBeLessThan(BUDGET)
    // All daemons start at once. Each queries three times, and all answer. Most answers are combined.
    expect(burst.length / DAEMONS).toBeLessThan(80)
  })
})
