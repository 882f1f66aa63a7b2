import { readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../temporary-directory.ts'
import { ask, FakePresence, openCatalogue, sendJson, startControl } from './fixtures.ts'

const SERVICE = { type: 'http', port: 1 }
const WRITES = [
  ['PUT', '/v1/services/shop'],
  ['DELETE', '/v1/services/shop'],
  ['PATCH', '/v1/self/attributes'],
  ['POST', '/v1/probe/x'],
  ['POST', '/v1/query'],
  ['POST', '/v1/peers'],
  ['OPTIONS', '/v1/peers'],
] as const

async function running() {
  const presence = new FakePresence()
  const catalogue = await openCatalogue(presence)
  const run = await startControl(presence)
  return { catalogue, ...run, token: join(run.socket, '..', 'token') }
}

describe('on loopback', () => {
  test.each(WRITES)('%s %s needs the token', async (method, path) => {
    const { port, socket, token, catalogue } = await running()
    const refused = {
      status: 401,
      headers: { 'www-authenticate': 'Bearer realm="earshot"' },
      body: { code: 'EARSHOT_TOKEN_NEEDED', message: expect.stringContaining(token) },
    }
    const held = (await readFile(token, 'utf8')).trim()
    for (const authorization of [
      undefined,
      '',
      held,
      'Bearer',
      'Bearer x',
      `Bearer ${held}x`,
      `Bearer ${held.slice(0, -1)}`,
      `Basic ${held}`,
      `Bearer ${'x'.repeat(8000)}`,
    ]) {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
      expect(await ask({ port }, path, headers, method)).toMatchObject(refused)
      if (method === 'PUT') expect(await sendJson({ port }, method, path, SERVICE, headers)).toMatchObject(refused)
    }
    expect(catalogue.list()).toEqual([])
    expect((await ask({ port }, path, { authorization: `Bearer ${held}` }, method)).status).not.toBe(401)
    expect((await ask({ socket }, path, {}, method)).status).not.toBe(401)
  })

  test('reading does not need the token', async () => {
    const { port } = await running()
    for (const path of ['/v1/peers', '/v1/services', '/v1/self', '/healthz', '/openapi.json']) {
      expect((await ask({ port }, path)).status).toBe(200)
      expect((await ask({ port }, path, {}, 'HEAD')).status).toBe(200)
    }
  })

  test('a service can be put with the token', async () => {
    const { port, presence } = await running()
    const headers = { authorization: `bearer ${presence.token}` }
    expect((await sendJson({ port }, 'PUT', '/v1/services/shop', SERVICE, headers)).status).toBe(201)
  })

  test.each([
    ['evil.example', {}],
    ['localhost.evil.example:80', {}],
    ['192.168.1.2:15353', {}],
    ['localhost:80', { origin: 'http://evil.example' }],
    ['localhost:80', { origin: 'http://localhost:3000' }],
    ['localhost:80', { origin: 'null' }],
    ['localhost:80', { 'sec-fetch-site': 'cross-site' }],
  ])('Host %s, %o is refused, with and without the token', async (host, headers) => {
    const { port, presence, catalogue } = await running()
    for (const authorization of ['Bearer x', `Bearer ${presence.token}`]) {
      for (const [method, path] of [...WRITES, ['GET', '/v1/peers'], ['GET', '/v1/events']] as const) {
        const answer = await ask({ port }, path, { host, ...headers, authorization }, method)
        expect(answer).toMatchObject({
          status: 403,
          body: { code: expect.stringMatching(/^EARSHOT_FOREIGN_(HOST|ORIGIN)$/) },
        })
        expect(Object.keys(answer.headers).join()).not.toContain('access-control')
      }
      const put = await sendJson({ port }, 'PUT', '/v1/services/shop', SERVICE, { host, ...headers, authorization })
      expect(put.status).toBe(403)
    }
    expect(catalogue.list()).toEqual([])
  })
})

describe('the token', () => {
  test('is beside the socket, readable for owner and group, and is removed at the end', async () => {
    const { control, presence, token } = await running()
    expect((await stat(token)).mode & 0o777).toBe(0o640)
    expect(await readFile(token, 'utf8')).toBe(`${presence.token}\n`)
    await control.close()
    await expect(stat(token)).rejects.toThrow('ENOENT')
  })

  test('replaces a leftover one of any mode, and does not follow links', async () => {
    const directory = await temporaryDirectory()
    const token = join(directory, 'token')
    const elsewhere = join(directory, 'elsewhere')
    await writeFile(elsewhere, 'kept', { mode: 0o666 })
    await symlink(elsewhere, token)
    await writeFile(`${token}.${process.pid}`, 'left behind', { mode: 0o666 })
    const presence = new FakePresence()
    await startControl(presence, { socket: join(directory, 's') })
    expect((await stat(token)).mode & 0o777).toBe(0o640)
    expect(await readFile(token, 'utf8')).toBe(`${presence.token}\n`)
    expect(await readFile(elsewhere, 'utf8')).toBe('kept')
  })

  test('of another run is not removed', async () => {
    const { control, token } = await running()
    await writeFile(token, 'another\n')
    await control.close()
    expect(await readFile(token, 'utf8')).toBe('another\n')
  })

  test('is not created without loopback', async () => {
    const { socket } = await startControl(new FakePresence(), { http: undefined })
    await expect(stat(join(socket, '..', 'token'))).rejects.toThrow('ENOENT')
  })

  test('that cannot be written ends the start, and no files are left', async () => {
    const directory = await temporaryDirectory()
    const socket = join(directory, 's')
    // A directory that is not empty cannot be replaced by a file.
    await startControl(new FakePresence(), { socket: join(directory, 'token', 's'), http: undefined })
    await expect(startControl(new FakePresence(), { socket })).rejects.toMatchObject({
      code: 'EARSHOT_TOKEN_UNUSABLE',
      message: expect.stringContaining(join(directory, 'token')),
    })
    await expect(stat(socket)).rejects.toThrow('ENOENT')
  })
})
