import { mkdtempSync, rmSync } from 'node:fs'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import type { Event, Peer } from '../src/client/index.ts'
import type { PeerView } from '../src/core/presence/peers/types.ts'
import { peerJson } from '../src/daemon/control/api-json.ts'
import { ControlServer } from '../src/daemon/control/server.ts'
import { Catalogue } from '../src/daemon/services/catalogue.ts'
import { Ticker } from '../src/io/ticker.ts'
import { BEGINNING, FakePresence } from './daemon/control/fixtures.ts'

export interface RecordedRequest {
  method: string
  url: URL
  headers: IncomingHttpHeaders
  /** Parsed from JSON; empty when there was none. */
  body: unknown
}

export interface ScriptedReply {
  status: number
  body?: object
}

const JOURNAL_LENGTH = 4096

/**
 * A daemon without a network, for tests of its clients. The test sets the peers, and the real control server answers.
 * A proxy on `socket` records every request. It sends the test's own reply if there is one, which simulates errors and
 * delays that are rare in a real daemon.
 */
export class ScriptedDaemon {
  readonly #directory = mkdtempSync(join(tmpdir(), 'earshot-scripted-'))
  readonly socket = join(this.#directory, 'front.sock')
  readonly requests: RecordedRequest[] = []
  readonly registry = new FakePresence(JOURNAL_LENGTH)
  /** Returns the reply to a request, or undefined to forward it to the control server. */
  reply: (request: RecordedRequest) => ScriptedReply | undefined | Promise<ScriptedReply | undefined> = () => undefined
  /** Number of next connections that are closed at once. */
  connectionsToClose = 0
  #proxy: Server | undefined
  #control: ControlServer | undefined
  #catalogue: Catalogue | undefined
  readonly #streams = new Set<ServerResponse>()
  #unanswered = 0
  #wake = () => {}

  constructor() {
    this.registry.time = 0
  }

  /** Starts a daemon that runs until the test ends. */
  static async start(): Promise<ScriptedDaemon> {
    const daemon = new ScriptedDaemon()
    onTestFinished(() => daemon.remove())
    await daemon.start()
    return daemon
  }

  /** Number of requests without a complete response. A request for an event stream counts until its response headers. */
  get unanswered(): number {
    return this.#unanswered
  }

  /** Number of open event streams. */
  get streams(): number {
    return this.#streams.size
  }

  get peers(): readonly Peer[] {
    return this.registry.peers().map((peer) => peerJson(peer, (monotonic) => this.registry.wallClock(monotonic)))
  }

  /** Replaces the peers without a change in the journal. */
  set peers(peers: readonly Peer[]) {
    this.registry.replacePeers(peers.map(peerView))
  }

  get epoch(): string {
    return this.registry.epoch
  }

  get index(): number {
    return this.registry.index
  }

  async start(): Promise<void> {
    const { name, hostname } = this.registry.ownView
    const catalogue = await Catalogue.open({
      ...{ name, hostname, stateDir: this.#directory, servicesDir: [], services: [], attributes: {} },
      now: () => this.registry.now(),
      ticker: new Ticker(),
      publish: () => {},
      notify: () => {},
    })
    this.#catalogue = catalogue
    this.registry.catalogue = catalogue
    const control = new ControlServer(this.registry, {
      socket: this.#controlSocket,
      log: pino({ level: 'silent' }),
      closeTimeoutMs: 0,
    })
    this.#control = control
    await control.listen()
    control.serve()
    const proxy = createServer((incoming, response) => void this.#handle(incoming, response))
    this.#proxy = proxy
    proxy.on('connection', (connection) => {
      if (this.connectionsToClose === 0) return
      this.connectionsToClose--
      connection.destroy()
    })
    await new Promise<void>((resolve) => proxy.listen(this.socket, resolve))
  }

  /** Stops like a killed daemon: all connections break. */
  async stop(): Promise<void> {
    const proxy = this.#proxy
    if (!proxy) return
    this.#proxy = undefined
    const closed = new Promise((resolve) => proxy.close(resolve))
    proxy.closeAllConnections()
    await closed
    await this.#control?.close()
    await this.#catalogue?.close()
  }

  /** Ends, and starts as a new process that knows these peers. */
  async restart(epoch: string, ...peers: Peer[]): Promise<void> {
    await this.stop()
    this.registry.epoch = epoch
    this.registry.index = 0
    this.registry.dropJournal()
    this.peers = peers
    await this.start()
  }

  async remove(): Promise<void> {
    await this.stop()
    rmSync(this.#directory, { recursive: true })
  }

  /** Closes the event streams. */
  breakStreams(): void {
    for (const stream of this.#streams) stream.destroy()
  }

  /** Sets the new state of a peer and reports it as a change of this type. */
  change(type: Event['type'], peer: Peer): void {
    if (type === 'peer') throw new TypeError("'peer' is not a change")
    this.registry.changePeer(type, peerView(peer))
  }

  /** The requests so far, in the form `PUT /v1/services/a`. */
  calls(): string[] {
    return this.requests.map(({ method, url }) => `${method} ${url.pathname}`)
  }

  /** Resolves when the condition is met. It is checked after each request and each response. */
  async until(isMet: () => boolean): Promise<void> {
    while (!isMet()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Path of the control server's socket. */
  get #controlSocket(): string {
    return join(this.#directory, 'control.sock')
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of incoming.setEncoding('utf8')) text += chunk
    const { method = 'GET', url = '', headers } = incoming
    const recorded = { method, url: new URL(url, 'http://localhost'), headers, body: text && JSON.parse(text) }
    this.requests.push(recorded)
    this.#unanswered++
    this.#wake()
    const reply = await this.reply(recorded)
    if (!reply) return this.#forward(incoming, text, response)
    response.once('close', () => this.#countAnswer())
    response.writeHead(reply.status, { 'content-type': 'application/json' })
    response.end(reply.body && JSON.stringify(reply.body))
  }

  #forward({ method, url = '', headers }: IncomingMessage, body: string, response: ServerResponse): void {
    const forwarded = request(
      { socketPath: this.#controlSocket, method, path: url, headers, agent: false },
      (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers)
        response.flushHeaders()
        answer.on('error', () => response.destroy())
        answer.pipe(response)
        if (!answer.headers['content-type']?.startsWith('text/event-stream')) return
        this.#streams.add(response)
        this.#countAnswer()
      },
    )
    forwarded.on('error', () => response.destroy())
    response.on('close', () => {
      if (!this.#streams.delete(response)) this.#countAnswer()
      forwarded.destroy()
    })
    forwarded.end(body)
  }

  #countAnswer(): void {
    this.#unanswered--
    this.#wake()
  }
}

/** Converts a peer of the API to the view of the core. This is the inverse of the control server's conversion. */
function peerView(peer: Peer): PeerView {
  const { intervalMs, jitterMs, rttMs, addresses, paths, history, services, hidden, firstSeen, lastSeen, ...same } =
    peer
  return {
    ...same,
    ...(hidden && { hidden }),
    addresses: addresses.map(withoutZone),
    services: services.map(({ source, addresses: own, ...service }) => ({
      ...service,
      ...(source && { source }),
      ...(own && { addresses: own.map(withoutZone) }),
    })),
    interval: intervalMs,
    jitter: jitterMs,
    rtt: rttMs,
    firstSeen: monotonic(firstSeen),
    lastSeen: monotonic(lastSeen),
    paths: paths.map(({ lastHeard, address, ...path }) => ({
      ...path,
      lastHeard: monotonic(lastHeard),
      ...(address !== undefined && { address: withoutZone({ address }).address }),
    })),
    history: history.map(({ at, state }) => ({ at: monotonic(at), state })),
  }
}

function monotonic(time: string): number {
  return Date.parse(time) - BEGINNING
}

function withoutZone<On extends { address: string }>(on: On): On {
  return { ...on, address: on.address.replace(/%.*$/, '') }
}
