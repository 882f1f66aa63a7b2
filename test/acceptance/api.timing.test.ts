import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { expect, it } from 'vitest'
import { type Daemon, describeLab, Lab } from '../lab/index.ts'
import { startAll, waitUntilAllAlive } from './daemons.ts'

interface Operation {
  method: string
  path: string
  hasBody: boolean
}

interface Document {
  paths: Record<string, Record<string, { requestBody?: unknown }>>
}

/** All operations of the daemon's OpenAPI document except GET and HEAD. */
async function changingOperations(daemon: Daemon): Promise<Operation[]> {
  const { paths } = await daemon.get<Document>('/openapi.json')
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => method !== 'get' && method !== 'head')
      .map(([method, { requestBody }]) => ({
        method: method.toUpperCase(),
        path: path.replace(/\{[^}]+\}/g, 'something'),
        hasBody: requestBody !== undefined,
      })),
  )
}

interface ErrorResponse {
  status: number
  body: { code?: string; message?: string }
}

/** Sends a raw body. Resolves with the response, even if the daemon closes the connection before the body ends. */
function send(
  daemon: Daemon,
  { method, path }: Operation,
  body: Buffer,
  type = 'application/json',
): Promise<ErrorResponse> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': type, 'content-length': body.length }
    const call = request({ socketPath: daemon.socket, method, path, headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }))
      response.on('error', reject)
    })
    let answered = false
    call.on('response', () => {
      answered = true
    })
    call.on('error', (error) => answered || reject(error))
    call.end(body)
  })
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value))
const service = { type: 'http', port: 80 }

/** Invalid bodies, and a pattern for the error message of each. */
const INVALID_BODIES: Record<string, { fault: string; body: unknown; names: RegExp }[]> = {
  PUT: [
    { fault: 'wrong type', body: { ...service, port: 'eighty' }, names: /port/ },
    { fault: 'missing field', body: { type: 'http' }, names: /port/ },
    { fault: 'unknown field', body: { ...service, colour: 'red' }, names: /colour/ },
    { fault: 'over-long text', body: { ...service, name: 'x'.repeat(5000) }, names: /name/ },
    { fault: 'no object', body: [1], names: /body/ },
  ],
  PATCH: [
    { fault: 'wrong type', body: { load: { nested: true } }, names: /load/ },
    { fault: 'over-long text', body: { status: 'x'.repeat(5000) }, names: /status/ },
    { fault: 'over-long key', body: { ['x'.repeat(5000)]: 1 }, names: /body/ },
    { fault: 'no object', body: 'text', names: /body/ },
  ],
}

