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
 * A daemon without a network, for tests of its clients. The peers are those of the test; the real control server answers.
 * In front of it stands a server on `socket` that records every request, and sends the reply of the test instead if the
 * test has one: for errors and delays that a daemon rarely shows.
 */
export class ScriptedDaemon {
  readonly #directory = mkdtempSync(join(tmpdir(), 'earshot-scripted-'))
  readonly socket = join(this.#directory, 'front.sock')
  readonly requests: RecordedRequest[] = []
  readonly registry = new FakePresence(JOURNAL_LENGTH)
  /** Replies instead of the control server, unless it returns undefined. */
  reply: (request: RecordedRequest) => ScriptedReply | undefined | Promise<ScriptedReply | undefined> = () => undefined
  /** This many of the next connections are closed at once. */
  hangUps = 0
  #front: Server | undefined
  #control: ControlServer | undefined
  #catalogue: Catalogue | undefined
  readonly #streams = new Set<ServerResponse>()
  #unanswered = 0
  #wake = () => {}

  constructor() {
    this.registry.time = 0
  }

  /** A daemon that runs until the test ends. */
  static async start(): Promise<ScriptedDaemon> {
    const daemon = new ScriptedDaemon()
    onTestFinished(() => daemon.remove())
    await daemon.start()
    return daemon
  }

  /** The number of requests without a complete answer, or, for event streams, without the head of one. */
  get unanswered(): number {
    return this.#unanswered
  }

  /** The number of open event streams. */
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
      publish: () => {},
      notify: () => {},
    })
    this.#catalogue = catalogue
    this.registry.catalogue = catalogue
    const control = new ControlServer(this.registry, {
      socket: this.#behind,
      log: pino({ level: 'silent' }),
      closeTimeoutMs: 0,
    })
    this.#control = control
    await control.listen()
    const front = createServer((incoming, response) => void this.#handle(incoming, response))
    this.#front = front
    front.on('connection', (connection) => {
      if (this.hangUps === 0) return
      this.hangUps--
      connection.destroy()
    })
    await new Promise<void>((resolve) => front.listen(this.socket, resolve))
  }

  /** Ends as a killed daemon does: all connections break. */
  async stop(): Promise<void> {
    const front = this.#front
    if (!front) return
    this.#front = undefined
    const closed = new Promise((resolve) => front.close(resolve))
    front.closeAllConnections()
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

  /** A change of a peer, which is like this from now on. */
  change(type: Event['type'], peer: Peer): void {
    if (type === 'peer') throw new TypeError('peer is no change')
    this.registry.changePeer(type, peerView(peer))
  }

  /** The requests so far, as `PUT /v1/services/a`. */
  calls(): string[] {
    return this.requests.map(({ method, url }) => `${method} ${url.pathname}`)
  }

  /** Resolves when the condition is met. It is checked after each request and each answer. */
  async until(isMet: () => boolean): Promise<void> {
    while (!isMet()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** The socket of the control server. */
  get #behind(): string {
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
    const forwarded = request({ socketPath: this.#behind, method, path: url, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers)
      response.flushHeaders()
      answer.on('error', () => response.destroy())
      answer.pipe(response)
      if (!answer.headers['content-type']?.startsWith('text/event-stream')) return
      this.#streams.add(response)
      this.#countAnswer()
    })
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

/** The peer as the core sees it: the reverse of what the control server does. */
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
