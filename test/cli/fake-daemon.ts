import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Event, Gap, Peer, Peers, Self, Sync } from '../../src/client/index.ts'
import type { ApiError } from '../../src/control/api.ts'
import { NOW, someSelf } from './some-peers.ts'

/** Speaks the shapes of `src/control/api.ts` on a Unix socket: what the tests say, to whoever asks. */
export class FakeDaemon {
  readonly #directory = mkdtempSync(join(tmpdir(), 'earshot-cli-'))
  readonly socket = join(this.#directory, 'control.sock')
  /** The addresses of the requests that came. */
  readonly asked: string[] = []
  peers: Peer[] = []
  self: Self = someSelf
  epoch = '9f3c1d'
  index = 1842
  /** Answers every request with this instead, when it is set. */
  refusal: ApiError | undefined
  #server: Server | undefined
  readonly #readers = new Set<ServerResponse>()

  async start(): Promise<void> {
    const server = createServer((request, response) => this.#answer(request, response))
    this.#server = server
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

  /** Comes back as a new process, which knows nothing of the old one's changes. */
  async restart(epoch: string): Promise<void> {
    await this.stop()
    this.epoch = epoch
    await this.start()
  }

  async remove(): Promise<void> {
    await this.stop()
    rmSync(this.#directory, { recursive: true })
  }

  tell(type: Event['type'], peer: Peer): void {
    this.index++
    const text = this.#event({ type, index: this.index, at: new Date(NOW).toISOString(), peer }, true)
    for (const reader of this.#readers) reader.write(text)
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
    this.asked.push(request.url ?? '')
    if (pathname === '/v1/events' && !this.refusal) this.#stream(searchParams, response)
    else send(response, this.refusal ?? this.#body(pathname))
  }

  #body(pathname: string): object {
    if (pathname === '/v1/self') return this.self
    if (pathname === '/v1/peers') return { epoch: this.epoch, index: this.index, peers: this.peers } satisfies Peers
    const name = decodeURIComponent(pathname.replace('/v1/peers/', ''))
    const peer = this.peers.find((one) => one.name === name)
    return peer ?? { statusCode: 404, code: 'EARSHOT_NO_SUCH_PEER', error: 'Not Found', message: `no '${name}'` }
  }

  #stream(query: URLSearchParams, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const since = query.get('since')
    const resumes = since?.startsWith(`${this.epoch}-`) ?? false
    const now = { index: this.index, at: new Date(NOW).toISOString() }
    if (since !== null && !resumes) response.write(this.#event({ type: 'gap', epoch: this.epoch, ...now }, false))
    if (!resumes) for (const peer of this.peers) response.write(this.#event({ type: 'peer', ...now, peer }, false))
    response.write(this.#event({ type: 'sync', epoch: this.epoch, ...now }, true))
    this.#readers.add(response)
    response.on('close', () => this.#readers.delete(response))
  }

  #event(data: Event | Gap | Sync, resumable: boolean): string {
    const id = resumable ? `id: ${this.epoch}-${data.index}\n` : ''
    return `${id}event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
  }
}

function send(response: ServerResponse, body: object): void {
  const status = 'statusCode' in body ? Number(body.statusCode) : 200
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
