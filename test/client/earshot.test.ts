import { once } from 'node:events'
import { chmod, mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type DaemonEvent, Earshot, EarshotError } from '../../src/client/index.ts'
import { Transport } from '../../src/client/transport.ts'
import { candidateSockets } from '../../src/shared/socket-paths.ts'
import { FakePresence, idOf, startControl } from '../daemon/control/fixtures.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

function household(): FakePresence {
  const presence = new FakePresence(100)
  presence.change('peer-up', 1, { name: 'kitchen' })
  presence.change('peer-up', 2, { name: 'a/b %', attributes: { 'x y': '&=' } })
  presence.change('peer-up', 3, { name: 'gone' })
  presence.change('peer-left', 3)
  return presence
}

/** A server that answers everything with this text. */
async function imposter(text: string): Promise<string> {
  const socket = join(await temporaryDirectory(), 'socket')
  const server = createServer((connection) => connection.on('error', () => {}).once('data', () => connection.end(text)))
  server.listen(socket)
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return socket
}

describe('Earshot', () => {
  test('gets the same answers over the socket and over loopback', async () => {
    const { socket, port } = await startControl(household())
    for (const earshot of [new Earshot({ socket }), new Earshot({ url: `http://localhost:${port}` })]) {
      const names = async (filter: Parameters<Earshot['peers']>[0]) =>
        (await earshot.peers(filter)).peers.map(({ name }) => name)
      expect(await names({})).toEqual(['kitchen', 'a/b %'])
      expect(await names({ state: 'all', service: ['http', 'osc'] })).toEqual(['kitchen', 'a/b %', 'gone'])
      expect(await names({ state: ['left', 'failed'] })).toEqual(['gone'])
      expect(await names({ attributes: { 'x y': '&=' } })).toEqual(['a/b %'])
      expect(await names({ attributes: { temperature: 21.5, ready: true }, self: true })).toEqual(['kitchen'])
      expect(await earshot.peer('a/b %')).toMatchObject({ id: idOf(2) })
      expect(await earshot.self()).toMatchObject({ name: 'here', epoch: 'e1', socket })
    }
  })

  test("rejects with the API's errors", async () => {
    const { socket } = await startControl()
    const earshot = new Earshot({ socket })
    await expect(earshot.peer('nobody')).rejects.toBeInstanceOf(EarshotError)
    await expect(earshot.peer('nobody')).rejects.toMatchObject({ code: 'EARSHOT_NO_SUCH_PEER', status: 404 })
    await expect(earshot.peers({ service: '!' })).rejects.toMatchObject({ code: 'EARSHOT_BAD_REQUEST', status: 400 })
    await expect(earshot.events({ since: 'x' }).next()).rejects.toMatchObject({ code: 'EARSHOT_BAD_REQUEST' })
  })

  test.each([
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'EARSHOT_BAD_ANSWER'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull', 'EARSHOT_BAD_ANSWER'],
    ['HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n{}', 'EARSHOT_BAD_ANSWER'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{', 'EARSHOT_CONNECTION_LOST'],
    ['HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}', 'EARSHOT_CONNECTION_LOST'],
    ['SSH-2.0-OpenSSH_10.0\r\n', 'EARSHOT_CONNECTION_LOST'],
    ['', 'EARSHOT_CONNECTION_LOST'],
  ])('rejects the answer %j of another program', async (text, code) => {
    const earshot = new Earshot({ socket: await imposter(text) })
    await expect(earshot.peers()).rejects.toMatchObject({ name: 'EarshotError', code })
  })

  test('has a timeout, and can be aborted', async () => {
    const socket = join(await temporaryDirectory(), 'socket')
    const silent = createServer().listen(socket)
    onTestFinished(() => void silent.close())
    await once(silent, 'listening')
    await expect(new Earshot({ socket, timeout: 20 }).self()).rejects.toMatchObject({ code: 'EARSHOT_TIMED_OUT' })
    const controller = new AbortController()
    const asked = new Earshot({ socket }).self({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
  })
})

describe('events', () => {
  test('begin with the current state, and continue with changes', async () => {
    const { socket, presence } = await startControl(household())
    const seen: string[] = []
    for await (const event of new Earshot({ socket }).events({ state: true, name: 'kitchen' })) {
      seen.push(`${event.type} ${'peer' in event ? event.peer.state : event.epoch} ${event.lastEventId}`)
      if (event.type === 'sync') presence.change('peer-suspect', 1)
      if (event.type === 'peer-suspect') presence.change('peer-failed', 1)
      if (event.type === 'peer-failed') break
    }
    expect(seen).toEqual(['peer alive ', 'sync e1 e1-4', 'peer-suspect suspect e1-5', 'peer-failed failed e1-6'])
  })

  test('resume after an id or an index', async () => {
    const { socket } = await startControl(household())
    for (const since of ['e1-3', 3]) {
      const events = new Earshot({ socket }).events({ since })
      expect((await events.next()).value).toMatchObject({ type: 'peer-left', index: 4 })
      await events.return()
    }
  })

  test('end when the daemon stops', async () => {
    const { socket, control } = await startControl(household())
    const types: string[] = []
    for await (const event of new Earshot({ socket }).events({})) {
      types.push(event.type)
      void control.close()
    }
    expect(types).toEqual(['sync'])
  })

  test('can be aborted', async () => {
    const { socket } = await startControl(household())
    const controller = new AbortController()
    const events = new Earshot({ socket }).events({ signal: controller.signal })
    await events.next()
    const next = events.next()
    controller.abort(new Error('enough'))
    await expect(next).rejects.toThrow('enough')
  })

  test('a slow reader gets a gap', async () => {
    const { socket, presence } = await startControl(household())
    const events = new Earshot({ socket }).events()
    await events.next()
    for (let number = 0; number < 2000; number++) {
      presence.change('peer-update', 1)
      if (number % 10 === 0) await new Promise(setImmediate)
    }
    const seen: DaemonEvent[] = []
    for await (const event of events) {
      seen.push(event)
      if (event.type === 'sync') break
    }
    expect(seen.slice(-4).map(({ type }) => type)).toEqual(['gap', 'peer', 'peer', 'sync'])
  })
})

describe('the search for the daemon', () => {
  test('tries every socket, and names them in the error', async () => {
    const temporary = await temporaryDirectory()
    const context = {
      env: { XDG_RUNTIME_DIR: join(temporary, 'x') },
      uid: process.getuid?.(),
      temporaryDirectory: temporary,
    }
    const failure = new Transport({}, context).send({ path: '/healthz' })
    await expect(failure).rejects.toMatchObject({ code: 'EARSHOT_NO_DAEMON' })
    for (const place of candidateSockets(context)) await expect(failure).rejects.toThrow(`${place} (`)
    await expect(failure).rejects.toThrow('start one: earshotd')
  })

  test('tries the user’s own daemon first', async () => {
    const temporary = await temporaryDirectory()
    const context = { env: { XDG_RUNTIME_DIR: temporary }, uid: process.getuid?.(), temporaryDirectory: temporary }
    await startControl(new FakePresence(), { socket: join(temporary, 'earshot', 'control.sock') })
    expect((await new Transport({}, context).send({ path: '/healthz' })).response.status).toBe(200)
  })

  test('tries only the socket or URL that is named', async () => {
    const named = { env: { EARSHOT_SOCKET: '/nowhere/named.sock' }, uid: 1, temporaryDirectory: '/nowhere' }
    await expect(new Transport({}, named).send({ path: '/' })).rejects.toThrow(
      /looked at \/nowhere\/named.sock \(does not exist\) /,
    )
    await expect(new Transport({ socket: '/nowhere/s' }, named).send({ path: '/' })).rejects.toThrow(
      'looked at /nowhere/s (',
    )
    const url = 'http://127.0.0.1:1'
    await expect(new Transport({ url }, named).send({ path: '/' })).rejects.toThrow(
      `looked at ${url} (connection refused)`,
    )
    expect(() => new Transport({ url: 'ftp://x' }, named)).toThrow(TypeError)
  })

  test('skips a socket in a directory that another user may have created', async () => {
    const temporary = await temporaryDirectory()
    const uid = process.getuid?.() ?? 0
    const context = { env: {}, uid, temporaryDirectory: temporary }
    const directory = join(temporary, `earshot-${uid}`)
    await mkdir(directory)
    await chmod(directory, 0o755)
    await startControl(new FakePresence(), { socket: join(directory, 'control.sock') })
    await expect(new Transport({}, context).send({ path: '/healthz' })).rejects.toThrow(
      'not trusted: other users can access',
    )
    await chmod(directory, 0o700)
    expect((await new Transport({}, context).send({ path: '/healthz' })).response.status).toBe(200)
  })

  test('uses loopback when the socket cannot be opened, unless another user listens there', async () => {
    const asked: string[] = []
    let owner: number | undefined
    vi.resetModules()
    vi.doMock('../../src/client/access.ts', async (importOriginal) => ({
      ...(await importOriginal<typeof import('../../src/client/access.ts')>()),
      portOwner: () => owner,
    }))
    onTestFinished(() => void vi.doUnmock('../../src/client/access.ts'))
    vi.doMock('node:net', async (importOriginal) => ({
      ...(await importOriginal<typeof import('node:net')>()),
      // root may open everything, so the refusal has to be played.
      connect: ({ path, host, port }: { path?: string; host?: string; port?: number }) => {
        asked.push(path ?? `${host}:${port}`)
        const code = path === undefined ? 'ECONNREFUSED' : path.startsWith('/run/earshot/') ? 'EACCES' : 'ENOENT'
        const socket = new Duplex({ read() {}, write() {} })
        setImmediate(() => socket.destroy(Object.assign(new Error(code), { code })))
        return socket
      },
    }))
    onTestFinished(() => void vi.doUnmock('node:net'))
    const { Transport: Played } = await import('../../src/client/transport.ts')
    const context = { env: { XDG_RUNTIME_DIR: '/nowhere' }, uid: 1, temporaryDirectory: '/nowhere' }
    await expect(new Played({}, context).send({ path: '/' })).rejects.toThrow(
      /permission denied\), http:\/\/127.0.0.1:15353 \(connection refused/,
    )
    expect(asked.slice(-2)).toEqual(['/run/earshot/control.sock', '127.0.0.1:15353'])
    for (owner of [0, 1]) {
      await expect(new Played({}, context).send({ path: '/' })).rejects.toThrow('127.0.0.1:15353 (connection refused)')
    }
    asked.length = 0
    owner = 1001
    await expect(new Played({}, context).send({ path: '/' })).rejects.toThrow(
      '127.0.0.1:15353 (not trusted: user 1001 listens there',
    )
    expect(asked).not.toContain('127.0.0.1:15353')
    const url = 'http://127.0.0.1:15353'
    await expect(new Played({ url }, context).send({ path: '/' })).rejects.toThrow('connection refused')
    asked.length = 0
    await expect(new Played({ socket: '/run/earshot/x' }, context).send({ path: '/' })).rejects.toThrow(
      'permission denied',
    )
    expect(asked).toEqual(['/run/earshot/x'])
  })
})
