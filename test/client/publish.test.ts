import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Earshot, type EarshotError, type Published, type PublishOptions } from '../../src/client/index.ts'
import { PACKAGE } from '../installed.ts'
import { ScriptedDaemon } from '../scripted-daemon.ts'

const SHOP = { name: 'Shop', type: 'http', port: 8080 }

async function publishing(daemon: ScriptedDaemon, ttl = 60_000, options: PublishOptions = {}): Promise<Published> {
  const published = await new Earshot({ socket: daemon.socket }).publish({ ...SHOP, id: 'shop', ttl }, options)
  onTestFinished(() => published.close())
  await daemon.until(() => puts(daemon) === 2 && daemon.unanswered === 0)
  return published
}

/** The first is the publication, the second comes with the connection that tells of the daemon's return. */
function puts(daemon: ScriptedDaemon): number {
  return daemon.calls().filter((call) => call.startsWith('PUT')).length
}

describe('publish', () => {
  test('registers with a ttl and a unique id', async () => {
    const daemon = await ScriptedDaemon.start()
    const earshot = new Earshot({ socket: daemon.socket })
    const one = await earshot.publish(SHOP)
    const other = await earshot.publish({ ...SHOP, type: '_http._tcp', txt: { path: '/' }, subtypes: ['a'] })
    onTestFinished(async () => void (await Promise.all([one.close(), other.close()])))
    const [first, second] = daemon.requests.filter(({ method }) => method === 'PUT')
    expect(first).toMatchObject({ url: { pathname: `/v1/services/${one.id}` }, body: { ...SHOP, ttl: '10000ms' } })
    expect(second?.body).toEqual({ ...SHOP, type: '_http._tcp', txt: { path: '/' }, subtypes: ['a'], ttl: '10000ms' })
    expect(one.id).toMatch(/^shop-http-[0-9a-f]{8}$/)
    expect(other.id).toMatch(/^shop-http-[0-9a-f]{8}$/)
    expect(other.id).not.toBe(one.id)
    expect(one.service).toMatchObject({ ...SHOP, type: '_http._tcp', id: one.id, source: 'api' })
    expect(daemon.calls().filter((call) => call === 'GET /v1/events')).toHaveLength(1)
  })

  test('renews', async () => {
    const daemon = await ScriptedDaemon.start()
    await publishing(daemon, 1000)
    await daemon.until(() => puts(daemon) >= 6)
  })

  test('registers again as soon as the daemon is back', async () => {
    const daemon = await ScriptedDaemon.start()
    const published = await publishing(daemon)
    for (let round = 0; round < 20; round++) {
      const before = puts(daemon)
      await daemon.restart(`r${round}`)
      const backAt = performance.now()
      await daemon.until(() => puts(daemon) > before && daemon.unanswered === 0)
      expect(performance.now() - backAt).toBeLessThan(1000)
    }
    await vi.waitFor(() => expect(published.error).toBeUndefined())
  })

  test('update sends the changes, and keeps the old service when they are refused', async () => {
    const daemon = await ScriptedDaemon.start()
    const published = await publishing(daemon)
    await published.update({ txt: { path: '/new' } })
    expect(daemon.requests.at(-1)?.body).toEqual({ ...SHOP, txt: { path: '/new' }, ttl: '60000ms' })
    const body = { code: 'EARSHOT_RECORD_TOO_LARGE', message: 'too large' }
    daemon.reply = ({ method }) => (method === 'PUT' ? { status: 413, body } : undefined)
    await expect(published.update({ port: 1 })).rejects.toMatchObject({ ...body, status: 413 })
    daemon.reply = () => undefined
    await published.update({ name: 'Laden' })
    expect(daemon.requests.at(-1)?.body).toMatchObject({ name: 'Laden', port: 8080, txt: { path: '/new' } })
  })

  test('continues to renew when onError throws', async () => {
    const daemon = await ScriptedDaemon.start()
    const thrown: unknown[] = []
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => thrown.push(error))
    onTestFinished(() => {
      process.removeAllListeners('uncaughtException')
      for (const listener of listeners) process.on('uncaughtException', listener)
    })
    const published = await publishing(daemon, 1000, {
      onError: ({ code }) => {
        throw new Error(`thrown at ${code}`)
      },
    })
    daemon.reply = ({ method }) =>
      method === 'PUT' ? { status: 413, body: { code: 'EARSHOT_RECORD_TOO_LARGE', message: '' } } : undefined
    await vi.waitFor(() => expect(thrown).toEqual([new Error('thrown at EARSHOT_RECORD_TOO_LARGE')]))
    daemon.reply = () => undefined
    await vi.waitFor(() => expect(published.error).toBeUndefined())
    const before = puts(daemon)
    await daemon.until(() => puts(daemon) > before)
  })

  test('an update made while the daemon is away is published when it is back', async () => {
    const daemon = await ScriptedDaemon.start()
    const errors: string[] = []
    const published = await publishing(daemon, 60_000, { onError: ({ code }) => errors.push(code) })
    await daemon.stop()
    await published.update({ port: 9090 })
    await published.update({ txt: { a: 1 } })
    expect(published.error).toMatchObject({ code: 'EARSHOT_NO_DAEMON' })
    await daemon.restart('e2')
    await daemon.until(() => puts(daemon) === 3)
    expect(daemon.requests.at(-1)?.body).toMatchObject({ port: 9090, txt: { a: 1 } })
    await vi.waitFor(() => expect(published.error).toBeUndefined())
    expect(errors).toEqual(['EARSHOT_NO_DAEMON'])
  })

  test('an id that is taken is an error', async () => {
    const daemon = await ScriptedDaemon.start()
    const body = { code: 'EARSHOT_SERVICE_TAKEN', message: 'taken by a file' }
    daemon.reply = ({ method }) => (method === 'PUT' ? { status: 409, body } : undefined)
    const published = new Earshot({ socket: daemon.socket }).publish({ ...SHOP, id: 'shop' })
    await expect(published).rejects.toMatchObject({ ...body, status: 409 })
    expect(daemon.streams).toBe(0)
  })

  test('reports once why renewing fails, and continues', async () => {
    const daemon = await ScriptedDaemon.start()
    const errors: EarshotError[] = []
    const published = await publishing(daemon, 1000, { onError: (error) => errors.push(error) })
    const body = { code: 'EARSHOT_SERVICE_TAKEN', message: 'taken by a file' }
    daemon.reply = ({ method }) => (method === 'PUT' ? { status: 409, body } : undefined)
    const before = puts(daemon)
    await daemon.until(() => puts(daemon) >= before + 3)
    expect(errors).toEqual([expect.objectContaining(body)])
    expect(published.error).toMatchObject(body)
    daemon.reply = () => undefined
    await vi.waitFor(() => expect(published.error).toBeUndefined())
  })

  test('close withdraws the service once, and closes the connection', async () => {
    const daemon = await ScriptedDaemon.start()
    const published = await publishing(daemon, 1000)
    await Promise.all([published.close(), published.close()])
    expect(daemon.calls().filter((call) => call.startsWith('DELETE'))).toEqual(['DELETE /v1/services/shop'])
    expect(daemon.calls().at(-1)).toBe('DELETE /v1/services/shop')
    await vi.waitFor(() => expect(daemon.streams).toBe(0))
    await expect(published.update({ port: 1 })).rejects.toMatchObject({ code: 'EARSHOT_CLOSED' })
    const after = puts(daemon)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(puts(daemon)).toBe(after)
  })

  test('withdraws the service at the end of an await using block, and when the signal is aborted', async () => {
    const daemon = await ScriptedDaemon.start()
    const earshot = new Earshot({ socket: daemon.socket })
    {
      await using _published = await earshot.publish({ ...SHOP, id: 'block' })
    }
    expect(daemon.calls().at(-1)).toBe('DELETE /v1/services/block')
    const controller = new AbortController()
    await earshot.publish({ ...SHOP, id: 'signal' }, { signal: controller.signal })
    controller.abort()
    await daemon.until(() => daemon.calls().at(-1) === 'DELETE /v1/services/signal')
    const aborted = earshot.publish(SHOP, { signal: controller.signal })
    await expect(aborted).rejects.toBe(controller.signal.reason)
  })

  test('close succeeds when the service or the daemon is gone, and does not wait for a renewal that hangs', async () => {
    const daemon = await ScriptedDaemon.start()
    const gone = await publishing(daemon)
    const body = { code: 'EARSHOT_NO_SUCH_SERVICE', message: 'no such service' }
    daemon.reply = ({ method }) => (method === 'DELETE' ? { status: 404, body } : undefined)
    await gone.close()

    const hanging = await new Earshot({ socket: daemon.socket }).publish({ ...SHOP, ttl: 1000 })
    let letGo = () => {}
    const hang = new Promise<undefined>((resolve) => {
      letGo = () => resolve(undefined)
    })
    daemon.reply = ({ method }) => (method === 'PUT' ? hang : undefined)
    const before = puts(daemon)
    await vi.waitFor(() => expect(puts(daemon)).toBeGreaterThan(before))
    await hanging.close()
    expect(daemon.calls().at(-1)).toMatch(/^DELETE/)
    letGo()
    daemon.reply = () => undefined

    const left = await new Earshot({ socket: daemon.socket }).publish(SHOP)
    await daemon.stop()
    await left.close()
  })

  test('a program that publishes keeps running until it closes the service', async () => {
    const daemon = await ScriptedDaemon.start()
    const { spawn } = await import('node:child_process')
    const script = `
      import { Earshot } from ${JSON.stringify(join(PACKAGE, 'dist/client/index.js'))}
      const published = await new Earshot().publish({ name: 'Shop', type: 'http', port: 8080 })
      console.log('published')
      process.stdin.once('data', async () => { await published.close(); process.stdin.pause() })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, EARSHOT_SOCKET: daemon.socket },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    expect(child.exitCode).toBeNull()
    child.stdin.write('end\n')
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(daemon.calls().at(-1)).toMatch(/^DELETE/)
  })
})
