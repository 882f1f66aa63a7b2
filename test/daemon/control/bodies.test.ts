import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ask, FakePresence, openCatalogue, sendJson, startControl, type Way } from './fixtures.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const SERVICE = '/v1/services/shop'
const ATTRIBUTES = '/v1/self/attributes'

async function running(options = {}) {
  const presence = new FakePresence()
  const catalogue = await openCatalogue(presence)
  return { catalogue, ...(await startControl(presence, options)) }
}

describe('an invalid body', () => {
  const service = { type: 'http', port: 1 }
  test.each<[string, unknown, string]>([
    [SERVICE, {}, "body: 'type' is missing"],
    [SERVICE, { type: 'http' }, "body: 'port' is missing"],
    [SERVICE, [], 'body: expected an object with type and port, found []'],
    [SERVICE, null, 'body: expected an object with type and port, found null'],
    [SERVICE, 'x', 'body: expected an object with type and port, found "x"'],
    [SERVICE, { ...service, port: 70_000 }, 'body/port: expected a port from 0 to 65535, found 70000'],
    [SERVICE, { ...service, port: '80' }, 'body/port: expected a port from 0 to 65535, found "80"'],
    [SERVICE, { ...service, port: 1.5 }, 'body/port: expected a port from 0 to 65535, found 1.5'],
    [SERVICE, { ...service, prot: 'tcp' }, "body: unknown key 'prot' (did you mean 'port'?)"],
    [SERVICE, { ...service, id: 'other' }, "body: unknown key 'id'"],
    [SERVICE, { ...service, protocol: 'sctp' }, 'body/protocol: expected tcp or udp, found "sctp"'],
    [SERVICE, { ...service, type: 'a b' }, 'body/type: expected a type such as http or _http._tcp'],
    [SERVICE, { ...service, name: 7 }, 'body/name: expected a name of 1 to 63 characters'],
    [SERVICE, { ...service, name: 'x'.repeat(64) }, 'body/name: expected a name of 1 to 63 characters'],
    [SERVICE, { ...service, name: 'a\nb' }, 'body/name: expected a name of 1 to 63 characters'],
    [SERVICE, { ...service, txt: 'a=b' }, 'body/txt: expected keys of'],
    [SERVICE, { ...service, txt: { a: null } }, 'body/txt/a: expected a text of at most 1024 characters'],
    [SERVICE, { ...service, txt: { a: 'x'.repeat(1025) } }, 'body/txt/a: expected a text of at most 1024 characters'],
    [SERVICE, { ...service, txt: { 'a b': '' } }, 'body/txt: expected keys of 1 to 64 printable ASCII characters'],
    [SERVICE, { ...service, subtypes: [''] }, 'body/subtypes/0: must NOT have fewer than 1 characters'],
    [SERVICE, { ...service, subtypes: Array(17).fill('x') }, 'body/subtypes: expected at most 16 names'],
    [SERVICE, { ...service, ttl: 5 }, 'body/ttl: expected a duration from 1s to 24h such as 30s or 5m, found 5'],
    [SERVICE, { ...service, ttl: '5' }, 'body/ttl: expected a duration from 1s to 24h such as 30s or 5m, found "5"'],
    [SERVICE, { ...service, ttl: '999ms' }, 'body/ttl: expected a duration from 1s to 24h'],
    [SERVICE, { ...service, ttl: '25h' }, 'body/ttl: expected a duration from 1s to 24h'],
    [`/v1/services/${'x'.repeat(65)}`, service, 'params/id: expected an id of 1 to 64 printable ASCII characters'],
    [
      '/v1/services/the%20daemon',
      service,
      'params/id: expected an id of 1 to 64 printable ASCII characters, no spaces, found "the daemon"',
    ],
    [
      SERVICE,
      { ...service, type: 'x'.repeat(16) },
      'body/type: expected a type such as http or _http._tcp (at most 15',
    ],
    [
      SERVICE,
      { ...service, type: '_nvstream_dbd._tcp' },
      'body/type: expected a type such as http or _http._tcp (at most',
    ],
    [ATTRIBUTES, [], 'body: expected keys of'],
    [ATTRIBUTES, { a: {} }, 'body/a: expected a text of at most 1024 characters, a number, true, false, or null'],
    [ATTRIBUTES, { a: [1] }, 'body/a: expected a text of at most 1024 characters, a number, true, false, or null'],
    [ATTRIBUTES, { a: 'x'.repeat(1025) }, 'body/a: expected a text of at most 1024 characters'],
    [ATTRIBUTES, { ä: 1 }, 'body: expected keys of 1 to 64 printable ASCII characters, no spaces, found "ä"'],
    [
      ATTRIBUTES,
      { ['__proto__']: 1 },
      'body: expected keys of 1 to 64 printable ASCII characters, no spaces, found "__proto__"',
    ],
  ])('%s %j', async (path, body, message) => {
    const { socket, catalogue } = await running()
    expect(await sendJson({ socket }, path === ATTRIBUTES ? 'PATCH' : 'PUT', path, body)).toMatchObject({
      status: 400,
      body: { statusCode: 400, code: 'EARSHOT_BAD_REQUEST', message: expect.stringContaining(message) },
    })
    expect(catalogue.list()).toEqual([])
    expect(catalogue.attributes).toEqual({})
  })

  test.each([
    ['{"type":"http","protocol":"udp","port":1,"txt":{"k":"é\xff"}}', 'the body is not UTF-8'],
    ['\xef\xbb\xbf\xff', 'the body is not UTF-8'],
    ['{"type":', 'the body is not JSON: '],
    ['type=http', 'the body is not JSON: '],
    ['{"type":"http","port":1e999}', 'body/port: expected a port'],
    ['', 'body'],
  ])('%j', async (text, message) => {
    const { socket } = await running()
    expect(await ask({ socket }, SERVICE, JSON_TYPE, 'PUT', Buffer.from(text, 'latin1'))).toMatchObject({
      status: 400,
      body: { code: 'EARSHOT_BAD_REQUEST', message: expect.stringContaining(message) },
    })
  })

  test.each([33, 7000, 32_000])('is nested %i deep', async (depth) => {
    const { socket } = await running()
    const deep = '['.repeat(depth) + ']'.repeat(depth)
    for (const [method, path, text] of [
      ['PUT', SERVICE, deep],
      ['PUT', SERVICE, `{"type":"http","port":1,"txt":{"a":${deep}}}`],
      ['PATCH', ATTRIBUTES, `{"a":${deep}}`],
    ] as const) {
      expect(await ask({ socket }, path, JSON_TYPE, method, text)).toMatchObject({
        status: 400,
        body: {
          code: 'EARSHOT_BAD_REQUEST',
          message: 'the body nests objects and arrays more than 32 levels deep',
        },
      })
    }
  })

  test('has a type and a protocol that contradict each other', async () => {
    const { socket } = await running()
    const answer = await sendJson({ socket }, 'PUT', SERVICE, { type: '_http._tcp', protocol: 'udp', port: 1 })
    expect(answer).toMatchObject({ status: 400, body: { code: 'EARSHOT_BAD_SERVICE' } })
  })

  test.each([undefined, 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', 'nonsense'])(
    'is of the type %s',
    async (type) => {
      const { socket } = await running()
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      for (const [method, path] of [
        ['PUT', SERVICE],
        ['PATCH', ATTRIBUTES],
      ] as const) {
        expect(await ask({ socket }, path, headers, method, '{}')).toMatchObject({
          status: 415,
          body: {
            code: 'EARSHOT_WRONG_CONTENT_TYPE',
            message: expect.stringContaining(`must be application/json, not '${type ?? ''}'`),
          },
        })
      }
    },
  )

  test.each([
    ['GET', '/v1/peers'],
    ['GET', '/v1/services'],
    ['GET', '/v1/self'],
    ['GET', '/v1/events'],
    ['GET', '/healthz'],
    ['DELETE', SERVICE],
    ['POST', '/v1/query'],
    ['POST', '/v1/probe/x'],
  ])('is refused by %s %s', async (method, path) => {
    const { socket } = await running()
    expect(await sendJson({ socket }, method, path, {}, { 'content-length': '2' })).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('takes no body') },
    })
  })
})

