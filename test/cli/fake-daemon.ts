import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Event, Gap, Host, OwnService, Peer, Peers, Self, Services, Sync } from '../../src/client/index.ts'
import type { ApiError } from '../../src/shared/api.ts'
import { NOW, somePeer, someSelf, someService } from './some-peers.ts'

/** An HTTP server on a Unix socket that answers with the API's types (`src/shared/api.ts`) and the data of the test. */
export class FakeDaemon {
  readonly #directory = mkdtempSync(join(tmpdir(), 'earshot-cli-'))
  readonly socket = join(this.#directory, 'control.sock')
  /** The URLs of all requests, except health checks. */
  readonly asked: string[] = []
  /** The requests that change something: method, path, and the body if there is one. */
  readonly changes: [method: string, path: string, body?: unknown][] = []
  /** Emits `stream` when the initial state has been written to a reader of events. */
  readonly #emitter = new EventEmitter()
  peers: Peer[] = []
  self: Self = someSelf
  epoch = '9f3c1d'
  index = 1842
  /** Round trips of the next probes, ms; `undefined` for no answer. */
  probes: (number | undefined)[] = []
  /** Whether blocking queries get no answer, as if nothing changed. */
  holdBack = false
  /** If set, the answer to every request. */
  refusal: ApiError | undefined
  #server: Server | undefined
  readonly #readers = new Set<ServerResponse>()

  async start(): Promise<void> {
    const server = createServer((request, response) => void this.#answer(request, response))
    this.#server = server
    await new Promise<void>((resolve) => server.listen(this.socket, resolve))
  }

  /** Closes the socket and all connections, as if the daemon was killed. */
  async stop(): Promise<void> {
    const server = this.#server
    if (!server) return
    this.#server = undefined
    this.#readers.clear()
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }

  /** Starts again with this epoch: a new one is a new process, which knows no earlier changes. */
  async restart(epoch: string): Promise<void> {
    await this.stop()
    this.epoch = epoch
    await this.start()
  }

  async remove(): Promise<void> {
    await this.stop()
    rmSync(this.#directory, { recursive: true })
  }

  emit(type: Event['type'], peer: Peer): void {
    this.index++
    const text = this.#event({ type, index: this.index, at: new Date(NOW).toISOString(), peer }, true)
    for (const reader of this.#readers) reader.write(text)
  }

  /** Resolves when a reader of events has got the initial state. */
  async streaming(): Promise<void> {
    if (this.#readers.size === 0) await once(this.#emitter, 'stream')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '' } = request
    const address = new URL(url, 'http://localhost')
    const { pathname, searchParams } = address
    if (pathname !== '/healthz') this.asked.push(url)
    if (this.holdBack && searchParams.has('since')) return
    if (pathname === '/v1/events' && !this.refusal) return this.#stream(searchParams, response)
    if (method !== 'GET') {
      const text = await read(request)
      this.changes.push(text === '' ? [method, pathname] : [method, pathname, JSON.parse(text)])
    }
    send(response, this.refusal ?? (method === 'GET' ? this.#body(address) : this.#change(method, pathname)))
  }

  /** The answer to a change, which is not made. */
  #change(method: string, pathname: string): object | undefined {
    if (method === 'DELETE') return undefined
    if (method === 'PATCH') return { attributes: this.self.attributes }
    if (method === 'PUT')
      return { ...someService, id: pathname.replace('/v1/services/', ''), source: 'api' } satisfies OwnService
    const rttMs = this.probes.shift()
    const { id, name } = somePeer()
    if (typeof rttMs === 'number') return { peer: { id, name }, rttMs }
    return { statusCode: 504, code: 'EARSHOT_NO_ANSWER', error: 'Gateway Timeout', message: 'no answer' }
  }

  #body({ pathname, searchParams }: URL): object {
    if (pathname === '/healthz') return { status: 'ok', peers: this.peers.length, epoch: this.epoch }
    if (pathname === '/v1/services') return this.#services(searchParams.get('name'))
    if (pathname === '/v1/self') return this.self
    if (pathname === '/v1/peers') return { epoch: this.epoch, index: this.index, peers: this.peers } satisfies Peers
    if (pathname === '/v1/hosts/scanner.local') {
      const addresses = [{ address: '192.168.1.61', family: 'ipv4' as const, interface: 'eth0' }]
      return { hostname: 'scanner.local', addresses } satisfies Host
    }
    if (pathname.startsWith('/v1/hosts/')) {
      const message = 'no host by that name answered by mDNS within 1s'
      return { statusCode: 404, code: 'EARSHOT_NO_SUCH_HOST', error: 'Not Found', message }
    }
    const reference = decodeURIComponent(pathname.replace('/v1/peers/', ''))
    const peer = this.peers.find(({ name, id }) => name === reference || id === reference)
    return peer ?? { statusCode: 404, code: 'EARSHOT_NO_SUCH_PEER', error: 'Not Found', message: `no '${reference}'` }
  }

  #services(wanted: string | null): Services {
    const services = this.peers.flatMap(({ services, id, name, state, hostname, addresses }) =>
      services
        .filter((service) => (wanted ?? service.name) === service.name)
        .map((service) => ({ ...service, peer: { id, name, state, hostname, addresses } })),
    )
    return { epoch: this.epoch, index: this.index, services }
  }

  #stream(query: URLSearchParams, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const since = query.get('since')
    const resumes = since?.startsWith(`${this.epoch}-`) ?? false
    const now = { index: this.index, at: new Date(NOW).toISOString() }
    if (since !== null && !resumes) response.write(this.#event({ type: 'gap', epoch: this.epoch, ...now }, false))
    if (!resumes && query.get('state') === '1')
      for (const peer of this.peers) response.write(this.#event({ type: 'peer', ...now, peer }, false))
    response.write(this.#event({ type: 'sync', epoch: this.epoch, ...now }, true))
    this.#readers.add(response)
    this.#emitter.emit('stream')
    response.on('close', () => this.#readers.delete(response))
  }

  #event(data: Event | Gap | Sync, resumable: boolean): string {
    const id = resumable ? `id: ${this.epoch}-${data.index}\n` : ''
    return `${id}event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
  }
}

async function read(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return text
}

function send(response: ServerResponse, body: object | undefined): void {
  if (!body) return void response.writeHead(204).end()
  const status = 'statusCode' in body ? Number(body.statusCode) : 200
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
