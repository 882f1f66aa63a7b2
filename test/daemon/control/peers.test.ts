import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Service } from '../../../src/core/wire/record-schema.ts'
import type { Peers } from '../../../src/shared/api.ts'
import { ask, BEGINNING, FakePresence, hostView, idOf, startControl } from './fixtures.ts'

function offering(type: string): Service[] {
  return [{ id: 's', name: 'S', type, port: 1, txt: {}, subtypes: [] }]
}

function twoPeers(): FakePresence {
  const presence = new FakePresence()
  presence.change('peer-up', 1, { name: 'kitchen' })
  presence.change('peer-up', 2, { name: 'studio', services: offering('_osc._udp'), attributes: { 'a.b': 'x y' } })
  presence.change('peer-suspect', 2)
  presence.change('peer-up', 3, { name: 'old' })
  presence.change('peer-failed', 3)
  presence.change('peer-up', 4, { name: 'gone', services: offering('_HTTP._udp'), attributes: {} })
  presence.change('peer-left', 4)
  return presence
}

describe('GET /v1/peers', () => {
  test.each([
    ['', ['kitchen', 'studio']],
    ['state=alive', ['kitchen']],
    ['state=failed,left', ['old', 'gone']],
    ['state=failed&state=suspect', ['studio', 'old']],
    ['state=all', ['kitchen', 'studio', 'old', 'gone']],
    ['state=all&service=http', ['kitchen', 'old', 'gone']],
    ['state=all&service=_http._tcp', ['kitchen', 'old']],
    ['state=all&service=http/udp', ['gone']],
    ['service=osc', ['studio']],
    ['service=osc&service=HTTP', ['kitchen', 'studio']],
    ['service=osc/tcp', []],
    ['name=kitchen', ['kitchen']],
    ['name=kitchen&name=studio&name=old', ['kitchen', 'studio']],
    ['name=Kitchen', []],
    ['attr.status=idle', ['kitchen']],
    ['attr.temperature=21.50', ['kitchen']],
    ['attr.temperature=', []],
    ['attr.ready=true', ['kitchen']],
    ['attr.ready=1', []],
    ['attr.a.b=x%20y', ['studio']],
    ['attr.status=busy&attr.status=idle', ['kitchen']],
    ['attr.status=idle&attr.ready=false', []],
    ['attr.__proto__=x', []],
    ['attr.toString=x', []],
    ['self=1', ['here', 'kitchen', 'studio']],
    ['self=0', ['kitchen', 'studio']],
    ['self=true&attr.role=test', ['here']],
  ])('?%s', async (query, names) => {
    const { socket } = await startControl(twoPeers())
    const { status, body } = await ask({ socket }, `/v1/peers?${query}`)
    expect(status).toBe(200)
    const { epoch, index, peers } = body as Peers
    expect({ epoch, index }).toEqual({ epoch: 'e1', index: 7 })
    expect(peers.map(({ name }) => name)).toEqual(names)
  })

  test.each([
    ['stat=alive', "querystring: unknown key 'stat' (did you mean 'state'?)"],
    ['attr.=x', "querystring: unknown key 'attr.'"],
    ['state=dead', 'querystring/state: expected one of alive, suspect, failed, left or all, found "dead"'],
    ['state=', 'querystring/state: expected one of alive, suspect, failed, left or all, found ""'],
    [
      'service=a%20b',
      'querystring/service: expected a service type such as http, http/tcp or _http._tcp (at most 62 letters, digits, - and _), found "a b"',
    ],
    ['self=yes', 'querystring/self: expected one of 0, 1, false, true, found "yes"'],
    ['self=1&self=1', 'querystring/self: expected one of 0, 1, false, true, found ["1","1"]'],
    [`name=${'x'.repeat(257)}`, 'querystring/name/0: must NOT have more than 256 characters'],
  ])('refuses ?%s', async (query, message) => {
    const { socket } = await startControl()
    expect(await ask({ socket }, `/v1/peers?${query}`)).toMatchObject({
      status: 400,
      body: { statusCode: 400, code: 'EARSHOT_BAD_REQUEST', error: 'Bad Request', message },
    })
  })

  test('shows a peer with wall-clock times and zones, and without unknown fields', async () => {
    const { socket } = await startControl(twoPeers())
    const { body } = await ask({ socket }, '/v1/peers/kitchen')
    expect(body).toEqual({
      id: idOf(1),
      name: 'kitchen',
      state: 'alive',
      source: 'beacon',
      hostname: 'peer-1.lan',
      addresses: [
        { address: '10.0.0.1', family: 'ipv4', interface: 'eth0' },
        { address: 'fe80::1%eth0', family: 'ipv6', interface: 'eth0' },
      ],
      services: [{ id: 'web', name: 'Web', type: '_http._tcp', port: 8080, txt: { path: '/' }, subtypes: [] }],
      attributes: { status: 'idle', temperature: 21.5, ready: true },
      version: '1.0.0',
      incarnation: 1_795_250_000,
      recordVersion: 1,
      intervalMs: 1000,
      firstSeen: '2026-11-21T09:00:01.000Z',
      lastSeen: '2026-11-21T09:01:01.004Z',
      paths: [
        { interface: 'eth0', path: 'broadcast', lastHeard: '2026-11-21T09:01:01.004Z' },
        { interface: 'eth0', path: 'multicast4', lastHeard: '2026-11-21T09:01:01.003Z' },
      ],
      beacons: { heard: 60, lost: 1 },
      jitterMs: 0.25,
      flapping: false,
      history: [{ at: '2026-11-21T09:00:01.000Z', state: 'alive' }],
    })
  })

  test('limits the bytes that slow clients have not read', async () => {
    const presence = new FakePresence()
    const attributes = Object.fromEntries(Array.from({ length: 15 }, (_, key) => [`k${key}`, 'x'.repeat(1024)]))
    for (let number = 0; number < 1000; number++) presence.change('peer-up', number, { attributes })
    const { socket, port } = await startControl(presence)
    const deaf: Socket[] = []
    const ignore = async () => {
      const connection = connect(socket)
      deaf.push(connection)
      connection.write('GET /v1/peers HTTP/1.1\r\nHost: localhost\r\n\r\n')
      await once(connection, 'readable')
    }
    for (let times = 0; times < 8; times++) await ignore()
    expect((await ask({ socket }, '/v1/peers?name=peer-1')).status).toBe(200)
    await ignore()
    expect(await ask({ socket }, '/v1/peers')).toMatchObject({ status: 503, body: { code: 'EARSHOT_TOO_BUSY' } })
    expect((await ask({ socket }, '/v1/self')).status).toBe(200)
    expect((await ask({ port }, '/v1/peers?name=peer-1')).status).toBe(200)
    for (const connection of deaf) connection.destroy()
    await vi.waitUntil(async () => (await ask({ socket }, '/v1/peers?name=peer-1')).status === 200)
  })

  test('counts an answer that goes to many clients once', async () => {
    const presence = new FakePresence()
    const attributes = Object.fromEntries(Array.from({ length: 15 }, (_, key) => [`k${key}`, 'x'.repeat(1024)]))
    for (let number = 0; number < 1000; number++) presence.change('peer-up', number, { attributes })
    const { socket } = await startControl(presence)
    const deaf = Array.from({ length: 50 }, () => connect(socket))
    for (const connection of deaf) {
      onTestFinished(() => void connection.destroy())
      connection.write('GET /v1/peers?since=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n')
    }
    await ask({ socket }, '/v1/self')
    await ask({ socket }, '/v1/self')
    const before = process.memoryUsage().arrayBuffers
    presence.change('peer-suspect', 1)
    const heads = await Promise.all(deaf.map(async (connection) => String((await once(connection, 'data'))[0])))
    for (const head of heads) expect(head).toMatch(/^HTTP\/1.1 200 /)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000_000)
  })

  test('answers any query string', async () => {
    const { socket } = await startControl(twoPeers())
    const parameter = fc.oneof(
      fc.constantFrom(
        'service',
        'state',
        'name',
        'self',
        'attr.status',
        'attr.temperature',
        '__proto__',
        'constructor',
      ),
      fc.string({ unit: 'grapheme' }),
    )
    const value = fc.oneof(fc.constantFrom('alive', 'http', '1', '_http._tcp', ','), fc.string({ unit: 'binary' }))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(parameter, value), { maxLength: 5 }), async (pairs) => {
        const { status, body } = await ask({ socket }, `/v1/peers?${new URLSearchParams(pairs)}`)
        expect([200, 400]).toContain(status)
        if (status === 400) expect(body).toMatchObject({ statusCode: 400, code: expect.stringMatching(/^EARSHOT_/) })
      }),
      { numRuns: 200 },
    )
    const raw = fc.stringMatching(/^[!-~]{0,60}$/)
    await fc.assert(
      fc.asyncProperty(raw, async (text) => {
        const { status } = await ask({ socket }, `/v1/peers?${text}`)
        expect([200, 400]).toContain(status)
      }),
      { numRuns: 200 },
    )
  })
})

