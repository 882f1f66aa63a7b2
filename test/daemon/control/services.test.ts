import { describe, expect, test } from 'vitest'
import type { Service } from '../../../src/core/wire/record-schema.ts'
import type { Services } from '../../../src/shared/api.ts'
import { ask, FakePresence, idOf, openCatalogue, peerView, sendJson, startControl } from './fixtures.ts'

function service(id: string, type: string, name = id): Service {
  return { id, name, type, port: 1, txt: {}, subtypes: [] }
}

function twoPeers(): FakePresence {
  const presence = new FakePresence()
  const both = [service('shop', '_http._tcp', 'Shop'), service('o', '_osc._udp', 'Osc')]
  presence.change('peer-up', 1, { name: 'kitchen', services: both })
  presence.change('peer-up', 2, { name: 'studio', services: [service('x', '_HTTP._udp', 'Xhop')] })
  presence.change('peer-up', 3, { name: 'old', services: [service('shop', '_http._tcp', 'Shop')] })
  presence.change('peer-failed', 3)
  return presence
}

async function running(presence = twoPeers()) {
  const catalogue = await openCatalogue(presence, {
    services: [service('from-config', '_ipp._tcp', 'Printer')],
    attributes: { room: 'attic' },
  })
  return { catalogue, ...(await startControl(presence)) }
}

describe('GET /v1/services', () => {
  test.each([
    ['', ['Shop', 'Osc', 'Xhop']],
    ['type=http', ['Shop', 'Xhop']],
    ['type=_http._tcp', ['Shop']],
    ['type=http/udp&type=osc', ['Osc', 'Xhop']],
    ['type=http&state=all', ['Shop', 'Xhop', 'Shop']],
    ['state=failed', ['Shop']],
    ['name=Shop', ['Shop']],
    ['peer=studio', ['Xhop']],
    [`peer=${idOf(1)}&type=osc`, ['Osc']],
    [`peer=${idOf(1).slice(0, 4)}`, ['Shop', 'Osc']],
    [`peer=${idOf(1).slice(0, 3)}`, []],
    ['self=1&type=ipp', ['Printer']],
  ])('?%s', async (query, names) => {
    const { socket } = await running()
    const { status, body } = await ask({ socket }, `/v1/services?${query}`)
    expect(status).toBe(200)
    const { epoch, index, services } = body as Services
    expect({ epoch, index }).toEqual({ epoch: 'e1', index: 4 })
    expect(services.map(({ name }) => name)).toEqual(names)
  })

  test('lists a service together with its peer', async () => {
    const { socket } = await running()
    expect((await ask({ socket }, '/v1/services?type=osc')).body).toMatchObject({
      services: [
        {
          ...service('o', '_osc._udp', 'Osc'),
          peer: {
            id: idOf(1),
            name: 'kitchen',
            state: 'alive',
            hostname: 'peer-1.lan',
            addresses: [{ address: '10.0.0.1' }, { address: 'fe80::1%eth0' }],
          },
        },
      ],
    })
  })

  test.each([
    ['service=http', "querystring: unknown key 'service'"],
    [
      'type=a%20b',
      'querystring/type: expected a service type such as http, http/tcp or _http._tcp (at most 62 letters, digits, - and _), found "a b"',
    ],
    [
      `type=${'x'.repeat(63)}`,
      `querystring/type: expected a service type such as http, http/tcp or _http._tcp (at most 62 letters, digits, - and _), found "${'x'.repeat(59)}…`,
    ],
    ['name=%ff', 'the query string is not percent-encoded UTF-8'],
    ['name=%', 'the query string is not percent-encoded UTF-8'],
  ])('refuses ?%s', async (query, message) => {
    const { socket } = await running()
    expect(await ask({ socket }, `/v1/services?${query}`)).toMatchObject({
      status: 400,
      body: { code: 'EARSHOT_BAD_REQUEST', message: expect.stringContaining(message) },
    })
  })

  test('explains that UTF-8 must be escaped', async () => {
    const { socket } = await running()
    expect(await ask({ socket }, Buffer.from('/v1/peers?name=Büro').toString('latin1'))).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('must be escaped') },
    })
  })
})

