import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { exchange, type HttpRequest, type HttpResponse } from '../../src/client/http.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const REQUEST: HttpRequest = { method: 'GET', path: '/', host: 'localhost', headers: {} }
const HANG_UP = { code: 'ECONNRESET' }

/** A server on a socket that handles each connection with this function, after the first bytes of the request. */
async function serve(handle: (connection: Socket, request: string) => void): Promise<{ path: string }> {
  const path = join(await temporaryDirectory(), 'socket')
  const server = createServer((connection) => {
    connection.on('error', () => {})
    connection.once('data', (bytes) => handle(connection, String(bytes)))
  })
  server.listen(path)
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return { path }
}

/** The response to a request that the server answers with these pieces of text, before it closes the connection. */
async function responseTo(...pieces: string[]): Promise<HttpResponse> {
  const address = await serve(async (connection) => {
    for (const piece of pieces) {
      connection.write(piece, 'latin1')
      await delay(1)
    }
    connection.end()
  })
  return await exchange(address, REQUEST, undefined)
}

async function text(body: Readable): Promise<string> {
  let all = ''
  for await (const chunk of body.setEncoding('utf8')) all += chunk
  return all
}

test('sends the method, the path, the headers and the content', async () => {
  let sent = ''
  const address = await serve((connection, request) => {
    sent = request
    connection.end('HTTP/1.1 204 No Content\r\n\r\n')
  })
  const headers = { accept: 'a/b', 'content-length': '3' }
  const { status, body } = await exchange(address, { ...REQUEST, method: 'PUT', headers, content: 'é!' }, undefined)
  expect([status, await text(body)]).toEqual([204, ''])
  expect(sent).toBe(
    'PUT / HTTP/1.1\r\nhost: localhost\r\naccept: a/b\r\ncontent-length: 3\r\nconnection: close\r\n\r\né!',
  )
})

test.each([
  { ...REQUEST, path: '/a b' },
  { ...REQUEST, path: '/\r\nx: y' },
  { ...REQUEST, path: '/é' },
  { ...REQUEST, headers: { authorization: 'Bearer a\nx: y' } },
])('refuses characters that would change the request: %j', async (request) => {
  await expect(exchange({ path: '/nowhere' }, request, undefined)).rejects.toThrow(TypeError)
})

test.each<[kind: string, pieces: string[]]>([
  ['a length', ['HTTP/1.1 200 OK\r\nContent-Length: 4\r\nETag: W/"a"\r\n\r\nbody and more']],
  [
    'chunks',
    ['HTTP/1.1 200 OK\r\netag: W/"a"\r\ntransfer-encoding: chunked\r\n\r\n2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\nt: u\r\n\r\n'],
  ],
  ['the end of the connection', ['HTTP/1.0 200 OK\r\netag: W/"a"\r\n\r\nbody']],
  [
    'interim responses',
    ['HTTP/1.1 103 Early\r\nlink: a\r\n\r\n', 'HTTP/1.1 200 OK\r\netag: W/"a"\r\ncontent-length:4\r\n\r\nbody'],
  ],
  ['single bytes', [...'HTTP/1.1 200 OK\r\netag: W/"a"\r\ncontent-length: 4\r\n\r\nbody']],
  [
    'another response after it',
    ['HTTP/1.1 200 OK\r\netag: W/"a"\r\ncontent-length: 4\r\n\r\nbodyHTTP/1.1 500 No\r\n\r\n'],
  ],
])('reads a response with %s', async (_kind, pieces) => {
  const { status, tag, body } = await responseTo(...pieces)
  expect([status, tag, await text(body)]).toEqual([200, 'W/"a"', 'body'])
})

test.each([204, 304])('a response with status %i has no body', async (status) => {
  const response = await responseTo(`HTTP/1.1 ${status} x\r\ncontent-length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\nz`)
  expect([response.status, response.tag, await text(response.body)]).toEqual([status, undefined, ''])
})

test.each([
  'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nbody',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-ffffffffffff\r\nbody\r\n',
  'HTTP/1.1 200 OK\r\ncontent-length: -999999999999999\r\n\r\nbody',
  'HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nbody',
])('the body fails when it has no proper end: %j', async (answer) => {
  const { body } = await responseTo(answer)
  await expect(text(body)).rejects.toThrow()
})

test.each(['', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 100 Continue\r\n\r\n'])(
  'a connection that ends before the head of the response is a hang-up: %j',
  async (answer) => {
    await expect(responseTo(answer)).rejects.toMatchObject(answer.endsWith('OK\r\n') ? {} : HANG_UP)
  },
)

test('refuses what is not HTTP, and heads without an end', async () => {
  await expect(responseTo('220 mail.example ESMTP\r\n')).rejects.toThrow('Parse Error')
  await expect(responseTo('HTTP/1.1 200 OK\r\n', 'a'.repeat(100_000))).rejects.toThrow('max header size')
})

test.each(['2;', '0\r\n', '0\r\nt: '])('refuses an endless line or endless trailers after %j', async (begin) => {
  const endless = (begin.endsWith('\r\n') ? 'a: b\r\n' : 'abcdef').repeat(100_000)
  const { body } = await responseTo('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', `${begin}${endless}`)
  await expect(text(body)).rejects.toThrow('without content')
})

test('the code of the system tells why the connection failed', async () => {
  await expect(exchange({ path: '/nowhere' }, REQUEST, undefined)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('the server waits while nobody reads the body', async () => {
  let sent = 0
  const chunk = 'a'.repeat(0x10000)
  const address = await serve((connection) => {
    connection.write('HTTP/1.1 200 OK\r\n\r\n')
    const send = () => {
      while (sent < 400 * chunk.length) {
        sent += chunk.length
        if (!connection.write(chunk)) return
      }
      connection.end()
    }
    connection.on('drain', send)
    send()
  })
  const { body } = await exchange(address, REQUEST, undefined)
  let before = -1
  while (before !== sent) {
    before = sent
    await delay(50)
  }
  expect(sent).toBeLessThan(100 * chunk.length)
  expect((await text(body)).length).toBe(400 * chunk.length)
})

test('an abort closes the connection, before and after the head', async () => {
  for (const answer of ['', 'HTTP/1.1 200 OK\r\n\r\n']) {
    const controller = new AbortController()
    let onClosed = () => {}
    const closed = new Promise<void>((resolve) => {
      onClosed = resolve
    })
    const address = await serve((connection) => {
      connection.on('close', () => onClosed())
      if (answer) connection.write(answer)
      else controller.abort()
    })
    const response = exchange(address, REQUEST, controller.signal)
    if (answer) {
      const { body } = await response
      controller.abort()
      await expect(text(body)).rejects.toThrow()
    } else {
      await expect(response).rejects.toThrow()
    }
    await closed
  }
})

test('an aborted signal sends nothing', async () => {
  const address = await serve(() => expect.unreachable())
  await expect(exchange(address, REQUEST, AbortSignal.abort())).rejects.toThrow()
})
