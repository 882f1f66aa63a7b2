import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Daemon } from './daemon.ts'
import { describeLab } from './describe-lab.ts'
import type { Host } from './host.ts'
import { Lab } from './lab.ts'
import { tool } from './sniffer.ts'

// Tests how the lab runs a daemon, with a stand-in program. The tests that use the lab test earshotd itself.
describeLab('a daemon in the lab', () => {
  let lab: Lab
  let host: Host
  beforeAll(async () => {
    lab = await Lab.create()
    host = await lab.host('a')
  })
  afterAll(() => lab?.close())

  const standIn = (name: string, script = tool('stand-in-daemon.js')): Promise<Daemon> =>
    Daemon.start(
      name,
      join(host.dir, name),
      (args, env) => host.spawn(process.execPath, [script, ...args], { env }),
      {},
    )

  test('start resolves when it is ready, it answers, and stop ends it', async () => {
    const daemon = await standIn('one')
    expect(await daemon.self()).toMatchObject({ name: 'one' })
    expect((await daemon.peers('state=alive')).length).toBeGreaterThan(0)
    expect((await daemon.waitFor((peers) => peers.length === 2)).map((peer) => peer.name)).toEqual([
      'kitchen',
      'studio',
    ])
    await expect(daemon.waitFor((peers) => peers.length === 9, 60)).rejects.toThrow('it sees: kitchen alive')
    await expect(daemon.get('/nothing')).rejects.toThrow('status 404')
    expect(daemon.log).toEqual([{ level: 'info', msg: 'ready' }])
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    await expect(daemon.peers()).rejects.toThrow('GET /v1/peers')
  })

  test('restart starts a new process with the same socket, also after a kill or a freeze', async () => {
    await using daemon = await standIn('two')
    const { pid, socket } = daemon
    await daemon.freeze()
    await daemon.restart()
    expect(daemon.pid).not.toBe(pid)
    expect(daemon.socket).toBe(socket)
    expect(await daemon.kill()).toEqual({ code: null, signal: 'SIGKILL' })
    await daemon.restart()
    expect(await daemon.self()).toMatchObject({ name: 'two' })
  })

  test('events are parsed for every split into chunks', async () => {
    await using daemon = await standIn('three')
    using stream = await daemon.events({ since: 'e:0' })
    const plain = await stream.waitFor(({ data }) => data === 'plain')
    expect(plain).toMatchObject({ id: 'e:2', event: 'message' })
    expect(stream.events.map(({ id, event, data }) => [id, event, data])).toEqual([
      ['e:1', 'sync', { since: 'e:0' }],
      ['e:2', 'peer-up', {}],
      ['e:2', 'message', 'plain'],
    ])
    await expect(stream.waitFor(({ event }) => event === 'gap', 50)).rejects.toThrow('among: sync#e:1 peer-up#e:2')
    await daemon.kill()
    const seen: string[] = []
    for await (const { event } of stream) seen.push(event)
    expect(seen).toEqual(['sync', 'peer-up', 'message'])
  })

  test('a daemon that does not become ready rejects with the reason', async () => {
    await expect(standIn('four', '/nowhere.js')).rejects.toThrow('Cannot find module')
  })
})
