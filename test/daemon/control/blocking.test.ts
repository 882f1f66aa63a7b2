import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { PeerChangeType, PeerView } from '../../../src/core/presence/peers/types.ts'
import type { Peers } from '../../../src/shared/api.ts'
import { type Answer, ask, FakePresence, idOf, Listener, startControl } from './fixtures.ts'

const OSC = [{ id: 'o', name: 'O', type: '_osc._udp', port: 9, txt: {}, subtypes: [] }]

function twoPeers(): FakePresence {
  const presence = new FakePresence()
  presence.change('peer-up', 1)
  presence.change('peer-up', 2, { services: OSC })
  return presence
}

/** A query that has been asked and is blocked: it has not been answered when a later one, on another connection, is. */
async function blocked(socket: string, path: string, headers = {}) {
  const state: { answer?: Answer } = {}
  const answered = ask({ socket }, path, headers).then((answer) => {
    state.answer = answer
    return answer
  })
  await ask({ socket }, '/healthz')
  await ask({ socket }, '/healthz')
  expect(state.answer).toBeUndefined()
  return { answered, state }
}

async function isStillBlocked(socket: string, { state }: { state: { answer?: Answer } }): Promise<boolean> {
  await ask({ socket }, '/healthz')
  await ask({ socket }, '/healthz')
  return state.answer === undefined
}

describe('ETag', () => {
  test.each(['/v1/peers', '/v1/services', '/v1/peers?service=osc'])('of %s', async (path) => {
    const { socket, presence } = await startControl(twoPeers())
    const { headers } = await ask({ socket }, path)
    expect(headers).toMatchObject({ etag: 'W/"e1-2"', 'cache-control': 'no-cache' })
    for (const tag of ['W/"e1-2"', '"e1-2"', '*', 'W/"e0-2", W/"e1-2"']) {
      const answer = await ask({ socket }, path, { 'if-none-match': tag })
      expect(answer).toMatchObject({ status: 304, body: '', headers: { etag: 'W/"e1-2"' } })
    }
    expect((await ask({ socket }, path, { 'if-none-match': 'W/"e0-2"' })).status).toBe(200)
    expect((await ask({ socket }, path, { 'if-none-match': 'W/"e1-2"' }, 'HEAD')).status).toBe(304)
    presence.change('peer-suspect', 1)
    expect((await ask({ socket }, path, { 'if-none-match': 'W/"e1-2"' })).status).toBe(200)
  })

  test('counts the changes of the daemon’s own peer as well', async () => {
    const { socket, presence } = await startControl()
    presence.change('peer-up', 1)
    const { headers } = await ask({ socket }, '/v1/peers?self=1')
    expect(headers.etag).toBe('W/"e1-1"')
    const held = { 'if-none-match': `${headers.etag}` }
    expect((await ask({ socket }, '/v1/peers?self=1', held)).status).toBe(304)
    presence.changeSelf('peer-update')
    expect((await ask({ socket }, '/v1/peers?self=1', held)).status).toBe(200)
  })
})