describe('GET /v1/peers/{reference}', () => {
  test.each([idOf(1), 'kitchen', idOf(1).slice(0, 4), 'gone'])('finds %s', async (reference) => {
    const { socket } = await startControl(twoPeers())
    expect((await ask({ socket }, `/v1/peers/${reference}`)).status).toBe(200)
  })

  test('finds a name with any characters', async () => {
    const presence = twoPeers()
    presence.change('peer-up', 9, { name: 'Büro / 2 %' })
    const { socket } = await startControl(presence)
    const { body } = await ask({ socket }, `/v1/peers/${encodeURIComponent('Büro / 2 %')}`)
    expect(body).toMatchObject({ id: idOf(9) })
  })

  test.each([['nobody'], [idOf(1).slice(0, 3)]])('does not find %s', async (reference) => {
    const { socket } = await startControl(twoPeers())
    expect(await ask({ socket }, `/v1/peers/${reference}`)).toMatchObject({
      status: 404,
      body: { code: 'EARSHOT_NO_SUCH_PEER', message: expect.stringContaining(reference) },
    })
  })

  test.each(['here', idOf(31), idOf(31).slice(0, 6)])('finds its own peer as %s', async (reference) => {
    const { socket } = await startControl(twoPeers())
    const { body } = await ask({ socket }, `/v1/peers/${reference}`)
    expect(body).toMatchObject({
      name: 'here',
      state: 'alive',
      addresses: [{ address: 'fe80::9%eth0' }],
      lastSeen: new Date(BEGINNING + 62_000).toISOString(),
    })
  })

  test('refuses a name that several peers have, in any state', async () => {
    const presence = twoPeers()
    presence.change('peer-up', 10, { name: 'old' })
    const { socket } = await startControl(presence)
    const [failed, alive] = [idOf(3).slice(0, 8), idOf(10).slice(0, 8)]
    expect(await ask({ socket }, '/v1/peers/old')).toMatchObject({
      status: 409,
      body: {
        code: 'EARSHOT_AMBIGUOUS_PEER',
        message: `'old' matches several peers: old (${failed}, failed), old (${alive}, alive) (give the id, or more of it)`,
      },
    })
    expect((await ask({ socket }, '/v1/probe/old', {}, 'POST')).status).toBe(409)
    expect((await ask({ socket }, `/v1/peers/${alive}`)).body).toMatchObject({ id: idOf(10) })
    presence.change('peer-update', 3, { beacons: { heard: 0, lost: 0 } })
    expect((await ask({ socket }, '/v1/peers/old')).body).toMatchObject({ id: idOf(10) })
    presence.change('peer-forgotten', 3)
    expect((await ask({ socket }, '/v1/peers/old')).body).toMatchObject({ id: idOf(10) })
    presence.change('peer-suspect', 10)
    presence.change('peer-up', 11, hostView(11, { name: 'old' }))
    const { body } = await ask({ socket }, '/v1/peers/old')
    expect(body).toHaveProperty('message', expect.stringContaining('old (host-11.local., by mDNS)'))
    expect((await ask({ socket }, '/v1/peers/host-11.local.')).body).toMatchObject({ source: 'mdns' })
    presence.change('peer-failed', 11, hostView(11, { name: 'old', state: 'failed' }))
    expect((await ask({ socket }, '/v1/peers/old')).body).toMatchObject({ id: idOf(10), state: 'suspect' })
  })

  test('refuses a name that another peer and this machine have', async () => {
    const presence = twoPeers()
    presence.change('peer-up', 10, { name: 'here' })
    const { socket } = await startControl(presence)
    expect((await ask({ socket }, '/v1/peers/here')).status).toBe(409)
    expect((await ask({ socket }, `/v1/peers/${idOf(31).slice(0, 8)}`)).body).toMatchObject({ id: idOf(31) })
  })

  test.each([8, 12, 20, 25, 26])(
    'takes %i characters of an id for the id, even if another peer has them as its name',
    async (length) => {
      const presence = twoPeers()
      const reference = idOf(1).slice(0, length)
      presence.change('peer-up', 10, { name: reference })
      presence.change('peer-up', 11, hostView(11, { id: `${reference}.local`, name: reference }))
      const { socket } = await startControl(presence)
      for (const text of [reference, reference.toUpperCase()]) {
        expect((await ask({ socket }, `/v1/peers/${text}`)).body, text).toMatchObject({ name: 'kitchen' })
      }
      expect((await ask({ socket }, `/v1/services?peer=${reference}`)).body).toMatchObject({
        services: [{ peer: { name: 'kitchen' } }],
      })
      expect((await ask({ socket }, `/v1/peers/${reference}.local`)).body).toMatchObject({ source: 'mdns' })
    },
  )

  test('does not take a complete id for a name', async () => {
    const presence = twoPeers()
    presence.change('peer-up', 10, { name: idOf(20) })
    const { socket } = await startControl(presence)
    expect((await ask({ socket }, `/v1/peers/${idOf(20)}`)).status).toBe(404)
  })

  test('refuses a beginning that several ids have', async () => {
    const presence = new FakePresence()
    presence.change('peer-up', 5)
    presence.change('peer-failed', 5 + 32 ** 5)
    const { socket } = await startControl(presence)
    expect((await ask({ socket }, `/v1/peers/${idOf(5).slice(0, 5)}`)).status).toBe(409)
    expect((await ask({ socket }, `/v1/peers/${idOf(5).slice(0, 6)}`)).status).toBe(200)
  })

  test.each(['%', '%ff', 'x'.repeat(1025)])('refuses the path %s', async (reference) => {
    const { socket } = await startControl()
    const { status, body } = await ask({ socket }, `/v1/peers/${reference}`)
    expect([400, 404, 414]).toContain(status)
    expect(body).toMatchObject({ statusCode: status, code: 'EARSHOT_BAD_REQUEST', message: expect.any(String) })
  })
})
