import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ask, FakePresence, Listener, startControl } from './fixtures.ts'

const REQUEST = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'
const LARGE = 'GET /v1/peers HTTP/1.1\r\nHost: localhost\r\n\r\n'

/** A connection that never closes its side. */
async function connected(to: string | number, text = ''): Promise<Socket> {
  const connection = connect(
    typeof to === 'string' ? { path: to, allowHalfOpen: true } : { port: to, allowHalfOpen: true },
  )
  connection.on('error', () => {})
  onTestFinished(() => void connection.destroy())
  await once(connection, 'connect')
  if (text !== '') connection.write(text)
  return connection
}

/** Until the daemon has let go of a connection that we hold: then it can no longer be written to. */
async function untilGone(connection: Socket): Promise<void> {
  const knocking = setInterval(() => connection.write('x'), 10)
  await new Promise((resolve) => connection.once('close', resolve))
  clearInterval(knocking)
}

async function textOf(connection: Socket): Promise<string> {
  let text = ''
  connection.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  await new Promise((resolve) => connection.once('end', resolve))
  return text
}

describe('a connection that its client never closes', () => {
  test.each([
    ['a part of a request', 'G', /^HTTP\/1.1 408 .*"statusCode":408/s],
    [
      'a part of a body',
      'PATCH /v1/self/attributes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
      /^HTTP\/1.1 408 /,
    ],
    ['nothing', '', /^$/],
    ['nonsense', 'nonsense\r\n\r\n', /^HTTP\/1.1 400 /],
    ['a whole request', REQUEST, /^HTTP\/1.1 200 /],
    ['a whole request and a part of the next', `${REQUEST}GET`, /^HTTP\/1.1 200 /],
  ])('after %s is ended by the daemon', async (_what, text, said) => {
    const { socket } = await startControl(new FakePresence(), { tickMs: 10 })
    const connection = await connected(socket, text)
    expect(await textOf(connection)).toMatch(said)
    await untilGone(connection)
  })

  test('is closed if the client does not read the answer', async () => {
    const presence = new FakePresence()
    for (let number = 0; number < 3000; number++) presence.change('peer-up', number)
    const { socket } = await startControl(presence, { sendTimeoutMs: 50 })
    await untilGone(await connected(socket, LARGE))
  })
})

test('idle connections do not block new clients on either transport', async () => {
  const { socket, port } = await startControl(new FakePresence(), { maxOpenFiles: 32 })
  const idle = await Promise.all(Array.from({ length: 100 }, () => connected(port, 'G')))
  expect((await ask({ port }, '/healthz')).status).toBe(200)
  expect((await ask({ socket }, '/healthz')).status).toBe(200)
  await Promise.all(Array.from({ length: 100 }, () => connected(socket, 'G')))
  expect((await ask({ socket }, '/healthz')).status).toBe(200)
  // Only as many are held as there is room for.
  await Promise.all(idle.slice(0, 92).map(untilGone))
})

test('a connection that waits for an answer is not closed for a new one', async () => {
  const { port, presence } = await startControl(new FakePresence(), { maxOpenFiles: 32 })
  const readers = Array.from({ length: 8 }, () => new Listener({ port }, '/v1/events'))
  await Promise.all(readers.map((reader) => reader.untilType('sync')))
  await expect(ask({ port }, '/healthz')).rejects.toMatchObject({ code: 'ECONNRESET' })
  presence.change('peer-up', 2)
  await Promise.all(readers.map((reader) => reader.untilType('peer-up')))
})

test('a whole request is answered, however long the daemon was suspended before it read it', async () => {
  const { socket } = await startControl(new FakePresence(), { tickMs: 10 })
  const fresh = await connected(socket)
  const used = await connected(socket, REQUEST)
  await once(used, 'readable')
  used.read()
  fresh.write(REQUEST)
  used.write(REQUEST)
  // Nothing is read meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
  expect(await textOf(fresh)).toMatch(/^HTTP\/1.1 200 /)
  expect(await textOf(used)).toMatch(/^HTTP\/1.1 200 /)
})

test('connections that wait for a request are closed at once when the server closes, others after a while', async () => {
  // If one of them were closed only after this time, the test would time out.
  const { control, socket, port } = await startControl(new FakePresence(), { closeTimeoutMs: 3_600_000 })
  const unused = [await connected(socket), await connected(port)]
  const used = await connected(socket, REQUEST)
  await once(used, 'readable')
  await control.close()
  await Promise.all([...unused, used].map(untilGone))

  const other = await startControl(new FakePresence(), { closeTimeoutMs: 10 })
  const halfAsked = await connected(other.socket, 'GET')
  expect((await ask({ socket: other.socket }, '/healthz')).status).toBe(200)
  await other.control.close()
  await untilGone(halfAsked)
})
