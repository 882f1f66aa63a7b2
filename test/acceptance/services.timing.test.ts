import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { type Daemon, describeLab, type EventStream, Lab } from '../lab/index.ts'
import { acquainted, median, names, startAll } from './measure.ts'

const ROUNDS = 5

interface ServiceEvent {
  at: string
  service: { id: string; txt: Record<string, string> }
}

/** Puts a service and resolves with the wall-clock ms of the answer. */
async function put(daemon: Daemon, id: string, body: object): Promise<number> {
  const { status } = await daemon.call('PUT', `/v1/services/${id}`, { body })
  expect([200, 201]).toContain(status)
  return Date.now()
}

/** When each of the others knew of a change of a service, wall-clock ms. */
async function knewAt(streams: EventStream[], type: string, id: string, timeoutMs = 5000): Promise<number> {
  const events = await Promise.all(
    streams.map((stream) =>
      stream.waitFor(({ event, data }) => event === type && (data as ServiceEvent).service.id === id, timeoutMs),
    ),
  )
  return Math.max(...events.map(({ data }) => Date.parse((data as ServiceEvent).at)))
}

describeLab('what a program registers', () => {
  it('is known to four others within 50 ms of the answer, its changes too, and goes when it is not renewed', async () => {
    await using lab = await Lab.create()
    const hosts = await lab.hosts(names(5), [await lab.network('lan')])
    const daemons = await startAll(hosts)
    await acquainted(daemons)
    const [offering, ...others] = daemons
    if (!offering) throw new Error('no daemon')
    const streams = await Promise.all(others.map((daemon) => daemon.events()))

    const up: number[] = []
    const updated: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      // Changes in quick succession go out together, ten times a second.
      await delay(300)
      const id = `shop-${round}`
      const registered = await put(offering, id, { type: 'http', port: 8080, txt: { path: '/' } })
      up.push((await knewAt(streams, 'service-up', id)) - registered)
      const changed = await put(offering, id, { type: 'http', port: 8080, txt: { path: '/new' } })
      updated.push((await knewAt(streams, 'service-update', id)) - changed)
    }
    console.info(`listed ${up.join(', ')} ms after the answer, its TXT ${updated.join(', ')} ms after`)
    expect(median(up)).toBeLessThan(50)
    expect(median(updated)).toBeLessThan(50)
    for (const daemon of others) {
      const { services } = await daemon.get<{ services: { id: string; txt: object }[] }>('/v1/services?type=http')
      expect(services).toMatchObject(
        Array.from({ length: ROUNDS }, (_, round) => ({ id: `shop-${round}`, txt: { path: '/new' } })),
      )
    }

    const leased = await put(offering, 'leased', { type: 'http', port: 8081, ttl: '2s' })
    await knewAt(streams, 'service-up', 'leased')
    expect((await knewAt(streams, 'service-down', 'leased')) - leased).toBeLessThan(3000)
  })

  it('may change a thousand times in 2 s: the others end with the last value, and few records go out', async () => {
    await using lab = await Lab.create()
    const [here, there] = await lab.hosts(['here', 'there'], [await lab.network('lan')])
    if (!here || !there) throw new Error('no hosts')
    const [daemon, watcher] = await startAll([here, there])
    if (!daemon || !watcher) throw new Error('no daemons')
    await acquainted([daemon, watcher])
    const recordsSent = async () => (await daemon.self()).counters.sent['record'] ?? 0
    const before = await recordsSent()
    const began = performance.now()
    for (let load = 1; load <= 1000; load++) {
      const { status } = await daemon.call('PATCH', '/v1/self/attributes', { body: { load } })
      expect(status).toBe(200)
      const early = began + load * 2 - performance.now()
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
    }
    const seconds = (performance.now() - began) / 1000
    await watcher.waitFor(([peer]) => peer?.attributes['load'] === 1000)
    // On three paths, each record said twice.
    const records = ((await recordsSent()) - before) / 3
    console.info(`1,000 changes in ${seconds.toFixed(1)} s: ${records} records on each path`)
    // Four a second, two at once; one a second for who asks, having heard of a newer one in a beat; those of the start.
    expect(records).toBeLessThanOrEqual(5 * seconds + 6)
  }, 60_000)
})
