import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { type Daemon, describeLab, type EventStream, Lab } from '../lab/index.ts'
import { hostNames, median, startAll, waitUntilAllAlive } from './daemons.ts'

const ROUNDS = 5

interface ServiceEvent {
  at: string
  service: { id: string; txt: Record<string, string> }
}

/** Registers a service. Resolves with the wall-clock time of the response, ms. */
async function put(daemon: Daemon, id: string, body: object): Promise<number> {
  const { status } = await daemon.call('PUT', `/v1/services/${id}`, { body })
  expect([200, 201]).toContain(status)
  return Date.now()
}

/** Waits for a service event on all streams. Resolves with the wall-clock time of the latest, ms. */
async function latestEventTime(streams: EventStream[], type: string, id: string, timeoutMs = 5000): Promise<number> {
  const events = await Promise.all(
    streams.map((stream) =>
      stream.waitFor(({ event, data }) => event === type && (data as ServiceEvent).service.id === id, timeoutMs),
    ),
  )
  return Math.max(...events.map(({ data }) => Date.parse((data as ServiceEvent).at)))
}

describeLab('registered services and attributes', () => {
  it('reach four other peers within 50 ms after the response, with their changes, and expire if not renewed', async () => {
    await using lab = await Lab.create()
    const hosts = await lab.hosts(hostNames(5), [await lab.network('lan')])
    const daemons = await startAll(hosts)
    await waitUntilAllAlive(daemons)
    const [offering, ...others] = daemons
    if (!offering) throw new Error('no daemon')
    const streams = await Promise.all(others.map((daemon) => daemon.events()))

    const up: number[] = []
    const updated: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      // A pause, because changes in quick succession are combined and sent at most ten times per second.
      await delay(300)
      const id = `shop-${round}`
      const registered = await put(offering, id, { type: 'http', port: 8080, txt: { path: '/' } })
      up.push((await latestEventTime(streams, 'service-up', id)) - registered)
      const changed = await put(offering, id, { type: 'http', port: 8080, txt: { path: '/new' } })
      updated.push((await latestEventTime(streams, 'service-update', id)) - changed)
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
    await latestEventTime(streams, 'service-up', 'leased')
    expect((await latestEventTime(streams, 'service-down', 'leased')) - leased).toBeLessThan(3000)
  })

  it('can change a thousand times in 2 s: other peers get the last value, and few records are sent', async () => {
    await using lab = await Lab.create()
    const [here, there] = await lab.hosts(['here', 'there'], [await lab.network('lan')])
    if (!here || !there) throw new Error('no hosts')
    const [daemon, watcher] = await startAll([here, there])
    if (!daemon || !watcher) throw new Error('no daemons')
    await waitUntilAllAlive([daemon, watcher])
    // Peers repeat their announcements, and answer each other's queries, for up to 1.5 s after the start.
    await delay(3000)
    const recordsSent = async () => (await daemon.self()).counters.sent['record'] ?? 0
    const before = await recordsSent()
    const began = performance.now()
    for (let load = 1; load <= 1000; load++) {
      const { status } = await daemon.call('PATCH', '/v1/self/attributes', { body: { load } })
      expect(status).toBe(200)
      const early = began + load * 2 - performance.now()
      if (early > 0) await delay(early)
    }
    const seconds = (performance.now() - began) / 1000
    await watcher.waitFor(([peer]) => peer?.attributes['load'] === 1000)
    // The counter includes all three paths.
    const records = ((await recordsSent()) - before) / 3
    console.info(`1,000 changes in ${seconds.toFixed(1)} s: ${records} records on each path`)
    // Up to four changes per second, in bursts of two. Beats name the version that was sent, so no peer asks for a newer one.
    expect(records).toBeLessThanOrEqual(4 * seconds + 6)
  })
})
