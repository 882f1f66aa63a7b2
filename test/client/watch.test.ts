import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { MAX_SILENCE } from '../../src/client/api-client.ts'
import { type Change, Earshot, type Synced } from '../../src/client/index.ts'
import { ScriptedDaemon } from '../scripted-daemon.ts'
import { somePeer } from './some-peer.ts'

const kitchen = somePeer('kitchen')
const studio = somePeer('studio', { services: [] })
const idle = (value: string) => ({ ...kitchen, attributes: { status: value } })

function say(change: Change | Synced): string {
  if (change.type === 'sync') return 'sync'
  if ('service' in change) return `${change.type} ${change.service.id}`
  return `${change.type} ${change.peer.name} ${change.peer.attributes['status'] ?? ''}`.trim()
}

/** Watches from the present state on: `next` takes so many more changes. */
async function watching(daemon: ScriptedDaemon, options: Parameters<Earshot['watch']>[1] = {}) {
  const changes = new Earshot({ socket: daemon.socket }).watch({}, { ...options, sync: true })
  onTestFinished(() => void changes.return())
  const next = async (count: number) => {
    const said: string[] = []
    for (let left = count; left > 0; left--) {
      const { value } = await changes.next()
      if (value) said.push(say(value))
    }
    return said
  }
  const beginning: string[] = []
  while (beginning.at(-1) !== 'sync') beginning.push(...(await next(1)))
  return { changes, next, beginning }
}

