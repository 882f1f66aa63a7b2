import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { PeerView } from '../../../src/core/presence/peers/types.ts'
import { ask, FakePresence, idOf, Listener, startControl } from './fixtures.ts'
import { readUntil, stalledClient } from './stalled-client.ts'

describe('a slow client', () => {
  test('misses changes, and gets a gap when it reads again', async () => {
    const presence = new FakePresence(50)
    const { socket } = await startControl(presence)
    const slow = stalledClient(socket, '/v1/events')
    await once(slow, 'readable')
    await fill(presence, 2000)
    const text = await readUntil(slow, (all) => all.includes('event: gap') && all.endsWith('}\n\n\r\n'))
    const indices = [...text.matchAll(/^id: e1-(\d+)$/gm)].map(([, index]) => Number(index))
    const sync = indices.pop()
    expect(sync).toBe(2000)
    // Before the gap: every change in order, none left out.
    expect(indices).toEqual(indices.map((_, position) => position))
    expect(indices.length).toBeGreaterThan(20)
    expect(indices.length).toBeLessThan(1000)
    expect(text.match(/^event: peer$/gm)).toHaveLength(7)
  })

  test('that no longer reads is disconnected', async () => {
    const presence = new FakePresence(50)
    const { socket } = await startControl(presence, { eventStreams: { keepAliveMs: 5, cutOffMs: 30_000 } })
    const stopped = stalledClient(socket, '/v1/events')
    const reading = new Listener({ socket }, '/v1/events')
    await Promise.all([once(stopped, 'readable'), reading.untilType('sync')])
    await fill(presence, 1000)
    await reading.until((events) => events.at(-1)?.json['index'] === 1000)
    presence.time += 31_000
    const quiet = stalledClient(socket, '/v1/events')
    await readUntil(quiet, (all) => all.includes('keep-alive'))
    const text = await readUntil(stopped, () => false)
    expect(text).toContain('id: e1-1\n')
    expect(text).not.toContain('gap')
    presence.change('peer-up', 999)
    await reading.until((events) => events.at(-1)?.json['index'] === 1001)
  })

  test('never gets an older view of a peer after a newer one', async () => {
    const presence = new FakePresence(5000)
    for (let number = 0; number < 1000; number++) presence.change('peer-up', number, { recordVersion: 1 })
    const { socket } = await startControl(presence)
    const slow = stalledClient(socket, '/v1/events?state=1')
    await once(slow, 'readable')
    for (let number = 0; number < 1000; number++) presence.change('peer-update', number, { recordVersion: 2 })
    presence.change('peer-up', 2000)
    presence.change('peer-left', 999)
    const text = await readUntil(slow, (all) => all.includes('event: sync') && all.endsWith('}\n\n\r\n'))
    const held = new Map<string, number>()
    let last = 0
    for (const [, json = ''] of text.matchAll(/^data: (.*)$/gm)) {
      const { index, peer } = JSON.parse(json) as { index: number; peer?: PeerView }
      expect(index).toBeGreaterThanOrEqual(last)
      last = index
      if (!peer) continue
      expect(peer.recordVersion).toBeGreaterThanOrEqual(held.get(peer.id) ?? 0)
      if (peer.state === 'left') held.delete(peer.id)
      else held.set(peer.id, peer.recordVersion)
    }
    expect(held.size).toBe(1000)
    expect([...held].filter(([id, version]) => version !== 2 && id !== idOf(2000))).toEqual([])
    // Only the last event of all has an id: a reader lost before it would have to begin again.
    expect(text.match(/^id: /gm)).toHaveLength(1)
  })

  test('200 clients, 10 of which never read: the others get each change once and in order, and memory is bounded', async () => {
    const CHANGES = 3000
    const presence = new FakePresence(500)
    const { socket } = await startControl(presence)
    const responses = observeResponses()
    const stopped = Array.from({ length: 10 }, () => stalledClient(socket, '/v1/events'))
    const readers = Array.from({ length: 190 }, () => new CountingReader(socket))
    await Promise.all([
      ...stopped.map((connection) => once(connection, 'readable')),
      ...readers.map((reader) => reader.until(0)),
    ])
    for (let index = 1; index <= CHANGES; index++) {
      presence.change('peer-update', index % 7)
      if (index % 100 === 0) await Promise.all(readers.map((reader) => reader.until(index)))
    }
    for (const reader of readers) expect(reader.faults).toBe(0)
    // The text of all changes is 3.5 MB. What a reader does not take stays in the journal, but for what was on its way.
    expect(responses).toHaveLength(200)
    const waiting = responses.map((response) => response.writableLength).sort((a, b) => a - b)
    expect(waiting.at(-10)).toBeGreaterThan(0)
    expect(waiting.at(-1)).toBeLessThan(64 * 1024)
    expect((await ask({ socket }, '/healthz')).status).toBe(200)
  })
})

/** Peers change so often; a few in one go, so that readers are written to in between. */
async function fill(presence: FakePresence, changes: number): Promise<void> {
  for (let number = 0; number < changes; number++) {
    presence.change('peer-update', number % 7)
    if (number % 10 === 0) await setImmediate()
  }
}

/** The responses that the servers of this process make from now on. */
function observeResponses(): ServerResponse[] {
  const responses: ServerResponse[] = []
  const observe = (message: unknown) => responses.push((message as { response: ServerResponse }).response)
  subscribe('http.server.request.start', observe)
  onTestFinished(() => void unsubscribe('http.server.request.start', observe))
  return responses
}

/** A reader that only looks at ids: it checks that they come one by one. */
class CountingReader {
  faults = 0
  #last = -1
  #rest = ''
  #wake: () => void = () => {}

  constructor(socket: string) {
    stalledClient(socket, '/v1/events')
      .setEncoding('latin1')
      .on('data', (chunk: string) => this.#read(chunk))
  }

  async until(index: number): Promise<void> {
    while (this.#last < index) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #read(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('id: e1-')) continue
      const index = Number(line.slice('id: e1-'.length))
      if (index !== this.#last + 1) this.faults++
      this.#last = index
    }
    this.#wake()
  }
}
