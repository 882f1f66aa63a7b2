import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeLab, type Host, Lab } from '../lab/index.ts'
import { acquainted, history, knewAt, look, names, startAll, told } from './measure.ts'

interface Break {
  /** How long it lasts, ms. */
  lasts: number
  make: (host: Host) => Promise<void>
  restore: (host: Host) => Promise<void>
}

/** Breaks the last of four hosts off and brings it back; tells what all see of it. */
async function breakOff({ lasts, make, restore }: Break): Promise<void> {
  await using lab = await Lab.create()
  const hosts = await lab.hosts(names(4), [await lab.network('lan')])
  const daemons = await startAll(hosts)
  await acquainted(daemons, 30_000)
  const lonely = daemons.at(-1)
  const host = hosts.at(-1)
  if (!lonely || !host) throw new Error('no host')
  const others = daemons.slice(0, -1)
  const streams = await Promise.all(others.map(history))
  const own = await history(lonely)
  const incarnations = await Promise.all(daemons.map(async (daemon) => (await daemon.self())['incarnation']))

  await make(host)
  await sleep(lasts)
  // Who hears nobody at all doubts itself first, and when the machine is busy as well it does so for longer.
  for (const { name } of others) await knewAt(own, 'peer-failed', name, 20_000)
  for (const stream of streams) expect(told(stream, 'peer-failed')).toEqual([lonely.name])
  expect(told(own, 'peer-failed').sort()).toEqual(others.map(({ name }) => name))

  const marks = streams.map(({ events }) => events.length)
  const ownMark = own.events.length
  await restore(host)
  const mendedAt = Date.now()
  const back = await Promise.all([
    ...streams.map((stream, at) => knewAt(stream, 'peer-up', lonely.name, 10_000, marks[at])),
    ...others.map(({ name }) => knewAt(own, 'peer-up', name, 10_000, ownMark)),
  ])
  console.info(`mended after ${lasts / 1000} s: alive again on both sides within ${Math.max(...back) - mendedAt} ms`)
  expect(Math.max(...back) - mendedAt).toBeLessThan(2000)

  // Long enough for what was heard by chance to be given up again.
  await sleep(6000)
  await acquainted(daemons, 0)
  for (const [at, stream] of streams.entries()) expect(told(stream, 'peer-failed', marks[at])).toEqual([])
  expect(told(own, 'peer-failed', ownMark)).toEqual([])
  for (const [at, { name }] of daemons.entries()) {
    for (const daemon of daemons.filter((each) => each.name !== name)) {
      expect((await look(daemon, name)).incarnation).toBe(incarnations[at])
    }
  }
}

describeLab('a host that is cut off', () => {
  it(
    'unseen, by the switch, for 20 s: fails on both sides, and is alive on both within 2 s of the restore',
    () => breakOff({ lasts: 20_000, make: (host) => host.cut(), restore: (host) => host.restore() }),
    180_000,
  )

  it(
    'by its cable, for 10 s: fails on both sides, and is alive on both within 2 s of the restore',
    () => breakOff({ lasts: 10_000, make: (host) => host.unplug(), restore: (host) => host.plug() }),
    180_000,
  )
})
