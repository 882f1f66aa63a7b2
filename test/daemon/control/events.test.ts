import { describe, expect, test, vi } from 'vitest'
import { ask, FakePresence, idOf, Listener, startControl } from './fixtures.ts'
import { stalledClient } from './stalled-client.ts'

const OSC = [{ id: 'o', name: 'O', type: '_osc._udp', port: 9, txt: {}, subtypes: [] }]

/** Names of the peers told, with the type where it is not the state. */
function told(listener: Listener): string[] {
  return listener.events.map(({ type, json }) => {
    const peer = json['peer'] as { name: string } | undefined
    return peer ? `${type} ${peer.name}` : type
  })
}

describe('GET /v1/events', () => {
  test('sends changes as they happen, each with an id', async () => {
    const { socket, presence } = await startControl()
    presence.change('peer-up', 1)
    const listener = new Listener({ socket }, '/v1/events')
    const [sync] = await listener.untilType('sync')
    expect(sync).toMatchObject({ type: 'sync', lastEventId: 'e1-1', json: { type: 'sync', epoch: 'e1', index: 1 } })

    presence.change('peer-update', 1, { name: 'a\nb\r\nevent: forged\n\n' })
    presence.change('peer-suspect', 1)
    presence.change('peer-left', 1)
    const events = await listener.untilType('peer-left')
    expect(events.map(({ type, lastEventId }) => [type, lastEventId])).toEqual([
      ['sync', 'e1-1'],
      ['peer-update', 'e1-2'],
      ['peer-suspect', 'e1-3'],
      ['peer-left', 'e1-4'],
    ])
    expect(events[1]?.json).toMatchObject({
      index: 2,
      at: '2026-11-21T09:01:02.000Z',
      peer: { id: idOf(1), name: 'a\nb\r\nevent: forged\n\n', state: 'alive', jitterMs: 0.25 },
    })
  })

  test('reads the peers again when it remembers more than there can be', async () => {
    const presence = new FakePresence()
    const { socket } = await startControl(presence, { eventStreams: { keepAliveMs: 10, maxRememberedIds: 4 } })
    const listener = new Listener({ socket }, '/v1/events?service=osc')
    await listener.untilType('sync')
    const peers = vi.spyOn(presence, 'peers')
    for (let number = 1; number <= 4; number++) presence.change('peer-up', number, { services: OSC })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(peers).not.toHaveBeenCalled()
    presence.change('peer-up', 5, { services: OSC })
    await vi.waitFor(() => expect(peers).toHaveBeenCalled())
    presence.change('peer-left', 5)
    await listener.untilType('peer-left')
  })

  test('begins with the present state on ?state=1', async () => {
    const presence = new FakePresence()
    presence.change('peer-up', 1)
    presence.change('peer-up', 2)
    presence.change('peer-suspect', 2)
    presence.change('peer-up', 3)
    presence.change('peer-failed', 3)
    const { socket } = await startControl(presence)
    const listener = new Listener({ socket }, '/v1/events?state=1')
    const events = await listener.untilType('sync')
    expect(told(listener)).toEqual(['peer peer-1', 'peer peer-2', 'sync'])
    expect(events.map(({ lastEventId }) => lastEventId)).toEqual(['', '', 'e1-5'])
    expect(events[0]?.json).toMatchObject({ type: 'peer', index: 5, peer: { id: idOf(1), state: 'alive' } })
  })

  test.each([
    ['?since=2', {}],
    ['?since=e1-2', {}],
    ['', { 'last-event-id': 'e1-2' }],
    ['?since=0&state=1', { 'last-event-id': 'e1-2' }],
  ])('resumes: %s %o', async (query, headers) => {
    const presence = new FakePresence()
    for (const number of [1, 2, 3, 4]) presence.change('peer-up', number)
    const { socket } = await startControl(presence)
    const listener = new Listener({ socket }, `/v1/events${query}`, headers)
    await listener.untilType('sync')
    presence.change('peer-up', 5)
    await listener.untilType('peer-up')
    expect(listener.events.map(({ lastEventId }) => lastEventId)).toEqual(['e1-3', 'e1-4', 'e1-4', 'e1-5'])
    expect(told(listener)).toEqual(['peer-up peer-3', 'peer-up peer-4', 'sync', 'peer-up peer-5'])
  })

  test.each([
    ['?since=1', {}],
    ['?since=7', {}],
    ['?since=e0-5', {}],
    ['', { 'last-event-id': 'e0-5' }],
    ['', { 'last-event-id': 'who knows' }],
  ])('sends a gap if it cannot resume: %s %o', async (query, headers) => {
    const presence = new FakePresence(3)
    for (const number of [1, 2, 3, 4, 5, 6]) presence.change('peer-up', number)
    const { socket } = await startControl(presence)
    const listener = new Listener({ socket }, `/v1/events${query}`, headers)
    await listener.untilType('sync')
    expect(listener.types()).toEqual(['gap', 'peer', 'peer', 'peer', 'peer', 'peer', 'peer', 'sync'])
    expect(listener.events.map(({ lastEventId }) => lastEventId)).toEqual([...Array(7).fill(''), 'e1-6'])
    expect(listener.events[0]?.json).toMatchObject({ type: 'gap', epoch: 'e1', index: 6 })
  })

  test.each(['since=x', 'since=', 'since=-1', 'state=alive', 'index=1', 'service=!'])('refuses ?%s', async (query) => {
    const { socket } = await startControl()
    expect(await ask({ socket }, `/v1/events?${query}`)).toMatchObject({
      status: 400,
      body: { code: 'EARSHOT_BAD_REQUEST', message: expect.stringContaining('querystring') },
    })
  })

  test('filters, and sends the change after which a peer no longer matches', async () => {
    const presence = new FakePresence()
    presence.change('peer-up', 1)
    presence.change('peer-up', 2, { services: OSC })
    const { socket } = await startControl(presence)
    const listener = new Listener({ socket }, '/v1/events?service=osc&state=1')
    await listener.untilType('sync')
    presence.change('peer-update', 1, { attributes: {} })
    presence.change('peer-update', 2, { services: [] })
    presence.change('peer-update', 2, { attributes: {} })
    presence.change('peer-update', 1, { services: OSC })
    presence.change('peer-failed', 2)
    presence.change('peer-failed', 1)
    await listener.untilType('peer-failed')
    expect(told(listener)).toEqual([
      'peer peer-2',
      'sync',
      'peer-update peer-2',
      'peer-update peer-1',
      'peer-failed peer-1',
    ])
  })

  test.each(['state=1', 'since=2', 'since=3', 'since=4'])(
    'filters, and tells the last service-down of a peer that keeps others, from ?%s',
    async (query) => {
      const presence = new FakePresence()
      const [osc] = OSC
      const both = [...OSC, { id: 'w', name: 'W', type: '_http._tcp', port: 80, txt: {}, subtypes: [] }]
      presence.change('peer-up', 1, { services: both })
      presence.change('peer-up', 2, { services: both })
      if (query === 'since=2' || query === 'since=4') presence.change('peer-suspect', 2)
      if (query === 'since=4') presence.change('peer-update', 1, { services: both.slice(1) })
      const { socket } = await startControl(presence)
      const listener = new Listener({ socket }, `/v1/events?service=osc&${query}`)
      await listener.untilType('sync')
      if (query !== 'since=4') presence.change('peer-update', 1, { services: both.slice(1) })
      if (osc) presence.changeService('service-down', 1, osc)
      const events = await listener.untilType('service-down')
      expect(events.at(-1)).toMatchObject({ json: { service: { id: 'o' }, peer: { name: 'peer-1' } } })
      presence.change('peer-update', 1, { services: [] })
      presence.change('peer-up', 3)
      presence.change('peer-left', 2)
      await listener.untilType('peer-left')
      expect(listener.types().slice(-2)).toEqual(['service-down', 'peer-left'])
    },
  )

  test('a filtered stream that resumes contains every update that may end a match', async () => {
    const presence = new FakePresence()
    presence.change('peer-up', 1, { name: 'one' })
    presence.change('peer-up', 2, { name: 'two' })
    presence.change('peer-update', 1, { name: 'uno' })
    presence.change('peer-suspect', 2)
    const { socket } = await startControl(presence)
    const listener = new Listener({ socket }, '/v1/events?name=one&since=1')
    await listener.untilType('sync')
    presence.change('peer-update', 1, { attributes: {} })
    presence.change('peer-up', 3, { name: 'one' })
    await listener.untilType('peer-up')
    expect(told(listener)).toEqual(['peer-update uno', 'sync', 'peer-up one'])
  })

  test('has no more streams than its limit', async () => {
    const { socket } = await startControl(new FakePresence(), { eventStreams: { max: 2 } })
    const first = new Listener({ socket }, '/v1/events')
    const second = new Listener({ socket }, '/v1/events')
    await Promise.all([first.untilType('sync'), second.untilType('sync')])
    expect(await ask({ socket }, '/v1/events')).toMatchObject({
      status: 503,
      body: { code: 'EARSHOT_TOO_MANY_READERS' },
    })
    first.close()
    await vi.waitUntil(async () => {
      const third = new Listener({ socket }, '/v1/events')
      await Promise.race([third.untilType('sync'), third.closed])
      return third.types().includes('sync')
    })
  })

  test('has a lower limit on loopback than on the socket', async () => {
    const { socket, port } = await startControl(new FakePresence(), { eventStreams: { maxOnLoopback: 1 } })
    await new Listener({ port }, '/v1/events').untilType('sync')
    expect((await ask({ port }, '/v1/events')).status).toBe(503)
    await new Listener({ socket }, '/v1/events').untilType('sync')
  })

  test('refuses HEAD', async () => {
    const { socket } = await startControl()
    expect((await ask({ socket }, '/v1/events', {}, 'HEAD')).status).toBe(405)
  })

  test('sends keep-alive comments', async () => {
    const { socket } = await startControl(new FakePresence(), { eventStreams: { keepAliveMs: 5 } })
    const connection = stalledClient(socket, '/v1/events')
    let text = ''
    connection.on('data', (chunk) => {
      text += chunk
    })
    await vi.waitUntil(() => text.split(': keep-alive\n\n').length > 2)
    expect(text).toMatch(/^HTTP\/1.1 200 OK\r\ncontent-type: text\/event-stream; charset=utf-8\r\n/i)
  })

  test('writes the last changes and ends all streams when the server closes', async () => {
    // Were a stream left to the end of the farewell, the test would not end.
    const { socket, control, presence } = await startControl(new FakePresence(), { closeTimeoutMs: 3_600_000 })
    const listener = new Listener({ socket }, '/v1/events')
    await listener.untilType('sync')
    const deaf = stalledClient(socket, '/v1/events?since=0')
    presence.change('peer-up', 1)
    presence.change('peer-left', 1)
    await control.close()
    await listener.closed
    expect(told(listener)).toEqual(['sync', 'peer-up peer-1', 'peer-left peer-1'])
    deaf.destroy()
  })
})