describeLab('the API', () => {
  it('rejects invalid input in every write operation, names the error, and keeps running', async () => {
    await using lab = await Lab.create()
    const daemon = await (await lab.host('a', [await lab.network('lan')])).daemon()
    const operations = await changingOperations(daemon)
    expect(operations.map(({ method }) => method).sort()).toEqual(['DELETE', 'PATCH', 'POST', 'POST', 'PUT'])

    for (const operation of operations) {
      const what = `${operation.method} ${operation.path}`
      const expectRefusal = async (fault: string, body: Buffer, names: RegExp, type?: string) => {
        const answer = await send(daemon, operation, body, type)
        expect(answer.status, `${what}: ${fault}`).toBeGreaterThanOrEqual(400)
        expect(answer.status, `${what}: ${fault}`).toBeLessThan(500)
        expect(answer.body.code, `${what}: ${fault}`).toMatch(/^EARSHOT_/)
        expect(answer.body.message, `${what}: ${fault}`).toMatch(names)
      }
      for (const { fault, body, names } of INVALID_BODIES[operation.method] ?? [])
        await expectRefusal(fault, json(body), names)
      await expectRefusal('100 MB', Buffer.alloc(100 * 1024 * 1024, 32), /bytes|body/)
      if (!operation.hasBody) continue
      await expectRefusal('bad UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), /UTF-8/)
      await expectRefusal('no JSON', Buffer.from('{"a":'), /JSON/)
      await expectRefusal('wrong content type', json(service), /content|type/i, 'text/plain')
    }
    expect(await daemon.get('/healthz')).toMatchObject({ status: 'ok' })
    expect(daemon.process.running).toBe(true)
    expect(await daemon.self()).toMatchObject({ services: [], attributes: {} })
  })

  it('does not wait for a body that arrives too slowly', async () => {
    await using lab = await Lab.create()
    const daemon = await (await lab.host('a', [await lab.network('lan')])).daemon()
    const slow = connect(daemon.socket)
    const closed = new Promise<string>((resolve) => {
      let text = ''
      slow.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      slow.on('close', () => resolve(text))
      slow.on('error', () => {})
    })
    slow.write(
      'PUT /v1/services/slow HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n',
    )
    const trickle = setInterval(() => slow.write(' '), 500)
    expect(await closed).toMatch(/^HTTP\/1\.1 408 /)
    clearInterval(trickle)
    expect(await daemon.get('/healthz')).toMatchObject({ status: 'ok' })
  })

  it('answers a thousand blocked queries within 1 s of one change', async () => {
    await using lab = await Lab.create()
    const [here, there] = await lab.hosts(['here', 'there'], [await lab.network('lan')])
    if (!here || !there) throw new Error('no hosts')
    const [daemon, other] = await startAll([here, there])
    if (!daemon || !other) throw new Error('no daemons')
    await waitUntilAllAlive([daemon, other])
    const { index } = await daemon.get<{ index: number }>('/v1/peers')
    const agent = new Agent({ maxSockets: Number.POSITIVE_INFINITY })
    const blocked = Array.from(
      { length: 1000 },
      () =>
        new Promise<number>((resolve, reject) => {
          const path = `/v1/peers?since=${index}&wait=60s`
          const call = request({ socketPath: daemon.socket, path, agent }, (response) => {
            response.resume().on('end', () => resolve(response.statusCode === 200 ? Date.now() : Number.NaN))
          })
          call.on('error', reject).end()
        }),
    )
    // A later request is answered, so all earlier ones are waiting now.
    await daemon.get('/healthz')
    using stream = await daemon.events()
    await other.call('PATCH', '/v1/self/attributes', { body: { status: 'busy' } })
    const { data } = await stream.waitFor(({ event }) => event === 'peer-update')
    const changedAt = Date.parse((data as { at: string }).at)
    const answeredAt = await Promise.all(blocked)
    console.info(`1,000 answered within ${Math.max(...answeredAt) - changedAt} ms`)
    expect(Math.max(...answeredAt) - changedAt).toBeLessThan(1000)
  })

  it('prints any text in tables, lines, JSON and watch without forged lines or colours', async () => {
    await using lab = await Lab.create()
    const [here, there] = await lab.hosts(['here', 'there'], [await lab.network('lan')])
    if (!here || !there) throw new Error('no hosts')
    const [daemon, other] = await startAll([here, there])
    if (!daemon || !other) throw new Error('no daemons')
    await waitUntilAllAlive([daemon, other])
    const txt = {
      newline: 'a\nb\r\nc',
      separators: 'a;b"c\\d\t',
      nul: 'a\0b',
      colour: '\u001b[31mred\u009b0m',
      text: 'Küche 廚房 👩‍🍳 \u202e',
    }
    const { status } = await other.call('PUT', '/v1/services/odd', { body: { name: 'Odd; "one"', ...service, txt } })
    expect(status).toBe(201)
    await daemon.waitFor((peers) => peers.some(({ services }) => services.length > 0))

    const listed = await here.cli('services', '--json')
    expect(JSON.parse(listed.stdout)).toMatchObject({ services: [{ txt }] })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the output must not contain these control characters
    const forging = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/
    for (const args of [['services'], ['services', '--json'], ['ls'], ['ls', '-p'], ['show', 'there']]) {
      expect((await here.cli(...args)).stdout, args.join(' ')).not.toMatch(forging)
    }
    expect((await here.cli('services')).stdout.trimEnd().split('\n')).toHaveLength(2)
    const lines = (await here.cli('ls', '-p')).stdout.trimEnd().split('\n')
    for (const line of lines) expect(line).toMatch(/^[+=];eth0;IPv[46];/)

    const watch = await here.cliSpawn('watch')
    await watch.waitForLine(/^:/)
    for (const line of watch.stdout) expect(line).not.toMatch(forging)
    await watch.kill('SIGINT')
  })
})