describe('this peer’s services', () => {
  test('are put, changed and withdrawn', async () => {
    const { socket } = await running()
    const put = await sendJson({ socket }, 'PUT', '/v1/services/shop', {
      type: 'http',
      port: 8080,
      txt: { path: '/', n: 1 },
    })
    expect(put).toMatchObject({ status: 201 })
    expect(put.body).toEqual({
      id: 'shop',
      name: 'here',
      type: '_http._tcp',
      port: 8080,
      txt: { path: '/', n: '1' },
      subtypes: [],
      source: 'api',
    })
    const again = { name: 'Shop', type: '_http._tcp', port: 8081, subtypes: ['_printer'] }
    const changed = await sendJson({ socket }, 'PUT', '/v1/services/shop', again)
    expect(changed).toMatchObject({ status: 200, body: { ...again, id: 'shop', txt: {} } })
    expect((await ask({ socket }, '/v1/self')).body).toMatchObject({
      services: [
        { id: 'from-config', source: 'config' },
        { id: 'shop', name: 'Shop', source: 'api' },
      ],
      attributes: { room: 'attic' },
      badFiles: [],
    })
    expect((await ask({ socket }, '/v1/services?self=1&name=Shop&peer=here')).body).toMatchObject({
      services: [{ port: 8081, peer: { name: 'here', state: 'alive' } }],
    })
    const { body } = await ask({ socket }, '/v1/peers?self=1')
    expect(body).toMatchObject({ peers: [{ name: 'here', services: [{ id: 'from-config' }, { id: 'shop' }] }, {}, {}] })
    expect(JSON.stringify(body)).not.toContain('"source":"api"')

    expect(await ask({ socket }, '/v1/services/shop', {}, 'DELETE')).toMatchObject({ status: 204, body: '' })
    expect(await ask({ socket }, '/v1/services/shop', {}, 'DELETE')).toMatchObject({
      status: 404,
      body: { code: 'EARSHOT_NO_SUCH_SERVICE' },
    })
  })

  test('have ids with any printable character', async () => {
    const { socket } = await running()
    const put = await sendJson({ socket }, 'PUT', `/v1/services/${encodeURIComponent('a/b?%#')}`, {
      type: 'http',
      port: 1,
    })
    expect(put).toMatchObject({ status: 201, body: { id: 'a/b?%#' } })
  })

  test('have a time to live', async () => {
    const { socket, presence } = await running()
    const put = await sendJson({ socket }, 'PUT', '/v1/services/lent', { type: 'http', port: 1, ttl: '1h' })
    expect(put).toMatchObject({ status: 201, body: { expiresAt: '2026-11-21T10:01:02.000Z' } })
    presence.time += 1000
    const renewed = await sendJson({ socket }, 'PUT', '/v1/services/lent', { type: 'http', port: 1, ttl: '1h' })
    expect(renewed).toMatchObject({ status: 200, body: { expiresAt: '2026-11-21T10:01:03.000Z' } })
    expect((await ask({ socket }, '/v1/self')).body).toMatchObject({
      services: [{}, { expiresAt: expect.any(String) }],
    })
  })

  test('from other sources cannot be changed', async () => {
    const { socket } = await running()
    const taken = { status: 409, body: { code: 'EARSHOT_SERVICE_TAKEN' } }
    expect(await sendJson({ socket }, 'PUT', '/v1/services/from-config', { type: 'http', port: 1 })).toMatchObject(
      taken,
    )
    expect(await ask({ socket }, '/v1/services/from-config', {}, 'DELETE')).toMatchObject(taken)
  })

  test('have limits', async () => {
    const { socket } = await running()
    const txt = Object.fromEntries(Array.from({ length: 60 }, (_, number) => [`k${number}`, 'x'.repeat(200)]))
    expect(await sendJson({ socket }, 'PUT', '/v1/services/one', { type: 'http', port: 1, txt })).toMatchObject({
      status: 201,
    })
    expect(await sendJson({ socket }, 'PUT', '/v1/services/two', { type: 'http', port: 1, txt })).toMatchObject({
      status: 413,
      body: { code: 'EARSHOT_RECORD_TOO_LARGE' },
    })
  })
})

