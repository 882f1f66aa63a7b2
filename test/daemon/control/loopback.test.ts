import { once } from 'node:events'
import { connect } from 'node:net'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { parseHttpAddress } from '../../../src/daemon/config/values.ts'
import { ControlServer } from '../../../src/daemon/control/server.ts'
import { ask, FakePresence, startControl } from './fixtures.ts'

describe('on loopback', () => {
  test.each([
    ['127.0.0.1:1', {}, 200],
    ['localhost', {}, 200],
    ['LOCALHOST:15353', {}, 200],
    ['[::1]:15353', {}, 200],
    ['127.0.0.2', {}, 200],
    ['evil.example', {}, 403],
    ['evil.example:15353', {}, 403],
    ['localhost.evil.example', {}, 403],
    ['127.0.0.1.evil.example', {}, 403],
    ['127.0.0.1@evil.example', {}, 403],
    ['localhost:15353:80', {}, 403],
    ['192.168.1.2:15353', {}, 403],
    ['localhost:80', { origin: 'http://localhost:80' }, 200],
    ['localhost:80', { origin: 'http://127.0.0.1:80' }, 200],
    ['localhost:80', { origin: 'http://localhost:3000' }, 403],
    ['localhost:80', { origin: 'https://localhost:80' }, 403],
    ['localhost:80', { origin: 'http://evil.example' }, 403],
    ['localhost:80', { origin: 'http://evil.example:80' }, 403],
    ['localhost:80', { origin: 'null' }, 403],
    ['localhost:80', { 'sec-fetch-site': 'same-origin' }, 200],
    ['localhost:80', { 'sec-fetch-site': 'none' }, 200],
    ['localhost:80', { 'sec-fetch-site': 'cross-site' }, 403],
    ['localhost:80', { 'sec-fetch-site': 'same-site' }, 403],
  ])('Host %s, %o: %i', async (host, headers, status) => {
    const { port, socket } = await startControl()
    for (const path of ['/v1/peers', '/openapi.json']) {
      const answer = await ask({ port }, path, { host, ...headers })
      expect(answer.status).toBe(status)
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
      if (status === 403)
        expect(answer.body).toMatchObject({ code: expect.stringMatching(/^EARSHOT_FOREIGN_(HOST|ORIGIN)$/) })
    }
    expect((await ask({ port }, '/nothing', { host, ...headers })).status).toBe(status === 403 ? 403 : 404)
    expect((await ask({ socket }, '/v1/peers', { host, ...headers })).status).toBe(200)
  })

  test.each([
    ['NONSENSE\r\n\r\n', 400],
    ['GET /healthz HTTP/1.1\r\n\r\n', 400],
    ['GET /healthz HTTP/1.0\r\n\r\n', 403],
    ['GET http://evil.example/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n', 403],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ])('%j', async (text, status) => {
    const { port } = await startControl()
    const connection = connect(port, '127.0.0.1')
    connection.write(text)
    const [answer] = await once(connection, 'data')
    expect(String(answer)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    connection.destroy()
  })

  test.each([
    ['off', undefined],
    ['15354', { host: '127.0.0.1', port: 15354 }],
    ['localhost:0', { host: '127.0.0.1', port: 0 }],
    ['127.0.0.9:80', { host: '127.0.0.9', port: 80 }],
    ['[::1]:15353', { host: '::1', port: 15353 }],
  ])('--http %s', (text, address) => {
    expect(parseHttpAddress(text)).toEqual(address)
  })

  test.each([
    '0.0.0.0:15353',
    '192.168.1.2:80',
    '[::]:80',
    'example.org:80',
    '127.0.0.1',
    'x',
    '',
    '127.0.0.1:99999',
    '127.1:80',
  ])('refuses --http %s', (text) => {
    expect(() => parseHttpAddress(text)).toThrow(/^http must be/)
  })

  test('refuses to listen on other addresses', () => {
    const options = { socket: '/nowhere', http: { host: '0.0.0.0', port: 1 }, log: pino({ level: 'silent' }) }
    expect(() => new ControlServer(new FakePresence(), options)).toThrow('http must be on loopback, not 0.0.0.0')
  })
})
