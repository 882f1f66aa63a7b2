import { createHash, createPrivateKey } from 'node:crypto'
import TinyQueue from 'tinyqueue'
import type { DatagramSource, Interface } from '../../../src/core/link.ts'
import type { OutgoingDatagram } from '../../../src/core/presence/peers/types.ts'
import { Presence } from '../../../src/core/presence/presence.ts'
import type { Random } from '../../../src/core/random.ts'
import { type Identity, identityFromPem } from '../../../src/core/wire/identity.ts'

const PORT = 15353
/** PKCS #8 DER of an Ed25519 private key, without its 32 bytes (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Repeatable random numbers: a hash of the seed and a counter. */
export function seededRandom(seed: string): Random {
  let count = 0
  const next = () => createHash('sha256').update(`${seed} ${count++}`).digest()
  return {
    number: () => next().readUInt32BE(0) / 2 ** 32,
    bytes: (length) => next().subarray(0, length),
  }
}

/** An identity that is derived from the seed, so it is the same in every run. */
export function seededIdentity(seed: string): Identity {
  const secret = createHash('sha256').update(seed).digest()
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, secret]), format: 'der', type: 'pkcs8' })
  return identityFromPem(key.export({ type: 'pkcs8', format: 'pem' }).toString())
}

export interface HostOptions {
  name?: string
  interval?: number
  budget?: number
  incarnation?: number
  identity?: Identity
  attributes?: Record<string, string>
  silent?: boolean
}

/** A simulated host: a real `Presence` on a virtual segment. */
export class SimHost {
  readonly name: string
  readonly presence: Presence
  /** A frozen host processes nothing. When it thaws, it receives everything at once. */
  frozen = false
  readonly interfaces: Interface[]
  readonly queue: { bytes: Uint8Array; source: DatagramSource }[] = []

  constructor(name: string, presence: Presence, interfaces: Interface[]) {
    this.name = name
    this.presence = presence
    this.interfaces = interfaces
  }

  state(name: string): string | undefined {
    return this.presence.peers().find((peer) => peer.name === name)?.state
  }

  /** Names and states of all peers. */
  states(): Record<string, string> {
    return Object.fromEntries(this.presence.peers().map((peer) => [peer.name, peer.state]))
  }

  refused(reason: string): number {
    return this.presence.self().counters.refused[reason] ?? 0
  }
}

export interface Packet {
  from: SimHost
  to: SimHost
  bytes: Uint8Array
  source: DatagramSource
}

interface Event {
  at: number
  order: number
  run: () => void
}

/** One segment with a virtual clock. A run is determined by the seed. */
export class SimNetwork {
  now = 1000
  /** Share of lost datagrams, 0 to 1. */
  loss = 0
  /** Called for each delivery. Returning false drops it. */
  filter: (packet: Packet) => boolean = () => true
  /** Drops every datagram, so that long times take little CPU. */
  silent = false
  readonly hosts: SimHost[] = []
  /** Every datagram sent while `tap` is set. */
  readonly wiretap: { at: number; from: string; outgoing: OutgoingDatagram }[] = []
  tap = false
  readonly #events = new TinyQueue<Event>([], (a, b) => a.at - b.at || a.order - b.order)
  readonly #random: Random
  readonly #wakes = new Map<SimHost, number>()
  #order = 0

  constructor(seed = 'earshot') {
    this.#random = seededRandom(seed)
  }

  /** Adds a host that starts now. */
  host(options: HostOptions = {}): SimHost {
    const index = this.hosts.length + 1
    const name = options.name ?? `host${index}`
    const presence = new Presence({
      identity: options.identity ?? seededIdentity(name),
      incarnation: options.incarnation ?? 1,
      profile: { name, hostname: name, version: 'sim', services: [], attributes: options.attributes ?? {} },
      interval: options.interval ?? 1000,
      budget: options.budget ?? 1e9,
      random: seededRandom(`${name} ${index} ${this.#random.number()}`),
      silent: options.silent ?? false,
    })
    const address = `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`
    const interfaces: Interface[] = [
      { name: 'eth0', addresses: [{ address, family: 'ipv4' }], paths: ['broadcast', 'multicast4'] },
    ]
    const host = new SimHost(name, presence, interfaces)
    this.hosts.push(host)
    presence.start(this.now)
    presence.setInterfaces(interfaces, this.now)
    this.flush(host)
    return host
  }

  /** Removes a host from the network without a goodbye. */
  kill(host: SimHost): void {
    this.hosts.splice(this.hosts.indexOf(host), 1)
  }

  thaw(host: SimHost): void {
    host.frozen = false
    this.#wake(host)
    for (const { bytes, source } of host.queue.splice(0)) host.presence.receive(bytes, source, this.now)
    this.flush(host)
  }

  /** Lets virtual time pass, ms. */
  run(milliseconds: number): void {
    const end = this.now + milliseconds
    for (let event = this.#events.peek(); event && event.at <= end; event = this.#events.peek()) {
      this.#events.pop()
      this.now = Math.max(this.now, event.at)
      event.run()
    }
    this.now = end
  }

  /** Runs `action` after a virtual time, ms. */
  after(milliseconds: number, action: () => void): void {
    this.#events.push({ at: this.now + milliseconds, order: this.#order++, run: action })
  }

  /** Delivers a datagram to a host with the source address `address`. */
  inject(host: SimHost, bytes: Uint8Array, address = '10.0.0.250', path: DatagramSource['path'] = 'broadcast'): void {
    this.#deliver(host, bytes, { interface: 'eth0', path, address, port: PORT, onLink: true, own: false })
  }

  /**
   * Sends the outgoing datagrams of a host and schedules its next wake. Must be called after every direct call of a
   * method of its presence.
   */
  flush(host: SimHost): void {
    for (const outgoing of host.presence.takeOutgoing()) this.#send(host, outgoing)
    const wake = host.presence.nextWake
    if (wake === undefined || (this.#wakes.get(host) ?? Number.POSITIVE_INFINITY) <= wake) return
    this.#wakes.set(host, wake)
    this.#events.push({ at: wake, order: this.#order++, run: () => this.#wake(host) })
  }

  #wake(host: SimHost): void {
    if (host.frozen || !this.hosts.includes(host)) return
    this.#wakes.delete(host)
    host.presence.wake(this.now)
    this.flush(host)
  }

  #send(from: SimHost, outgoing: OutgoingDatagram): void {
    if (this.tap) this.wiretap.push({ at: this.now, from: from.name, outgoing })
    if (this.silent) return
    const own = from.interfaces[0]?.addresses[0]?.address ?? ''
    const { to, bytes } = outgoing
    for (const host of this.hosts) {
      const address = host.interfaces[0]?.addresses[0]?.address
      if (typeof to === 'object' && to.address !== address) continue
      const path = typeof to === 'object' ? 'unicast' : to
      const source: DatagramSource = {
        interface: 'eth0',
        path,
        address: own,
        port: PORT,
        onLink: true,
        own: host === from,
      }
      if (host !== from && this.loss > 0 && this.#random.number() < this.loss) continue
      if (!this.filter({ from, to: host, bytes, source })) continue
      const delay = 0.1 + this.#random.number() * 0.2
      this.#events.push({ at: this.now + delay, order: this.#order++, run: () => this.#deliver(host, bytes, source) })
    }
  }

  #deliver(host: SimHost, bytes: Uint8Array, source: DatagramSource): void {
    if (!this.hosts.includes(host)) return
    if (host.frozen) {
      if (host.queue.length < 500) host.queue.push({ bytes, source })
      return
    }
    host.presence.receive(bytes, source, this.now)
    this.flush(host)
  }
}
