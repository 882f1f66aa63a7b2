import { type IncomingHttpHeaders, request } from 'node:http'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, onTestFinished } from 'vitest'
import { EventStreamParser, type StreamEvent } from '../../../src/client/event-stream.ts'
import { ownView } from '../../../src/core/presence/peer-list.ts'
import { bestMatches } from '../../../src/core/presence/peers/peer-reference.ts'
import type {
  Change,
  PeerChangeType,
  PeerView,
  PresenceReader,
  SelfView,
  SilentChangeType,
} from '../../../src/core/presence/peers/types.ts'
import type { PeerId } from '../../../src/core/wire/id.ts'
import { MAX_RECORD_BYTES } from '../../../src/core/wire/messages.ts'
import { InvalidRecord } from '../../../src/core/wire/record.ts'
import type { Attributes, Service } from '../../../src/core/wire/record-schema.ts'
import type { ControlDependencies, DaemonStatus, MdnsAccess } from '../../../src/daemon/control/context.ts'
import { ControlServer, type ControlServerOptions } from '../../../src/daemon/control/server.ts'
import { Catalogue } from '../../../src/daemon/services/catalogue.ts'
import { recordService } from '../../../src/daemon/services/own-services.ts'
import { Ticker } from '../../../src/io/ticker.ts'
import type { PeerState } from '../../../src/shared/peer-state.ts'
import type { ServiceChangeType } from '../../../src/shared/service-changes.ts'
import { temporaryDirectory } from '../../temporary-directory.ts'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
/** Wall-clock time of monotonic 0. */
export const BEGINNING = Date.UTC(2026, 10, 21, 9, 0, 0)

/** A distinct id whose first characters show the number: its first digit in base 32 comes first. */
export function idOf(number: number): PeerId {
  let text = ''
  for (let rest = number; text.length < 26; rest = Math.floor(rest / 32)) text += ALPHABET[rest % 32]
  return text as PeerId
}

export function peerView(number: number, given: Partial<PeerView> = {}): PeerView {
  return {
    id: idOf(number),
    name: `peer-${number}`,
    state: 'alive',
    source: 'beacon',
    hostname: `peer-${number}.lan`,
    addresses: [
      { address: `10.0.${number >> 8}.${number & 255}`, family: 'ipv4', interface: 'eth0' },
      { address: 'fe80::1', family: 'ipv6', interface: 'eth0' },
    ],
    services: [{ id: 'web', name: 'Web', type: '_http._tcp', port: 8080, txt: { path: '/' }, subtypes: [] }],
    attributes: { status: 'idle', temperature: 21.5, ready: true },
    version: '1.0.0',
    incarnation: 1_795_250_000,
    recordVersion: 1,
    interval: 1000,
    firstSeen: 1000,
    lastSeen: 61_004,
    paths: [
      { interface: 'eth0', path: 'broadcast', lastHeard: 61_004 },
      { interface: 'eth0', path: 'multicast4', lastHeard: 61_003 },
    ],
    beacons: { heard: 60, lost: 1 },
    jitter: 0.25,
    rtt: undefined,
    flapping: false,
    history: [{ at: 1000, state: 'alive' }],
    ...given,
  }
}

const STATE_OF: Record<PeerChangeType | SilentChangeType, PeerState | undefined> = {
  'peer-up': 'alive',
  'peer-update': undefined,
  'peer-suspect': 'suspect',
  'peer-failed': 'failed',
  'peer-left': 'left',
  'peer-damped': undefined,
  'peer-forgotten': undefined,
}

/** A catalogue without services, for tests that do not use it. */
const NOTHING_TO_OFFER: ControlDependencies['catalogue'] = {
  peerName: 'here',
  get: () => undefined,
  list: () => [],
  badFiles: [],
  attributes: { role: 'test' },
  put: () => expect.unreachable(),
  remove: () => expect.unreachable(),
  saved: () => expect.unreachable(),
  patchAttributes: () => expect.unreachable(),
}

/** A registry without a network: the test changes the peers, and the control API reads them as in the real registry. */
export class FakePresence implements ControlDependencies, PresenceReader {
  epoch = 'e1'
  readonly token = 'the-token-of-this-run'
  readonly presence = this
  catalogue: ControlDependencies['catalogue'] = NOTHING_TO_OFFER
  /** Round-trip times by peer id, ms. Other peers do not answer probes. */
  readonly roundTrips = new Map<string, number>()
  queries = 0
  /** mDNS is off by default. */
  mdns: MdnsAccess | undefined
  index = 0
  time = 62_000
  facts: DaemonStatus = {
    ...{ startedAt: 500, port: 15353, stateDir: '/var/lib/earshot', leftOut: [], faults: [] },
    dropped: { unicast: 0, shared: 0 },
  }
  ownView: SelfView = {
    id: idOf(31),
    name: 'here',
    hostname: 'here.lan',
    version: '1.0.0',
    incarnation: 7,
    recordVersion: 3,
    interval: 1000,
    services: [],
    attributes: { role: 'test' },
    interfaces: [
      {
        name: 'eth0',
        addresses: [{ address: 'fe80::9', family: 'ipv6' }],
        paths: ['broadcast', 'multicast4'],
        echoes: [{ path: 'broadcast', lastHeard: 61_000, deaf: false }],
      },
    ],
    counters: { received: { beat: 5 }, sent: { beat: 2 }, refused: {} },
    limits: { peers: { now: 0, most: 16_384 }, recordBytes: { now: 0, most: 1 } },
  }
  readonly #peers = new Map<string, PeerView>()
  readonly #listeners = new Set<() => void>()
  readonly #journalLength: number
  #journal: Change[] = []

