import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { PeerView } from '../../../src/core/presence/peers/types.ts'
import { offerJson, peerJson } from '../../../src/daemon/control/api-json.ts'
import type { Peers, Services } from '../../../src/shared/api.ts'
import { ask, FakePresence, idOf, peerView, startControl } from './fixtures.ts'

/** A presence whose clock goes on by 1 ms with each reading, so that a long list takes many turns of the event loop. */
class BusyPresence extends FakePresence {
  /** The number of peers that were read for lists. */
  read = 0
  /** Called before the peer with this number is read. */
  beforeReading: { number: number; act: () => void } | undefined

  constructor(peers: number, journalLength?: number) {
    super(journalLength)
    for (let number = 0; number < peers; number++) this.change('peer-up', number)
  }

  override now() {
    this.time++
    return this.time
  }

  override *eachPeer(): Iterable<PeerView> {
    for (const view of super.eachPeer()) {
      if (this.read === this.beforeReading?.number) this.beforeReading.act()
      this.read++
      yield view
    }
  }
}

/** A presence whose list of peers has no end. */
class EndlessPresence extends BusyPresence {
  override *eachPeer(): Iterable<PeerView> {
    for (;;) yield* super.eachPeer()
  }
}

/** How many peers are read in ten turns of the event loop. */
async function readInTenTurns(presence: BusyPresence): Promise<number> {
  const before = presence.read
  for (let turn = 0; turn < 10; turn++) await setImmediate()
  return presence.read - before
}

/** The services of a peer, with the number of its version. */
function versioned(version: number): PeerView['services'] {
  return [{ id: 'web', name: 'Web', type: '_http._tcp', port: version, txt: {}, subtypes: [] }]
}