describe('a body of 100 MB', () => {
  test.each([
    ['PUT', SERVICE, { 'content-length': '100000000' }, 413],
    ['PATCH', ATTRIBUTES, { 'content-length': '100000000' }, 413],
    ['PUT', SERVICE, { 'transfer-encoding': 'chunked' }, 413],
    ['POST', '/v1/query', { 'content-length': '100000000' }, 400],
    ['GET', '/v1/peers', { 'transfer-encoding': 'chunked' }, 400],
    ['PUT', '/nothing', { 'content-length': '100000000' }, 413],
  ])('%s %s %o is refused before it is complete: %i', async (method, path, headers, status) => {
    const { socket, port, presence } = await running()
    for (const way of [{ socket }, { port }]) {
      const authorization = `Bearer ${presence.token}`
      const before = process.memoryUsage().arrayBuffers
      const answer = await pour(way, method, path, { ...JSON_TYPE, ...headers, authorization })
      expect(answer).toMatchObject({ status, body: { statusCode: status } })
      expect(answer.taken).toBeLessThan(90_000_000)
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32_000_000)
      expect((await ask({ socket }, '/healthz')).status).toBe(200)
    }
  })

  test('is not read without the token', async () => {
    const { port } = await running()
    const answer = await pour({ port }, 'PUT', SERVICE, { ...JSON_TYPE, 'content-length': '100000000' })
    expect(answer).toMatchObject({ status: 401, body: { code: 'EARSHOT_TOKEN_NEEDED' } })
  })
})

