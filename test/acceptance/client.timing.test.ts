import { expect, it } from 'vitest'
import { type Change, Earshot, type Synced } from '../../src/client/index.ts'
import { Feed } from '../lab/feed.ts'
import { type Daemon, describeLab, Lab } from '../lab/index.ts'
import { hostNames, startAll, waitUntilAllAlive } from './daemons.ts'

const ROUNDS = 20
const SERVICE = { id: 'shop', name: 'Shop', type: 'http', port: 8080 }

function client({ socket }: Daemon): Earshot {
  return new Earshot({ socket })
}

function format(change: Change | Synced): string {
  if (change.type === 'sync') return 'sync'
  if ('service' in change) return `${change.type} ${change.service.id} of ${change.peer.name}`
  return `${change.type} ${change.peer.name} ${change.peer.attributes['n'] ?? ''}`.trim()
}

/** Collects the changes of a watch in the background, with the time of receipt (monotonic ms). */
class Watcher implements AsyncDisposable {
  readonly received = new Feed<{ text: string; at: number }>()
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>

  constructor(earshot: Earshot) {
    this.#ended = this.#run(earshot)
  }

  get texts(): string[] {
    return this.received.items.map(({ text }) => text)
  }

  async until(text: string, from = 0, timeoutMs = 45_000): Promise<number> {
    const missing = () => `'${text}' among: ${this.texts.slice(from).join(', ') || '(nothing)'}`
    return (await this.received.find((item) => item.text === text, timeoutMs, missing, from)).at
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }

  async #run(earshot: Earshot): Promise<void> {
    try {
      for await (const change of earshot.watch({}, { sync: true, signal: this.#stop.signal })) {
        this.received.push({ text: format(change), at: performance.now() })
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) this.received.push({ text: String(error), at: performance.now() })
    }
  }
}

describeLab('a client whose daemon restarts', () => {
  it('gets every change once and in order, and its service is published again at once', async () => {
    await using lab = await Lab.create()
    const hosts = await lab.hosts(hostNames(3), [await lab.network('lan')])
    const [a, b, c] = await startAll(hosts)
    if (!a || !b || !c) throw new Error('no daemons')
    await waitUntilAllAlive([a, b, c])
    const [atA, atB] = [client(a), client(b)]

    await using watcher = new Watcher(atA)
    await watcher.until('sync')
    expect(watcher.texts.toSorted()).toEqual(['peer-up b', 'peer-up c', 'sync'])
    await using elsewhere = new Watcher(atB)
    await using published = await atA.publish(SERVICE)
    await elsewhere.until('service-up shop of a')

    const isBackSince = async (before: number) => {
      const isBack = async () => {
        const { incarnation, services } = await atB.peer('a')
        return incarnation > before && services.some(({ id }) => id === SERVICE.id)
      }
      await expect.poll(isBack, { interval: 5, timeout: 5000 }).toBe(true)
    }

    let n = 0
    const backAfter: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const before = (await atB.peer('a')).incarnation
      // One change during the restart of the daemon, and one while it runs.
      const [, readyAt] = await Promise.all([
        atB.set({ n: ++n }),
        a.restart({ signal: round % 2 === 0 ? 'SIGTERM' : 'SIGKILL' }).then(() => performance.now()),
      ])
      await isBackSince(before)
      backAfter.push(Math.round(performance.now() - readyAt))
      await watcher.until(`peer-update b ${n}`)
      await atB.set({ n: ++n })
      await watcher.until(`peer-update b ${n}`)
      expect(published.error).toBeUndefined()
    }
    console.info(`service published again, ms after the daemon was ready: ${backAfter.join(' ')}`)
    expect(Math.max(...backAfter)).toBeLessThan(1000)
    const updates = Array.from({ length: 2 * ROUNDS }, (_, index) => `peer-update b ${index + 1}`)
    expect(watcher.texts.slice(3)).toEqual(updates)

    // A peer that ended during the restart is reported as failed after its lease, and as up when it returns.
    const from = watcher.texts.length
    await Promise.all([a.restart({ signal: 'SIGKILL' }), c.kill()])
    const readyAt = performance.now()
    const failedAfter = Math.round((await watcher.until('peer-failed c', from)) - readyAt)
    console.info(`the ended peer was reported as failed ${failedAfter} ms after the daemon was ready`)
    expect(failedAfter).toBeLessThan(7000)
    await c.restart()
    await watcher.until('peer-up c', from)
    // A peer that restarts in the meantime causes one update with a new incarnation.
    const { incarnation } = await atB.peer('a')
    await a.kill()
    await c.restart()
    await a.restart()
    await watcher.until('peer-update c', from)
    await isBackSince(incarnation)
    expect(watcher.texts.slice(from)).toEqual(['peer-failed c', 'peer-up c', 'peer-update c'])

    const end = elsewhere.texts.length
    await published.close()
    await elsewhere.until('service-down shop of a', end)
  }, 400_000)
})