describe('a long list', () => {
  test.each(['/v1/peers', '/v1/services', '/v1/peers?hidden=1'])('%s is written in full', async (path) => {
    const presence = new BusyPresence(1000)
    presence.change('peer-update', 500, { name: 'Küche ❤ "\\ \ud800', attributes: { half: '\udc00' } })
    const { socket, port } = await startControl(presence)
    const { body, headers } = await ask({ socket }, path)
    const wallClock = presence.wallClock.bind(presence)
    const peers = presence.peers()
    const list = path.startsWith('/v1/peers')
      ? { peers: peers.map((view) => peerJson(view, wallClock)) }
      : { services: peers.flatMap((view) => view.services.map((service) => offerJson(service, view))) }
    const text = JSON.stringify({ epoch: 'e1', index: 1001, ...list }).replace(/\\ud[0-9a-f]{3}/g, '\ufffd')
    expect(JSON.stringify(body)).toBe(text)
    expect(Number(headers['content-length'])).toBe(Buffer.byteLength(text))
    const head = await ask({ port }, path, {}, 'HEAD')
    expect(head).toMatchObject({ status: 200, body: '', headers: { 'content-length': headers['content-length'] } })
  })

  test.each([
    ['/v1/peers?state=all', 4096],
    ['/v1/services?state=all', 4096],
    ['/v1/peers?state=all&self=1', 4096],
    // The journal forgets changes before the peers are read.
    ['/v1/peers?state=all', 2],
  ])('%s is of one moment, whatever changes while it is written (journal of %i)', async (path, journalLength) => {
    const presence = new BusyPresence(1000, journalLength)
    const versions = new Map(presence.peers().map(({ id }) => [id, 8080]))
    const expected: [id: string, version: number][][] = []
    const { socket } = await startControl(presence)
    const answered = ask({ socket }, path)
    let answer: Awaited<typeof answered> | undefined
    answered.then((given) => {
      answer = given
    })
    const change = (number: number, type: 'peer-up' | 'peer-update' | 'peer-forgotten') => {
      const version = presence.index
      presence.change(type, number, { services: versioned(version) })
      if (type === 'peer-forgotten') versions.delete(idOf(number))
      else versions.set(idOf(number), version)
      expected[presence.index] = [...versions]
    }
    for (let turn = 0; !answer; turn++) {
      const number = (turn * 37) % 1000
      change(number, 'peer-forgotten')
      change(number, 'peer-up')
      change((turn * 91) % 1000, 'peer-update')
      change(1000 + turn, 'peer-up')
      presence.changeSelf('peer-update')
      expected[presence.index] = [...versions]
      await setImmediate()
    }
    const { index, ...list } = answer.body as Peers & Services
    const items = path.startsWith('/v1/peers')
      ? list.peers.map(({ id, services }) => [id, services[0]?.port])
      : list.services.map(({ peer, port }) => [peer.id, port])
    expect(index).toBeGreaterThan(1000)
    expect(answer.headers['etag']).toBe(`W/"e1-${index}"`)
    if (path.includes('self')) expect(items.shift()?.[0]).toBe(presence.ownView.id)
    expect(items.sort()).toEqual(expected[index]?.sort())
  })

  test('does not contain a host that leaves the list while it is written', async () => {
    const presence = new BusyPresence(1000)
    const host: PeerView = { ...peerView(1000), id: 'printer.local', source: 'mdns' }
    presence.changePeer('peer-up', host)
    const act = () => {
      // It is the machine of a peer. The journal has no `peer-forgotten` of it.
      presence.changePeer('peer-left', { ...host, state: 'left' })
      presence.replacePeers(presence.peers().filter(({ id }) => id !== host.id))
    }
    presence.beforeReading = { number: 500, act }
    const { socket } = await startControl(presence)
    const { body } = await ask({ socket }, '/v1/peers?state=all')
    expect(body).toMatchObject({ index: 1002 })
    expect((body as Peers).peers.map(({ id }) => id)).toEqual(presence.peers().map(({ id }) => id))
  })

  test('does not hold up other requests', async () => {
    const presence = new BusyPresence(2000)
    const { socket } = await startControl(presence)
    const order: string[] = []
    const note = async (path: string) => {
      await ask({ socket }, path)
      order.push(path)
    }
    const asked = [note('/v1/peers')]
    presence.beforeReading = { number: 100, act: () => asked.push(note('/healthz'), note('/v1/peers?name=none')) }
    while (asked.length < 3) await setImmediate()
    await Promise.all(asked)
    expect(order).toEqual(['/healthz', '/v1/peers', '/v1/peers?name=none'])
  })

  test('is shared by clients that ask for it while its peers are read, or while nothing has changed', async () => {
    const presence = new BusyPresence(1000)
    const { socket } = await startControl(presence)
    const more: ReturnType<typeof ask>[] = []
    presence.beforeReading = { number: 500, act: () => more.push(ask({ socket }, '/v1/peers')) }
    const first = await ask({ socket }, '/v1/peers')
    expect((await Promise.all(more)).map(({ body }) => body)).toEqual([first.body])
    expect(presence.read).toBe(1000)
  })

  test('is no longer written when its client has disconnected', async () => {
    const presence = new BusyPresence(5000)
    const { socket } = await startControl(presence)
    const connection = connect(socket)
    presence.beforeReading = { number: 100, act: () => connection.destroy() }
    connection.write('GET /v1/peers HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(connection, 'close')
    expect((await ask({ socket }, '/v1/peers')).status).toBe(200)
    expect(presence.read).toBeLessThan(10_000)
  })

  test('is finished when the daemon stops, if there is time', async () => {
    const presence = new BusyPresence(2000)
    const { socket, control } = await startControl(presence, { closeTimeoutMs: 3_600_000 })
    const closed = new Promise<void>((resolve) => {
      presence.beforeReading = { number: 100, act: () => resolve(control.close()) }
    })
    const { status, body } = await ask({ socket }, '/v1/peers')
    expect(status).toBe(200)
    expect((body as Peers).peers).toHaveLength(2000)
    await closed
  })

  test('does not keep the daemon from stopping', async () => {
    const presence = new EndlessPresence(1)
    const { socket, control } = await startControl(presence, { closeTimeoutMs: 1 })
    const asked = request({ socketPath: socket, path: '/v1/peers', agent: false })
    asked.once('response', (answer) => answer.on('error', () => {}))
    asked.on('error', () => {})
    const closed = new Promise<void>((resolve) => {
      presence.beforeReading = { number: 100, act: () => resolve(control.close()) }
    })
    asked.end()
    await closed
    // It is no longer written.
    while ((await readInTenTurns(presence)) > 0);
  })
})