describe('a slow request', () => {
  test.each([
    [
      'PUT /v1/services/shop HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"a',
      408,
    ],
    ['PUT /v1/services/shop HTTP/1.1\r\nHost: localhost\r\nContent-', 408],
    ['', undefined],
  ])('%j', async (text, status) => {
    const { socket } = await running({ tickMs: 20 })
    const connection = connect(socket)
    onTestFinished(() => void connection.destroy())
    connection.on('error', () => {})
    connection.write(text)
    // One byte at a time is no excuse.
    const drip = setInterval(() => connection.write('x'), 20)
    let answer = ''
    connection.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk
    })
    await once(connection, 'close')
    clearInterval(drip)
    if (status) expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect((await ask({ socket }, '/healthz')).status).toBe(200)
  })

  test('that is aborted does no harm', async () => {
    const { socket } = await running()
    const connection = connect(socket)
    connection.write(
      `PUT ${SERVICE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
    )
    await ask({ socket }, '/healthz')
    connection.destroy()
    expect((await ask({ socket }, '/healthz')).status).toBe(200)
  })
})

describe('any input', () => {
  const answers = [200, 201, 400, 413, 415]
  test('as a service or attributes', async () => {
    const { socket } = await running()
    const value = fc.oneof(
      fc.jsonValue(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('http', '_http._tcp', 80, '30s'),
    )
    const key = fc.oneof(fc.constantFrom('name', 'type', 'protocol', 'port', 'txt', 'subtypes', 'ttl'), fc.string())
    const body = fc.oneof(
      fc.dictionary(key, value),
      fc.jsonValue(),
      fc.record({ type: fc.constant('http'), port: fc.nat(70_000), txt: fc.dictionary(fc.string(), value) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1 }), body, async (id, given) => {
        const put = await sendJson({ socket }, 'PUT', `/v1/services/${encodeURIComponent(id)}`, given)
        const patched = await sendJson({ socket }, 'PATCH', ATTRIBUTES, given)
        for (const { status, body } of [put, patched]) {
          expect(answers).toContain(status)
          if (status >= 400)
            expect(body).toMatchObject({ statusCode: status, code: expect.stringMatching(/^EARSHOT_/) })
        }
      }),
      { numRuns: 300 },
    )
    expect((await ask({ socket }, '/v1/self')).status).toBe(200)
  })

  test('as bytes', async () => {
    const { socket } = await running()
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const { status } = await ask({ socket }, ATTRIBUTES, JSON_TYPE, 'PATCH', bytes)
        expect(answers).toContain(status)
      }),
      { numRuns: 200 },
    )
  })
})

/** Sends up to 100 MB for as long as they are taken, and resolves with the answer and how much went. */
async function pour(way: Way, method: string, path: string, headers: Record<string, string>) {
  const chunk = Buffer.alloc(64 * 1024, 0x20)
  const target = 'socket' in way ? { socketPath: way.socket } : { host: '127.0.0.1', port: way.port }
  const asked = request({ ...target, path, method, headers, agent: false })
  let taken = 0
  let isOver = false
  asked.on('error', () => {
    isOver = true
  })
  const answered = once(asked, 'response')
  answered.finally(() => {
    isOver = true
  })
  while (!isOver && taken < 99_900_000) {
    taken += chunk.length
    if (!asked.write(chunk)) await Promise.race([once(asked, 'drain'), answered])
  }
  const [answer] = await answered
  let text = ''
  for await (const part of answer.setEncoding('utf8')) text += part
  asked.destroy()
  return { status: answer.statusCode, body: JSON.parse(text), taken }
}