const PUBLISH = `
  import { Earshot } from 'earshot'
  await new Earshot().publish({ name: 'Shop', type: 'http', port: 8080, ttl: 2000 })
  console.log('published')`

describeLab('a client that is killed', () => {
  it('loses its service within the ttl', async () => {
    await using lab = await Lab.create()
    const hosts = await lab.hosts(hostNames(2), [await lab.network('lan')])
    const [a, b] = await startAll(hosts)
    if (!a || !b) throw new Error('no daemons')
    await waitUntilAllAlive([a, b])
    await using watcher = new Watcher(client(b))
    await watcher.until('sync')
    const env = { EARSHOT_SOCKET: a.socket }
    const args = ['--input-type=module', '-e', PUBLISH]
    const program = await hosts[0]?.spawn(process.execPath, args, { env, cwd: process.cwd() })
    if (!program) throw new Error('no program')
    await program.waitForLine(/published/)
    const received = (type: string, timeoutMs: number) =>
      watcher.received.find(
        ({ text }) => text.startsWith(type),
        timeoutMs,
        () => type,
      )
    await received('service-up', 5000)
    // The service stays after its ttl as long as the program runs.
    await expect(received('service-down', 4000)).rejects.toThrow('there was no service-down')
    await program.kill()
    const killedAt = performance.now()
    await watcher.received.find(
      ({ text }) => text.startsWith('service-down'),
      5000,
      () => 'service-down',
    )
    const goneAfter = Math.round(performance.now() - killedAt)
    console.info(`removed ${goneAfter} ms after its program was killed`)
    expect(goneAfter).toBeLessThan(3000)
  })
})

describeLab('a client', () => {
  it('waits for peers, lists them and resolves their addresses', async () => {
    await using lab = await Lab.create()
    const hosts = await lab.hosts(hostNames(3), [await lab.network('lan')])
    const [hostC] = hosts.splice(2)
    const [a, b] = await startAll(hosts)
    if (!a || !b || !hostC) throw new Error('no daemons')
    await waitUntilAllAlive([a, b])
    const [atA, atB] = [client(a), client(b)]

    const late = { code: 'EARSHOT_TIMED_OUT', message: 'after 300 ms, 1 of 2 peers were found' }
    await expect(atA.waitFor({ count: 2 }, { timeout: 300 })).rejects.toMatchObject(late)
    await using watcher = new Watcher(atA)
    const both = atA.waitFor({ count: 2 }, { timeout: 20_000 }).then((peers) => ({ peers, at: performance.now() }))
    await startAll([hostC])
    const { peers, at } = await both
    expect(peers.map(({ name }) => name).toSorted()).toEqual(['b', 'c'])
    expect(Math.abs(at - (await watcher.until('peer-up c')))).toBeLessThan(500)

    const waiting = atA.waitFor({ service: 'http', attributes: { status: 'open' } }, { timeout: 5000 })
    await atB.set({ status: 'open' })
    await using _shop = await atB.publish(SERVICE)
    expect(await waiting).toMatchObject([{ name: 'b', attributes: { status: 'open' } }])
    const { address, host } = await atA.resolve('b', { service: 'http' })
    expect(address).toMatch(/^10\./)
    expect(host).toBe(`${address}:8080`)
    expect(await atA.resolve('Shop', { family: 'ipv6' })).toMatchObject({
      port: 8080,
      family: 'ipv6',
      peer: { name: 'b' },
    })
    expect((await atA.services({ type: 'http' })).services).toMatchObject([{ id: 'shop', peer: { name: 'b' } }])
    // A peer answers a probe by unicast if it has heard a beat from the address of the probe.
    await expect.poll(async () => (await atB.peer('a')).beacons.heard).toBeGreaterThan(0)
    expect(await atA.ping('b')).toBeGreaterThan(0)
    await atA.query()
    expect(await atB.unset('status')).toEqual({})
    await expect(atA.ping('nobody')).rejects.toMatchObject({ code: 'EARSHOT_NO_SUCH_PEER' })
  })

  it('writes over loopback with the token from the file beside the socket', async () => {
    await using lab = await Lab.create()
    const host = await lab.host('a')
    const daemon = await host.daemon({ args: ['--http', '127.0.0.1:15353'] })
    const script = `
      import { Earshot } from 'earshot'
      const earshot = new Earshot({ url: 'http://127.0.0.1:15353' })
      console.log(JSON.stringify(await earshot.set({ way: 'loopback' }).catch(({ code }) => code)))`
    const args = ['-C', process.cwd(), process.execPath, '--input-type=module', '-e', script]
    const known = await host.exec('env', args, { env: { EARSHOT_SOCKET: daemon.socket } })
    expect(known).toMatchObject({ stdout: '{"way":"loopback"}\n' })
    const unknown = await host.exec('env', args, { env: { EARSHOT_SOCKET: '/nowhere/control.sock' } })
    expect(unknown).toMatchObject({ stdout: '"EARSHOT_TOKEN_NEEDED"\n' })
  })
})