  constructor(journalLength = 4096) {
    this.#journalLength = journalLength
  }

  /** Adds a peer or changes the given fields of one, and records the change in the journal. */
  change(type: PeerChangeType | SilentChangeType, number: number, given: Partial<PeerView> = {}): Change {
    const state = STATE_OF[type]
    return this.changePeer(type, {
      ...(this.#peers.get(idOf(number)) ?? peerView(number)),
      ...(state && { state }),
      ...given,
    })
  }

  /** Adds or replaces a peer, and records the change in the journal. */
  changePeer(type: PeerChangeType | SilentChangeType, peer: PeerView): Change {
    if (type === 'peer-forgotten') this.#peers.delete(peer.id)
    else this.#peers.set(peer.id, peer)
    return this.#add({ index: ++this.index, type, at: this.time, peer })
  }

  /** Replaces all peers without a change in the journal. */
  replacePeers(peers: readonly PeerView[]): void {
    this.#peers.clear()
    for (const peer of peers) this.#peers.set(peer.id, peer)
  }

  /** Empties the journal: no stream can resume from before this. */
  dropJournal(): void {
    this.#journal = []
  }

  /** Records the change of a service. */
  changeService(type: ServiceChangeType, number: number, service: Service): Change {
    const peer = this.#peers.get(idOf(number)) ?? peerView(number)
    return this.#add({ index: ++this.index, type, at: this.time, peer, service })
  }

  #add(change: Change): Change {
    this.#journal.push(change)
    if (this.#journal.length > this.#journalLength) this.#journal = this.#journal.slice(-this.#journalLength)
    for (const listener of this.#listeners) listener()
    return change
  }

  now() {
    return this.time
  }
  wallClock(monotonic: number) {
    return BEGINNING + monotonic
  }
  onChange(listener: () => void) {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  describe() {
    return this.facts
  }
  async probe(id: PeerId, timeout: number) {
    const rtt = this.roundTrips.get(id)
    return rtt !== undefined && rtt <= timeout ? rtt : undefined
  }
  query() {
    this.queries++
  }
  peers() {
    return [...this.#peers.values()]
  }
  eachPeer(): Iterable<PeerView> {
    return this.#peers.values()
  }
  get(id: string) {
    return this.#peers.get(id)
  }
  hiddenHosts: PeerView[] = []
  hidden() {
    return this.hiddenHosts
  }
  find(reference: string, source?: PeerView['source']) {
    return bestMatches(
      reference,
      this.peers().filter((peer) => !source || peer.source === source),
    )
  }
  self() {
    return { ...this.ownView, limits: { ...this.ownView.limits, peers: { now: this.#peers.size, most: 16_384 } } }
  }
  ownPeer(now: number) {
    const services = this.catalogue.list().map(recordService)
    return ownView({ ...this.self(), services, attributes: this.catalogue.attributes }, this.facts.startedAt, now)
  }
  /** Records a change of the daemon's own peer. */
  changeSelf(type: PeerChangeType, given: Partial<PeerView> = {}): Change {
    const peer = { ...this.ownPeer(this.time), ...given }
    return this.#add({ index: ++this.index, type, at: this.time, peer, own: true })
  }
  changesSince(index: number) {
    const first = (this.#journal[0]?.index ?? this.index + 1) - 1
    return index < first ? undefined : this.#journal.slice(index - first)
  }
}

/** A host found by mDNS. */
export function hostView(number: number, given: Partial<PeerView> = {}): PeerView {
  const { id: _id, services, ...view } = peerView(number)
  return {
    ...view,
    id: `host-${number}.local`,
    name: `host-${number}`,
    source: 'mdns',
    hostname: `Host-${number}.local`,
    services: services.map((service) => ({ ...service, source: 'mdns' })),
    attributes: {},
    version: '',
    incarnation: 0,
    recordVersion: 0,
    interval: 0,
    paths: [{ interface: 'eth0', path: 'mdns', lastHeard: 61_004 }],
    beacons: { heard: 0, lost: 0 },
    jitter: 0,
    ...given,
  }
}

/** An mDNS that resolves these hosts. */
export function mdnsKnowing(hosts: Record<string, PeerView['addresses']>): MdnsAccess {
  return {
    view: () => ({
      hostname: 'own.local',
      publications: [{ id: 'web', name: 'Web (2)', type: '_http._tcp', state: 'published' }],
      browsing: ['_earshot._udp', '_http._tcp'],
      limits: {
        hosts: { now: 1, most: 1024, full: [] },
        services: { now: 2, most: 4096, full: [] },
        txtBytes: { now: 3, most: 2_097_152, full: [] },
      },
      interfaces: [{ name: 'eth0', paths: [{ path: 'multicast4' }, { path: 'multicast6', fault: 'no address' }] }],
      counters: { received: 5, sent: 4, dropped: 0, unsent: 0 },
    }),
    resolve: async (hostname) => hosts[hostname.toLowerCase()] ?? [],
  }
}

/** Gives the fake presence a real catalogue. */
export async function openCatalogue(
  presence: FakePresence,
  config: { services?: Service[]; attributes?: Attributes; servicesDir?: string[]; stateDir?: string } = {},
): Promise<Catalogue> {
  const { name, hostname } = presence.ownView
  const catalogue = await Catalogue.open({
    name,
    hostname,
    stateDir: await temporaryDirectory(),
    servicesDir: [],
    services: [],
    attributes: {},
    ...config,
    now: () => presence.now(),
    ticker: new Ticker(),
    publish: (content) => {
      const bytes = Buffer.byteLength(JSON.stringify(content))
      if (bytes > MAX_RECORD_BYTES) throw new InvalidRecord('the record has too many bytes', bytes)
    },
    notify: () => {},
  })
  onTestFinished(() => catalogue.close())
  presence.catalogue = catalogue
  return catalogue
}

export interface Running {
  control: ControlServer
  presence: FakePresence
  socket: string
  /** On loopback TCP. */
  port: number
}

/** Starts a control server on its own socket and port, and closes it at the end of the test. */
export async function startControl(
  presence = new FakePresence(),
  options: Partial<ControlServerOptions> = {},
): Promise<Running> {
  const socket = options.socket ?? join(await temporaryDirectory(), 'control.sock')
  const control = new ControlServer(presence, {
    socket,
    http: { host: '127.0.0.1', port: 0 },
    log: pino({ level: 'silent' }),
    ...options,
  })
  onTestFinished(() => control.close())
  await control.listen()
  control.serve()
  return { control, presence, socket, port: Number(control.listening.http?.split(':').at(-1)) }
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  /** Parsed where it is JSON. */
  body: unknown
}

export type Way = { socket: string } | { port: number }

/** Sends a request. `headers` may contain any `Host`. */
export async function ask(
  way: Way,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
  body?: string | Uint8Array,
): Promise<Answer> {
  const target = 'socket' in way ? { socketPath: way.socket } : { host: '127.0.0.1', port: way.port }
  return await new Promise((resolve, reject) => {
    const asked = request({ ...target, path, method, headers, agent: false }, async (answer) => {
      let text = ''
      for await (const chunk of answer.setEncoding('utf8')) text += chunk
      const isJson = answer.headers['content-type']?.includes('json') && text !== ''
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: isJson ? JSON.parse(text) : text })
    })
    asked.once('error', reject)
    asked.end(body)
  })
}

/** Sends a request with a JSON body. */
export async function sendJson(way: Way, method: string, path: string, body: unknown, headers = {}): Promise<Answer> {
  return await ask(way, path, { 'content-type': 'application/json', ...headers }, method, JSON.stringify(body))
}

/** Reads an event stream. `until` resolves to all events received so far once the condition is met. */
export class Listener {
  readonly events: (StreamEvent & { json: Record<string, unknown> })[] = []
  readonly closed: Promise<void>
  #wake: () => void = () => {}
  readonly #asked

  constructor(way: Way, path: string, headers: Record<string, string> = {}) {
    const parser = new EventStreamParser()
    const target = 'socket' in way ? { socketPath: way.socket } : { host: '127.0.0.1', port: way.port }
    this.#asked = request({ ...target, path, headers, agent: false })
    this.closed = new Promise((resolve) => this.#asked.once('close', resolve))
    this.#asked.on('error', () => {})
    this.#asked.once('response', (answer) => {
      answer.on('error', () => {})
      answer.on('data', (chunk: Buffer) => {
        for (const event of parser.read(chunk)) this.events.push({ ...event, json: JSON.parse(event.data) })
        this.#wake()
      })
    })
    this.#asked.end()
    onTestFinished(() => this.close())
  }

  async until(met: (events: Listener['events']) => boolean): Promise<Listener['events']> {
    while (!met(this.events)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.events
  }

  /** Waits until the last event is of this type. */
  async untilType(type: string): Promise<Listener['events']> {
    return await this.until((events) => events.at(-1)?.type === type)
  }

  types(): string[] {
    return this.events.map(({ type }) => type)
  }

  close(): void {
    this.#asked.destroy()
  }
}
