import { describe, expect, test } from 'vitest'
import { Earshot, type EarshotError } from '../../../src/client/index.ts'
import { temporaryDirectory } from '../../temporary-directory.ts'
import { ask, FakePresence, openCatalogue, sendJson, startControl } from './fixtures.ts'

const SHOP = '/v1/services/shop'
const SERVICE = { type: 'http', port: 80, ttl: '1h' }

async function running() {
  const presence = new FakePresence()
  const fixed = { id: 'fixed', name: 'F', type: '_ipp._tcp', port: 631, txt: {}, subtypes: [] }
  await openCatalogue(presence, { services: [fixed] })
  const run = await startControl(presence)
  const put = (body: object, headers = {}) => sendJson({ socket: run.socket }, 'PUT', SHOP, body, headers)
  return { ...run, put, way: { socket: run.socket } }
}

describe('a service of this peer', () => {
  test('is shown with its owner', async () => {
    const { put, way } = await running()
    const { headers } = await put(SERVICE, { 'user-agent': 'shop.py' })
    const answer = await ask(way, SHOP)
    expect(answer).toMatchObject({ status: 200, body: { id: 'shop', port: 80, source: 'api', owner: 'shop.py' } })
    expect(answer.headers.etag).toBe(headers.etag)
    expect((await ask(way, SHOP, { 'if-none-match': `${headers.etag}` })).status).toBe(304)
    expect((await ask(way, '/v1/services/fixed')).body).toMatchObject({ source: 'config' })
    expect(await ask(way, '/v1/services/nothing')).toMatchObject({
      status: 404,
      body: { code: 'EARSHOT_NO_SUCH_SERVICE' },
    })
  })

  test('is only registered if there is none, with If-None-Match', async () => {
    const { put, way } = await running()
    const anew = { 'if-none-match': '*' }
    expect(await put(SERVICE, { ...anew, 'user-agent': 'shop.py' })).toMatchObject({ status: 201 })
    expect(await put({ ...SERVICE, port: 81 }, anew)).toMatchObject({
      status: 412,
      body: {
        code: 'EARSHOT_SERVICE_HELD',
        message: "service 'shop' is registered already, by shop.py over the API (take another id)",
      },
    })
    const { etag } = (await put(SERVICE)).headers
    // A weak tag is enough (RFC 9110, section 13.1.2).
    expect(await put(SERVICE, { 'if-none-match': `W/${etag}` })).toMatchObject({ status: 412 })
    expect(await ask(way, SHOP, { 'if-none-match': `"other", W/${etag}` })).toMatchObject({ status: 304 })
  })

  test('is only changed, renewed and withdrawn if it is unchanged, with If-Match', async () => {
    const { put, way } = await running()
    expect(await put(SERVICE, { 'if-match': '*' })).toMatchObject({ status: 412 })
    const tag = `${(await put(SERVICE)).headers.etag}`
    const renewed = await put(SERVICE, { 'if-match': `"other", ${tag}` })
    expect(renewed).toMatchObject({ status: 200, headers: { etag: tag } })
    const changed = await put({ ...SERVICE, port: 81 }, { 'if-match': tag })
    expect(changed.headers.etag).not.toBe(tag)
    const message = "service 'shop' was meanwhile registered by a program over the API"
    expect(await put(SERVICE, { 'if-match': tag })).toMatchObject({ status: 412, body: { message } })
    // A weak tag is not enough (RFC 9110, section 13.1.1).
    expect(await put(SERVICE, { 'if-match': `W/${changed.headers.etag}` })).toMatchObject({ status: 412 })
    expect(await ask(way, SHOP, { 'if-match': tag }, 'DELETE')).toMatchObject({ status: 412 })
    expect(await ask(way, SHOP, { 'if-match': `${changed.headers.etag}` }, 'DELETE')).toMatchObject({ status: 204 })
    const fixed = await sendJson(way, 'PUT', '/v1/services/fixed', SERVICE, { 'if-none-match': '*' })
    expect(fixed).toMatchObject({ status: 409, body: { code: 'EARSHOT_SERVICE_TAKEN' } })
  })
})

describe('two programs with one id', () => {
  const entry = { id: 'shop', type: 'http', port: 80, ttl: 1000 }

  test('the second is refused and told the owner, and does not change the service', async () => {
    const { socket, way } = await running()
    const first = await new Earshot({ socket }).publish(entry)
    const second = new Earshot({ socket }).publish({ ...entry, port: 81 })
    await expect(second).rejects.toMatchObject({ code: 'EARSHOT_SERVICE_HELD', status: 412 })
    await expect(second).rejects.toThrow(/ is registered already, by .+ \(process \d+, publication \d+\) over the API/)
    await first.update({ port: 82 })
    expect((await ask(way, SHOP)).body).toMatchObject({ port: 82 })
    await first.close()
    const third = await new Earshot({ socket }).publish(entry)
    await third.close()
    expect((await ask(way, SHOP)).status).toBe(404)
  })

  test('a service that the second overwrites belongs to the second: the first reports it once, and does not withdraw it', async () => {
    const { socket, put, way } = await running()
    const errors: EarshotError[] = []
    const first = await new Earshot({ socket }).publish(
      { ...entry, ttl: 1000 },
      { onError: (error) => errors.push(error) },
    )
    await put({ ...SERVICE, port: 81 }, { 'user-agent': 'curl' })
    await expect.poll(() => errors.length, { timeout: 10_000 }).toBe(1)
    expect(errors[0]).toMatchObject({ code: 'EARSHOT_SERVICE_HELD' })
    expect((await ask(way, SHOP)).body).toMatchObject({ port: 81, owner: 'curl' })
    await ask(way, SHOP, {}, 'DELETE')
    await expect.poll(async () => (await ask(way, SHOP)).status, { timeout: 10_000 }).toBe(200)
    await put({ ...SERVICE, port: 81 })
    await first.close()
    expect((await ask(way, SHOP)).body).toMatchObject({ port: 81 })
  })

  test('the service of a crashed program is taken over', async () => {
    const { socket, put, way } = await running()
    for (const id of [2 ** 22 + 1, process.pid]) {
      await put(SERVICE, { 'user-agent': `shop.js (process ${id}, publication 9)` })
      const published = await new Earshot({ socket }).publish({ ...entry, port: 83 })
      expect((await ask(way, SHOP)).body).toMatchObject({ port: 83 })
      await published.close()
    }
  })
})

test('a service without a name has the peer’s name, even if that changes with a restart', async () => {
  const presence = new FakePresence()
  const stateDir = await temporaryDirectory()
  const first = await openCatalogue(presence, { stateDir })
  const { socket } = await startControl(presence)
  const way = { socket }
  await sendJson(way, 'PUT', '/v1/services/unnamed', { type: 'http', port: 1 })
  await sendJson(way, 'PUT', '/v1/services/named', { type: 'http', port: 2, name: 'here' })
  await first.close()
  const { name } = presence.ownView
  presence.ownView = { ...presence.ownView, name: 'there' }
  const again = await openCatalogue(presence, { stateDir })
  expect(again.list().map((each) => [each.id, each.name])).toEqual([
    ['unnamed', 'there'],
    ['named', name],
  ])
})
