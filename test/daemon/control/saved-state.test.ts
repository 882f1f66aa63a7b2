import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../../temporary-directory.ts'
import { ask, FakePresence, openCatalogue, sendJson, startControl } from './fixtures.ts'

const SHOP = { type: 'http', port: 80 }

async function running(stateDir: string) {
  const presence = new FakePresence()
  await openCatalogue(presence, { stateDir })
  const { socket } = await startControl(presence)
  const call = async (method: string, path: string, body?: unknown) => {
    const answer =
      body === undefined ? await ask({ socket }, path, {}, method) : await sendJson({ socket }, method, path, body)
    return { status: answer.status, body: answer.body }
  }
  return { call }
}

test('what was confirmed is on the disk', async () => {
  const stateDir = await temporaryDirectory()
  const { call } = await running(stateDir)
  const kept = async () => JSON.parse(await readFile(join(stateDir, 'registered.json'), 'utf8'))
  for (let number = 0; number < 20; number++) {
    expect((await call('PATCH', '/v1/self/attributes', { number })).status).toBe(200)
    expect((await kept()).attributes).toEqual({ number })
  }
  expect((await call('PUT', '/v1/services/shop', SHOP)).status).toBe(201)
  expect((await kept()).services).toMatchObject([{ id: 'shop' }])
  expect((await call('PUT', '/v1/services/shop', { ...SHOP, ttl: '1m' })).status).toBe(200)
  expect((await kept()).services).toEqual([])
  await rm(stateDir, { recursive: true })
  expect((await call('PUT', '/v1/services/shop', SHOP)).status).toBe(200)
  expect((await kept()).services).toMatchObject([{ id: 'shop' }])
  expect((await call('DELETE', '/v1/services/shop')).status).toBe(204)
  expect((await kept()).services).toEqual([])
})

test('what cannot be saved is in effect, and every answer says that a restart would undo it', async () => {
  const inTheWay = join(await temporaryDirectory(), 'file')
  await writeFile(inTheWay, '')
  const { call } = await running(join(inTheWay, 'state'))
  const notKept = {
    status: 507,
    body: {
      code: 'EARSHOT_NOT_KEPT',
      error: 'Insufficient Storage',
      message: expect.stringMatching(
        /^the change is in effect, but it is not saved, because .*registered\.json cannot be written/,
      ),
    },
  }
  expect(await call('PUT', '/v1/services/shop', SHOP)).toMatchObject(notKept)
  expect(await call('PUT', '/v1/services/shop', SHOP)).toMatchObject(notKept)
  expect(await call('PATCH', '/v1/self/attributes', { a: 1 })).toMatchObject(notKept)
  expect(await call('DELETE', '/v1/services/shop')).toMatchObject(notKept)
  // What was never to last is not concerned.
  expect((await call('PUT', '/v1/services/lent', { ...SHOP, ttl: '1m' })).status).toBe(201)
  expect((await call('DELETE', '/v1/services/lent')).status).toBe(204)
})