describe('PATCH /v1/self/attributes', () => {
  test('is a merge patch', async () => {
    const { socket } = await running()
    const way = { socket }
    const path = '/v1/self/attributes'
    expect(await sendJson(way, 'PATCH', path, { status: 'idle', load: 0.5, ok: true })).toMatchObject({
      status: 200,
      body: { attributes: { room: 'attic', status: 'idle', load: 0.5, ok: true } },
    })
    const merge = { 'content-type': 'application/merge-patch+json; charset=utf-8' }
    expect((await sendJson(way, 'PATCH', path, { status: null, nothing: null, room: 'cellar' }, merge)).body).toEqual({
      attributes: { room: 'cellar', load: 0.5, ok: true },
    })
    expect((await sendJson(way, 'PATCH', path, { room: null })).body).toMatchObject({ attributes: { room: 'attic' } })
    expect(await sendJson(way, 'PATCH', path, { room: null })).toMatchObject({
      status: 409,
      body: { code: 'EARSHOT_ATTRIBUTE_TAKEN' },
    })
    expect((await ask(way, '/v1/self')).body).toMatchObject({ attributes: { room: 'attic', load: 0.5, ok: true } })
    expect((await ask(way, '/v1/peers?self=1&attr.load=0.5')).body).toMatchObject({ peers: [{ name: 'here' }] })
  })
})

describe('POST /v1/probe', () => {
  test('returns the round-trip time', async () => {
    const { socket, presence } = await running()
    presence.roundTrips.set(idOf(1), 0.4)
    const peer = { id: idOf(1), name: 'kitchen' }
    for (const reference of ['kitchen', idOf(1), idOf(1).slice(0, 4)]) {
      expect(await ask({ socket }, `/v1/probe/${reference}`, {}, 'POST')).toMatchObject({
        status: 200,
        body: { peer, rttMs: 0.4 },
      })
    }
  })

  test.each([
    ['studio?timeout=50ms', 504, 'EARSHOT_NO_ANSWER', "'studio' did not answer a probe within 50ms"],
    ['nobody', 404, 'EARSHOT_NO_SUCH_PEER', "'nobody'"],
    ['here', 400, 'EARSHOT_BAD_REQUEST', "'here' is this daemon"],
    ['studio?timeout=1m', 400, 'EARSHOT_BAD_REQUEST', 'querystring/timeout: expected a duration from 1ms to 10s'],
    ['studio?wait=1s', 400, 'EARSHOT_BAD_REQUEST', "querystring: unknown key 'wait'"],
  ])('%s: %i', async (path, status, code, message) => {
    const { socket } = await running()
    expect(await ask({ socket }, `/v1/probe/${path}`, {}, 'POST')).toMatchObject({
      status,
      body: { statusCode: status, code, message: expect.stringContaining(message) },
    })
  })

  test('ignores an answer that is too late', async () => {
    const { socket, presence } = await running()
    presence.probe = async () => 12
    const answer = async (timeout: string) =>
      (await ask({ socket }, `/v1/probe/kitchen?timeout=${timeout}`, {}, 'POST')).status
    expect(await answer('1ms')).toBe(504)
    expect(await answer('12ms')).toBe(200)
  })

  test('limits the number of concurrent probes', async () => {
    const presence = twoPeers()
    let answer: (rtt: number) => void = () => {}
    const answered = new Promise<number>((resolve) => {
      answer = resolve
    })
    presence.probe = async () => await answered
    const { socket } = await running(presence)
    const asked = Array.from({ length: 65 }, () => ask({ socket }, '/v1/probe/kitchen', {}, 'POST'))
    expect(await Promise.race(asked)).toMatchObject({ status: 503, body: { code: 'EARSHOT_TOO_BUSY' } })
    answer(1)
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(64)
    expect((await ask({ socket }, '/v1/probe/kitchen', {}, 'POST')).status).toBe(200)
  })
})

test('POST /v1/query sends a query at most once a second', async () => {
  const { socket, presence } = await running()
  for (let times = 0; times < 3; times++) {
    expect(await ask({ socket }, '/v1/query', {}, 'POST')).toMatchObject({ status: 202, body: {} })
  }
  expect(presence.queries).toBe(1)
  presence.time += 1000
  await ask({ socket }, '/v1/query', {}, 'POST')
  expect(presence.queries).toBe(2)
})

test('unknown fields of a service are not sent', async () => {
  const presence = twoPeers()
  const odd = { ...service('s', '_http._tcp'), secret: 1 }
  presence.change('peer-up', 7, { ...peerView(7), services: [odd] })
  const { socket } = await running(presence)
  expect(JSON.stringify((await ask({ socket }, '/v1/services')).body)).not.toContain('secret')
})