describe('watch', () => {
  test('reports the current state, and then changes as they happen', async () => {
    const daemon = await ScriptedDaemon.start()
    daemon.peers = [kitchen]
    const { next, beginning } = await watching(daemon)
    expect(beginning).toEqual(['peer-up kitchen', 'service-up web', 'sync'])
    daemon.change('peer-update', idle('busy'))
    daemon.change('peer-up', studio)
    expect(await next(2)).toEqual(['peer-update kitchen busy', 'peer-up studio'])
  })

  test('ends at once, even while the next change is awaited', async () => {
    const daemon = await ScriptedDaemon.start()
    const earshot = new Earshot({ socket: daemon.socket })
    for (const changes of [earshot.watch(), earshot.events()]) {
      const next = changes.next()
      if (daemon.streams === 0) await daemon.until(() => daemon.calls().includes('GET /v1/events'))
      expect(await changes.return()).toEqual({ done: true, value: undefined })
      const { done, value } = await next
      // What `events` tells at once may have come before.
      expect(done || value?.type === 'sync').toBe(true)
      expect(await changes.next()).toEqual({ done: true, value: undefined })
      await vi.waitUntil(() => daemon.streams === 0)
    }
  })

  test('reports sync only with the option sync', async () => {
    const daemon = await ScriptedDaemon.start()
    daemon.change('peer-up', studio)
    const changes = new Earshot({ socket: daemon.socket }).watch()
    const first = await changes.next()
    daemon.change('peer-up', kitchen)
    const second = await changes.next()
    expect([first.value?.type, second.value?.peer.name]).toEqual(['peer-up', 'kitchen'])
    await changes.return()
  })

  test('resumes after a lost connection', async () => {
    const daemon = await ScriptedDaemon.start()
    daemon.change('peer-up', kitchen)
    const { next } = await watching(daemon)
    for (let round = 0; round < 20; round++) {
      daemon.breakStreams()
      daemon.change('peer-update', idle(`a${round}`))
      daemon.change('peer-update', idle(`b${round}`))
      expect(await next(2)).toEqual([`peer-update kitchen a${round}`, `peer-update kitchen b${round}`])
    }
    expect(daemon.requests.at(-1)?.url.searchParams.get('since')).toBe('e1-39')
  })

  test('reports the differences when the daemon’s journal is too short', async () => {
    const daemon = await ScriptedDaemon.start()
    daemon.change('peer-up', kitchen)
    daemon.change('peer-up', studio)
    const { next } = await watching(daemon)
    daemon.breakStreams()
    daemon.change('peer-left', { ...studio, state: 'left' })
    daemon.change('peer-update', idle('busy'))
    daemon.change('peer-update', idle('busier'))
    daemon.registry.dropJournal()
    expect(await next(2)).toEqual(['peer-update kitchen busier', 'peer-left studio'])
  })

  test('reports nothing twice across restarts of the daemon', async () => {
    const daemon = await ScriptedDaemon.start()
    daemon.change('peer-up', kitchen)
    daemon.change('peer-up', studio)
    const connections: boolean[] = []
    const { next } = await watching(daemon, { onConnection: (connected) => connections.push(connected) })
    for (let round = 0; round < 20; round++) {
      await daemon.restart(`r${round}`)
      daemon.change('peer-up', kitchen)
      daemon.change('peer-up', studio)
      daemon.change('peer-update', idle(String(round)))
      expect(await next(1)).toEqual([`peer-update kitchen ${round}`])
    }
    expect(connections).toEqual(Array.from({ length: 20 }, () => [false, true]).flat())
  })

  test('reports every change to a slow reader while the journal holds them', async () => {
    const daemon = await ScriptedDaemon.start()
    daemon.change('peer-up', kitchen)
    const { next } = await watching(daemon)
    for (let number = 0; number < 3000; number++) daemon.change('peer-update', idle(`n${number}`))
    const seen = await next(3000)
    expect(seen).toEqual(Array.from({ length: 3000 }, (_, number) => `peer-update kitchen n${number}`))
  })

  test('sends the filter to the daemon, and applies it', async () => {
    const daemon = await ScriptedDaemon.start()
    daemon.change('peer-up', kitchen)
    daemon.change('peer-up', studio)
    const changes = new Earshot({ socket: daemon.socket }).watch({ service: ['http'], name: 'kitchen' })
    await changes.next()
    expect(daemon.requests.at(-1)?.url.search).toBe('?service=http&name=kitchen&state=1')
    await changes.next()
    daemon.change('peer-update', { ...studio, attributes: { x: 1 } })
    daemon.change('peer-update', { ...kitchen, services: [] })
    expect((await changes.next()).value).toMatchObject({ type: 'peer-update', present: false })
    expect((await changes.next()).value).toMatchObject({ type: 'service-down', service: { id: 'web' } })
    await changes.return()
  })

  test('needs a daemon at the start', async () => {
    const daemon = await ScriptedDaemon.start()
    await daemon.stop()
    const first = new Earshot({ socket: daemon.socket }).watch().next()
    await expect(first).rejects.toMatchObject({ code: 'EARSHOT_NO_DAEMON' })
  })

  test('ends with the error when the daemon refuses', async () => {
    const daemon = await ScriptedDaemon.start()
    const body = { code: 'EARSHOT_BAD_REQUEST', message: 'no' }
    daemon.reply = ({ url }) => (url.pathname === '/v1/events' ? { status: 400, body } : undefined)
    await expect(new Earshot({ socket: daemon.socket }).watch().next()).rejects.toMatchObject(body)
  })

  test('waits for a daemon with too many readers', async () => {
    const daemon = await ScriptedDaemon.start()
    daemon.change('peer-up', studio)
    let refusals = 3
    const body = { code: 'EARSHOT_TOO_MANY_READERS', message: 'full' }
    daemon.reply = ({ url }) => (url.pathname === '/v1/events' && refusals-- > 0 ? { status: 503, body } : undefined)
    const { beginning } = await watching(daemon)
    expect(beginning).toEqual(['peer-up studio', 'sync'])
  })

  test('closes the connection when it ends, and when it is aborted', async () => {
    const daemon = await ScriptedDaemon.start()
    daemon.change('peer-up', studio)
    for await (const { type } of new Earshot({ socket: daemon.socket }).watch()) if (type === 'peer-up') break
    await vi.waitFor(() => expect(daemon.streams).toBe(0))

    const controller = new AbortController()
    const { next } = await watching(daemon, { signal: controller.signal })
    const waiting = next(1)
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await vi.waitFor(() => expect(daemon.streams).toBe(0))
  })

  test('can be aborted while the daemon is away', async () => {
    const daemon = await ScriptedDaemon.start()
    const controller = new AbortController()
    const onConnection = () => controller.abort(new Error('enough'))
    const { next } = await watching(daemon, { signal: controller.signal, onConnection })
    // It rejects before the daemon has stopped completely.
    const isAborted = expect(next(1)).rejects.toThrow('enough')
    await daemon.stop()
    await isAborted
  })

  test('reconnects when the daemon is silent', async () => {
    const daemon = await ScriptedDaemon.start()
    daemon.change('peer-up', kitchen)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const reasons: unknown[] = []
    const { next } = await watching(daemon, { onConnection: (_, error) => reasons.push(error?.message) })
    const waiting = next(1)
    await vi.advanceTimersByTimeAsync(MAX_SILENCE)
    vi.useRealTimers()
    await daemon.until(() => daemon.requests.filter(({ url }) => url.searchParams.get('since') === 'e1-1').length === 1)
    daemon.change('peer-update', idle('back'))
    expect(await waiting).toEqual(['peer-update kitchen back'])
    expect(reasons).toEqual([`the earshot daemon was silent for ${MAX_SILENCE} ms`, undefined])
  })
})
