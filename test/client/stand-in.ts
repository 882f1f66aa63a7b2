import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { peerMatcher } from '../../src/client/filter.ts'
import type { Event, Gap, Peer, Sync } from '../../src/client/index.ts'

export const AT = '2026-11-21T09:00:00.000Z'

export function somePeer(name: string, given: Partial<Peer> = {}): Peer {
  return {
    id: `${name}aaaaaaaaaaaaaaaaaaaaaaaaaa`.slice(0, 26),
    name,
    state: 'alive',
    source: 'beacon',
    hostname: `${name}.lan`,
    addresses: [{ address: '192.168.1.20', family: 'ipv4', interface: 'eth0' }],
    services: [{ id: 'web', name: 'Web', type: '_http._tcp', port: 8080, txt: {}, subtypes: [] }],
    attributes: {},
    version: '1.0.0',
    incarnation: 7,
    recordVersion: 1,
    intervalMs: 1000,
    firstSeen: AT,
    lastSeen: AT,
    paths: [{ interface: 'eth0', path: 'broadcast', lastHeard: AT }],
    beacons: { heard: 1, lost: 0 },
    jitterMs: 0,
    flapping: false,
    history: [{ at: AT, state: 'alive' }],
    ...given,
  }
}

export interface Asked {
  method: string
  url: URL
  headers: IncomingMessage['headers']
  body: unknown
}

type Reply = { status: number; body?: object }

/** Speaks as much of the daemon's API as the client's tests need, on a Unix socket or a port: what the tests say. */
export class StandIn {
  readonly socket: string
  readonly asked: Asked[] = []
  readonly peers = new Map<string, Peer>()
  epoch = 'e1'
  index = 0
  /** Oldest change that one can resume after. */
  journalFrom = 0
  /** What answers a call of another kind than events; undefined for the usual answer. */
  answer: (asked: Asked) => Reply | undefined | Promise<Reply | undefined> = () => undefined
  /** So many of the next connections are closed without a word. */
  hangUps = 0
  #journal: Event[] = []
  #server: Server | undefined
  readonly #readers = new Map<ServerResponse, (peer: Peer) => boolean>()
  #wake = () => {}

  constructor(socket: string) {
    this.socket = socket
  }

  static async start(): Promise<StandIn> {
    const directory = await mkdtemp(join(tmpdir(), 'earshot-client-'))
    const standIn = new StandIn(join(directory, 'control.sock'))
    onTestFinished(async () => {
      await standIn.stop()
      await rm(directory, { recursive: true })
    })
    await standIn.start()
    return standIn
  }

  get readers(): number {
    return this.#readers.size
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => void this.#take(request, response))
    this.#server = server
    server.on('connection', (connection) => {
      if (this.hangUps === 0) return
      this.hangUps--
      connection.destroy()
    })
    await new Promise<void>((resolve) => server.listen(this.socket, resolve))
  }

  /** Goes away as a daemon does that is killed. */
  async stop(): Promise<void> {
    const server = this.#server
    if (!server) return
    this.#server = undefined
    this.#readers.clear()
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }

  /** Comes back as another process that knows these peers. */
  async restart(epoch: string, ...peers: Peer[]): Promise<void> {
    await this.stop()
    this.epoch = epoch
    this.index = 0
    this.#journal = []
    this.peers.clear()
    for (const peer of peers) this.peers.set(peer.id, peer)
    await this.start()
  }

  /** Breaks the streams off, and nothing else. */
  breakOff(): void {
    for (const reader of this.#readers.keys()) reader.destroy()
    this.#readers.clear()
  }

  happens(type: Event['type'], peer: Peer): void {
    this.peers.set(peer.id, peer)
    const event: Event = { type, index: ++this.index, at: AT, peer }
    this.#journal.push(event)
    for (const [reader, wants] of this.#readers) if (wants(peer)) reader.write(this.#text(event))
  }

  /** The calls so far, as `PUT /v1/services/a`. */
  calls(): string[] {
    return this.asked.map(({ method, url }) => `${method} ${url.pathname}`)
  }

  async until(met: () => boolean): Promise<void> {
    while (!met()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk
    const { method = '', url, headers } = request
    const asked = { method, url: new URL(url ?? '', 'http://localhost'), headers, body: text && JSON.parse(text) }
    this.asked.push(asked)
    this.#wake()
    const reply = (await this.answer(asked)) ?? this.#usual(asked)
    if (asked.url.pathname === '/v1/events' && reply === undefined) this.#stream(asked.url.searchParams, response)
    else {
      const { status, body } = reply ?? {
        status: 404,
        body: { code: 'EARSHOT_NO_SUCH_ROUTE', message: 'no such route' },
      }
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(body && JSON.stringify(body))
    }
  }

  #usual({ method, url }: Asked): Reply | undefined {
    const { epoch, index } = this
    if (url.pathname === '/healthz') return { status: 200, body: { status: 'ok', peers: 0, epoch } }
    if (url.pathname === '/v1/peers') {
      const states = url.searchParams.getAll('state')
      const peers = [...this.peers.values()].filter(({ state }) => states.length === 0 || states.includes(state))
      return { status: 200, body: { epoch, index, peers } }
    }
    if (method === 'DELETE') return { status: 204 }
    if (method === 'PUT') return { status: 200, body: { id: url.pathname.split('/').at(-1), source: 'api' } }
    return undefined
  }

  #stream(query: URLSearchParams, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const { epoch, index } = this
    const [since, after] = /^(.+)-(\d+)$/.exec(query.get('since') ?? '')?.slice(1) ?? []
    const resumes = since === epoch && Number(after) >= this.journalFrom
    const names = query.getAll('name')
    const services = query.getAll('service')
    const wants = peerMatcher({
      ...(names.length > 0 && { name: names }),
      ...(services.length > 0 && { service: services }),
    })
    if (since !== undefined && !resumes) response.write(this.#text({ type: 'gap', epoch, index, at: AT }, false))
    if (resumes) {
      for (const event of this.#journal.slice(Number(after))) if (wants(event.peer)) response.write(this.#text(event))
    } else if (query.get('state') === '1') {
      for (const peer of this.peers.values()) {
        const isPresent = peer.state === 'alive' || peer.state === 'suspect'
        if (isPresent && wants(peer)) response.write(this.#text({ type: 'peer', index, at: AT, peer }, false))
      }
    }
    response.write(this.#text({ type: 'sync', epoch, index, at: AT }))
    // A change by which a peer ceases to pass is told as well; to tell every one is what a resumed stream may do.
    this.#readers.set(response, names.includes('') ? () => false : () => true)
    response.on('close', () => this.#readers.delete(response))
  }

  #text(event: Event | Gap | Sync, hasId = true): string {
    return `${hasId ? `id: ${this.epoch}-${event.index}\n` : ''}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
  }
}
