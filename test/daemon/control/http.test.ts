import { connect } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { writeJson } from '../../../src/daemon/control/api-json.ts'
import { ask, FakePresence, openCatalogue, sendJson, startControl } from './fixtures.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const SHOP = '/v1/services/shop'

async function running() {
  const presence = new FakePresence()
  await openCatalogue(presence)
  return await startControl(presence)
}

/** All that comes on a connection for these bytes. */
async function raw(to: string | number, bytes: string): Promise<string> {
  const connection = typeof to === 'string' ? connect(to) : connect(to, '127.0.0.1')
  onTestFinished(() => void connection.destroy())
  connection.write(bytes)
  let text = ''
  for await (const chunk of connection.setEncoding('utf8')) text += chunk
  return text
}

describe('a method that a URL does not have', () => {
  test.each([
    ['POST', '/v1/peers', 'GET, HEAD'],
    ['HEAD', '/v1/events', 'GET'],
    ['DELETE', '/v1/self/attributes', 'PATCH'],
    ['GET', '/v1/query', 'POST'],
    ['PUT', '/v1/peers/kitchen', 'GET, HEAD'],
    ['OPTIONS', '/healthz', 'GET, HEAD'],
  ])('%s %s is refused with 405 and the header Allow', async (method, path, allow) => {
    const { socket } = await running()
    const answer = await ask({ socket }, path, {}, method)
    expect(answer).toMatchObject({ status: 405, headers: { allow } })
    if (method !== 'HEAD') expect(answer.body).toMatchObject({ statusCode: 405, code: 'EARSHOT_METHOD_NOT_ALLOWED' })
  })

  test('also with a body', async () => {
    const { socket } = await running()
    expect(await sendJson({ socket }, 'POST', '/v1/peers', { a: 1 })).toMatchObject({ status: 405 })
  })
})

describe('an empty body', () => {
  test.each([
    ['DELETE', SHOP, JSON_TYPE, 204],
    ['DELETE', SHOP, { 'content-type': 'text/plain' }, 204],
    ['DELETE', SHOP, { ...JSON_TYPE, 'transfer-encoding': 'chunked' }, 204],
    ['POST', '/v1/query', JSON_TYPE, 202],
    ['POST', '/v1/query', { ...JSON_TYPE, 'content-length': '0' }, 202],
    ['POST', '/v1/query', { 'transfer-encoding': 'chunked' }, 202],
    ['POST', '/v1/query', { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' }, 202],
  ])('of %s %s with %o is accepted', async (method, path, headers, status) => {
    const { socket } = await running()
    await sendJson({ socket }, 'PUT', SHOP, { type: 'http', port: 1 })
    expect((await ask({ socket }, path, headers as Record<string, string>, method)).status).toBe(status)
  })

  test.each([JSON_TYPE, { 'content-type': 'text/plain' }, {}])('but a body in chunks is refused: %o', async (type) => {
    const { socket } = await running()
    const headers = { ...type, 'transfer-encoding': 'chunked' } as Record<string, string>
    expect(await ask({ socket }, '/v1/query', headers, 'POST', '{}')).toMatchObject({
      status: 400,
      body: { message: 'POST /v1/query takes no body' },
    })
  })
})

test.each([
  ['without a Host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'the header Host is missing'],
  [
    'with an odd Expect',
    'GET /healthz HTTP/1.1\r\nHost: localhost\r\nExpect: a miracle\r\n\r\n',
    417,
    "not 'a miracle'",
  ],
])('a request %s is answered in JSON', async (_what, bytes, status, message) => {
  const { socket, port } = await running()
  for (const to of [socket, port]) {
    const [head = '', body = ''] = (await raw(to, bytes)).split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(JSON.parse(body)).toMatchObject({ statusCode: status, code: 'EARSHOT_BAD_REQUEST' })
    expect(body).toContain(message)
  }
})

describe('a service’s type', () => {
  test.each(['-a', 'a-', 'a--b', '123', '1-2', '_-a._tcp', '_a--b._udp', '_123._tcp', 'abcdefghijklmnop', 'a_b', '_a'])(
    '%s is refused',
    async (type) => {
      const { socket } = await running()
      expect(await sendJson({ socket }, 'PUT', SHOP, { type, port: 1 })).toMatchObject({
        status: 400,
        body: { message: expect.stringContaining('body/type: expected a type such as http') },
      })
    },
  )
  test.each(['a', '3d', 'x-1', 'a-b-c', '_a1._tcp', 'abcdefghijklmno', 'HTTP'])('%s is not', async (type) => {
    const { socket } = await running()
    expect(await sendJson({ socket }, 'PUT', SHOP, { type, port: 1 })).toMatchObject({ status: 201 })
  })
})

test('TXT keys that differ in case only are refused', async () => {
  const { socket } = await running()
  const service = { type: 'http', port: 1, txt: { path: '/', Path: '/x' } }
  expect(await sendJson({ socket }, 'PUT', SHOP, service)).toMatchObject({
    status: 400,
    body: { code: 'EARSHOT_BAD_SERVICE', message: expect.stringContaining('txt.Path: it differs from txt.path') },
  })
})

describe('an unpaired surrogate', () => {
  test.each([
    ['PUT', SHOP, { type: 'http', port: 1, name: 'a\ud800' }, 'body/name: expected a name'],
    ['PUT', SHOP, { type: 'http', port: 1, txt: { a: '\udc00b' } }, 'body/txt/a: expected a text'],
    ['PUT', SHOP, { type: 'http', port: 1, subtypes: ['\ud83d'] }, 'body/subtypes/0'],
    ['PUT', SHOP, { type: '\ud800', port: 1 }, 'body/type'],
    ['PATCH', '/v1/self/attributes', { status: '\ud800' }, 'body/status: expected a text'],
    ['PATCH', '/v1/self/attributes', { '\ud800': 'x' }, 'body: expected keys'],
  ])('is refused: %s %s %j', async (method, path, body, message) => {
    const { socket } = await running()
    const answer = await sendJson({ socket }, method, path, body)
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining(message) } })
    // An unpaired surrogate in the value is shown as text, `\ud800`, which any parser can read.
    expect(JSON.stringify(answer.body)).not.toMatch(/(?<!\\)\\ud/)
  })

  test('is in none of the answers', async () => {
    const { socket, presence } = await running()
    presence.change('peer-up', 1, { name: 'a\ud800z', attributes: { note: '\\ud800 \ud83d\ude00' } })
    const { body } = await ask({ socket }, '/v1/peers')
    expect(body).toMatchObject({ peers: [{ name: 'a\ufffdz', attributes: { note: '\\ud800 \ud83d\ude00' } }] })
    expect(writeJson({ a: ['\udfff'] })).toBe('{"a":["\ufffd"]}')
  })
})