describe('a blocking query', () => {
  test.each([
    'since=1',
    'since=e1-1',
    'since=e0-2',
    'since=7',
    'since=2&wait=0s',
    'since=2&wait=1ms',
    'since=0&name=peer-2',
  ])('is answered at once: %s', async (query) => {
    const { socket } = await startControl(twoPeers())
    expect(await ask({ socket }, `/v1/peers?${query}`)).toMatchObject({ status: 200, body: { index: 2 } })
  })

  test.each([
    ['since=x', 'querystring/since: expected an index or EPOCH-INDEX, found "x"'],
    ['since=-1', 'querystring/since: expected an index or EPOCH-INDEX, found "-1"'],
    ['since=1&since=2', 'querystring/since: must be string'],
    ['since=1&wait=5', 'querystring/wait: expected a duration of 10m or less such as 30s or 5m, found "5"'],
    ['since=1&wait=11m', 'querystring/wait: expected a duration of 10m or less such as 30s or 5m, found "11m"'],
    ['wait=5s', 'querystring/wait needs querystring/since: the index of the answer to wait for a change of'],
    [`since=${'1'.repeat(129)}`, 'querystring/since: must NOT have more than 128 characters'],
  ])('is refused: %s', async (query, message) => {
    const { socket } = await startControl(twoPeers())
    for (const path of ['/v1/peers', '/v1/services']) {
      expect(await ask({ socket }, `${path}?${query}`)).toMatchObject({
        status: 400,
        body: { code: 'EARSHOT_BAD_REQUEST', message },
      })
    }
  })

  test('waits for a change, and returns the state after it', async () => {
    const { socket, presence } = await startControl(twoPeers())
    const { answered } = await blocked(socket, '/v1/peers?since=e1-2')
    presence.change('peer-up', 3)
    const { body, headers } = await answered
    expect(headers['etag']).toBe('W/"e1-3"')
    const { index, peers } = body as Peers
    expect(index).toBe(3)
    expect(peers.map(({ name }) => name)).toEqual(['peer-1', 'peer-2', 'peer-3'])
  })

  test('waits for the time in `wait`', async () => {
    const { socket, presence } = await startControl(twoPeers())
    const before = performance.now()
    const asked = ask({ socket }, '/v1/peers?since=2&wait=300ms&name=peer-2')
    await ask({ socket }, '/healthz')
    presence.change('peer-update', 1)
    expect(await asked).toMatchObject({ status: 200, body: { index: 3, peers: [{ name: 'peer-2' }] } })
    expect(performance.now() - before).toBeGreaterThan(298)
    const held = await ask({ socket }, '/v1/peers?since=3&wait=5ms', { 'if-none-match': 'W/"e1-3"' })
    expect(held.status).toBe(304)
  })

  test('waits for a change that affects its filter', async () => {
    const { socket, presence } = await startControl(twoPeers())
    const osc = await blocked(socket, '/v1/peers?service=osc&since=2')
    const services = await blocked(socket, '/v1/services?type=osc&since=2')
    presence.change('peer-update', 1, { attributes: { load: 1 } })
    presence.change('peer-up', 3)
    expect(await isStillBlocked(socket, osc)).toBe(true)
    presence.change('peer-update', 2, { attributes: { load: 1 } })
    expect((await osc.answered).body).toMatchObject({ index: 5, peers: [{ attributes: { load: 1 } }] })
    // Attributes are no part of the list of services.
    expect(await isStillBlocked(socket, services)).toBe(true)
    presence.change('peer-suspect', 2)
    expect((await services.answered).body).toMatchObject({ services: [{ peer: { state: 'suspect' } }] })
  })

  test.each<[string, PeerChangeType, Partial<PeerView>]>([
    ['it no longer offers', 'peer-update', { services: [] }],
    ['it has failed', 'peer-failed', {}],
    ['it has left', 'peer-left', {}],
  ])('is answered when a peer no longer matches: %s', async (_, type, given) => {
    const { socket, presence } = await startControl(twoPeers())
    const peers = await blocked(socket, '/v1/peers?service=osc&since=2')
    const services = await blocked(socket, '/v1/services?type=osc&since=2')
    presence.change(type, 2, given)
    expect((await peers.answered).body).toMatchObject({ index: 3, peers: [] })
    expect((await services.answered).body).toMatchObject({ index: 3, services: [] })
  })

  test.each<[PeerChangeType, number, Partial<PeerView>, boolean]>([
    ['peer-update', 1, {}, false],
    ['peer-update', 2, {}, true],
    ['peer-update', 2, { services: [] }, true],
    ['peer-left', 2, {}, true],
    ['peer-left', 1, {}, false],
  ])('takes earlier changes into account: %s of %i %o', async (type, number, given, isConcerned) => {
    const { socket, presence } = await startControl(twoPeers())
    presence.change(type, number, given)
    if (isConcerned)
      expect(await ask({ socket }, '/v1/peers?service=osc&since=2')).toMatchObject({ body: { index: 3 } })
    else await blocked(socket, '/v1/peers?service=osc&since=2')
  })

  test('is answered when the journal does not reach back', async () => {
    const presence = new FakePresence(3)
    for (const number of [1, 2, 3, 4, 5]) presence.change('peer-up', number)
    const { socket } = await startControl(presence)
    expect((await ask({ socket }, '/v1/peers?since=1&name=nobody')).body).toMatchObject({ index: 5, peers: [] })
    const waiting = await blocked(socket, '/v1/peers?since=5&name=nobody')
    for (const number of [1, 2, 3, 4, 5]) presence.change('peer-suspect', number)
    expect((await waiting.answered).body).toMatchObject({ index: 10, peers: [] })
  })

  test('is answered on changes that are not sent as events', async () => {
    const presence = twoPeers()
    presence.change('peer-failed', 2, { flapping: true })
    const { socket } = await startControl(presence)
    const listener = new Listener({ socket }, '/v1/events')
    await listener.untilType('sync')
    const alive = await blocked(socket, '/v1/peers?service=osc&state=alive&since=3')
    const failed = await blocked(socket, '/v1/services?state=failed&since=3')
    presence.change('peer-damped', 2, { state: 'alive' })
    expect((await alive.answered).body).toMatchObject({ index: 4, peers: [{ name: 'peer-2' }] })
    expect((await failed.answered).body).toMatchObject({ index: 4, services: [] })
    expect((await ask({ socket }, '/v1/peers', { 'if-none-match': 'W/"e1-3"' })).status).toBe(200)
    presence.change('peer-failed', 1)
    const forgotten = await blocked(socket, '/v1/peers?state=failed&since=5')
    const without = await blocked(socket, '/v1/services?state=failed&since=5')
    presence.change('peer-forgotten', 1)
    expect((await forgotten.answered).body).toMatchObject({ index: 6, peers: [] })
    expect((await without.answered).body).toMatchObject({ index: 6, services: [] })
    presence.change('peer-left', 2)
    await listener.untilType('peer-left')
    expect(listener.types()).toEqual(['sync', 'peer-failed', 'peer-left'])
  })

  test('is answered once for several changes at the same time', async () => {
    const { socket, presence } = await startControl(twoPeers())
    const { answered } = await blocked(socket, '/v1/peers?since=2')
    for (const number of [3, 4, 5]) presence.change('peer-up', number)
    expect((await answered).body).toMatchObject({ index: 5, peers: [{}, {}, {}, {}, {}] })
  })

  test('frees its place when the client disconnects', async () => {
    const { socket, presence } = await startControl(twoPeers(), { blockingQueries: { max: 2 } })
    // The second request waits behind the first one on the same connection, and is never handled.
    const connection = connect(socket)
    connection.write('GET /v1/peers?since=2 HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(2))
    await vi.waitUntil(async () => (await ask({ socket }, '/v1/peers?since=2&wait=1ms')).status === 503)
    expect(await ask({ socket }, '/v1/peers?since=2')).toMatchObject({ body: { code: 'EARSHOT_TOO_MANY_QUERIES' } })
    expect((await ask({ socket }, '/v1/peers')).status).toBe(200)
    connection.destroy()
    await vi.waitUntil(async () => (await ask({ socket }, '/v1/peers?since=2&wait=1ms')).status === 200)
    presence.change('peer-up', 3)
    expect((await ask({ socket }, '/v1/peers?since=3&wait=1ms')).status).toBe(200)
  })

  test('has a lower limit on loopback than on the socket', async () => {
    const { socket, port } = await startControl(twoPeers(), { blockingQueries: { maxOnLoopback: 1 } })
    const asked = ask({ port }, '/v1/peers?since=2&wait=10s')
    await vi.waitUntil(async () => (await ask({ port }, '/v1/peers?since=2&wait=1ms')).status === 503)
    expect((await ask({ socket }, '/v1/peers?since=2&wait=1ms')).status).toBe(200)
    asked.catch(() => {})
  })

  test('is answered when the daemon stops', async () => {
    // If the query were only answered when this time is over, the test would time out.
    const { socket, control } = await startControl(twoPeers(), { closeTimeoutMs: 3_600_000 })
    const { answered } = await blocked(socket, '/v1/peers?since=2')
    await control.close()
    expect(await answered).toMatchObject({ status: 200, body: { index: 2 } })
  })

  test('shares its answer with others that have the same filter', async () => {
    const { socket, presence } = await startControl(twoPeers(), { blockingQueries: { max: 200 } })
    const asked = Array.from({ length: 200 }, () => ask({ socket }, '/v1/peers?since=2&service=osc'))
    // All of them wait when there is no place for one more.
    await vi.waitUntil(async () => (await ask({ socket }, '/v1/peers?since=2&wait=1ms')).status === 503)
    const get = vi.spyOn(presence, 'get')
    presence.change('peer-update', 2, { name: 'new' })
    for (const { body } of await Promise.all(asked)) expect(body).toMatchObject({ index: 3, peers: [{ name: 'new' }] })
    // Each answer that is built reads the one peer in it.
    expect(get).toHaveBeenCalledTimes(1)
  })

  test('reads the peers again when it remembers more than there can be', async () => {
    const { socket, presence } = await startControl(twoPeers(), { blockingQueries: { maxKnownPeers: 11 } })
    const { answered } = await blocked(socket, '/v1/peers?since=2&name=last')
    const peers = vi.spyOn(presence, 'peers')
    // With the daemon's own peer, these are eleven.
    for (let number = 3; number <= 10; number++) presence.change('peer-up', number)
    await ask({ socket }, '/healthz')
    expect(peers).not.toHaveBeenCalled()
    presence.change('peer-up', 11)
    await ask({ socket }, '/healthz')
    expect(peers).toHaveBeenCalledTimes(1)
    presence.change('peer-up', 12, { name: 'last' })
    expect(await answered).toMatchObject({ body: { peers: [{ name: 'last' }] } })
  })
})

test('a client that sends too many requests without reading is disconnected', async () => {
  const { socket } = await startControl(twoPeers())
  const connection = connect(socket)
  onTestFinished(() => void connection.destroy())
  connection.on('error', () => {})
  connection.write('GET /v1/peers?since=2 HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(17))
  await once(connection, 'close')
  expect((await ask({ socket }, `/v1/peers/${idOf(1)}`)).status).toBe(200)
})
