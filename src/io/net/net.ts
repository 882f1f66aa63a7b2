import type { RemoteInfo } from 'node:dgram'
import { EventEmitter } from 'node:events'
import { isIP } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { DatagramSource, Interface, SharedPath } from '../../core/link.ts'
import { codeOf } from '../../shared/caught-error.ts'
import { PortInUse } from '../../shared/errors.ts'
import type { SocketsOwner } from './family-sockets.ts'
import { Faults } from './faults.ts'
import { InterfaceSockets } from './interface-sockets.ts'
import type { SystemInterface } from './interfaces.ts'
import { Origins } from './origins.ts'
import { Surroundings } from './surroundings.ts'
import type { LeftOut, NetEvents, NetOptions, NetStatus } from './types.ts'

/** How often things are looked after, ms. */
export interface NetTiming {
  /** Between two looks at the interfaces. */
  look: number
  /** Between two joins of the same multicast group. */
  renew: number
}

const TIMING: NetTiming = { look: 500, renew: 120_000 }

/**
 * The network as paths to everyone on each segment. Follows interfaces as they come and go, sends and hears on every
 * path of those in use, and tells what it heard, where, and what does not work. Nothing here throws after `open`.
 */
export class Net extends EventEmitter<NetEvents> {
  #options: NetOptions
  #timing: NetTiming
  #used = new Map<string, InterfaceSockets>()
  #surroundings: Surroundings
  #leftOut: LeftOut[] = []
  /** Names of interfaces that were told to be unusable. */
  #unusable = new Set<string>()
  #dropped = { unicast: 0, shared: 0 }
  #inUse: Interface[] = []
  #told = '[]'
  #origins = new Origins([], new Set(), new Map())
  #faults: Faults
  #timer: NodeJS.Timeout | undefined
  #closed = false
  #stale = false

  constructor(options: NetOptions, timing: Partial<NetTiming> = {}) {
    super()
    this.#options = options
    this.#timing = { ...TIMING, ...timing }
    this.#surroundings = new Surroundings(options)
    this.#faults = new Faults(
      (fault) => this.emit('fault', fault),
      (path) => this.emit('recovered', path),
    )
  }

  /**
   * Opens the sockets on every interface there is; later ones are found by themselves. Emits `interfaces` for the first
   * time before it resolves, unless there is no interface to use.
   * @throws PortInUse when another process holds a port that is not shared on an interface in use; nothing is open then
   */
  async open(): Promise<void> {
    this.#look()
    await Promise.all(Array.from(this.#used.values(), (sockets) => sockets.open()))
    for (const { taken } of this.#used.values()) {
      if (taken === undefined || this.#options.sharedPort) continue
      await this.close()
      throw new PortInUse(this.#options.port, taken)
    }
    // Not unref'd: on a machine without any network there may be nothing else yet that keeps the daemon alive.
    if (!this.#closed) this.#timer = setInterval(() => this.#tick(), this.#timing.look)
    this.#tell()
  }

  /** The interfaces in use. */
  get interfaces(): Interface[] {
    this.#refresh()
    return this.#inUse
  }

  status(): NetStatus {
    return {
      interfaces: this.interfaces,
      faults: this.#faults.list(),
      leftOut: this.#leftOut,
      dropped: { ...this.#dropped },
    }
  }

  /** Sends to everyone on an interface's segment. A path that is not open swallows it; a refusal becomes a `fault`. */
  send(interfaceName: string, path: SharedPath, bytes: Uint8Array): void {
    this.#used.get(interfaceName)?.send(path, bytes)
  }

  /**
   * Sends to one address from an interface; a link-local IPv6 one is given without zone. What is no address or port
   * (a datagram can claim to come from port 0) is swallowed.
   */
  sendTo(interfaceName: string, address: string, port: number, bytes: Uint8Array): void {
    if (isIP(address) === 0 || !Number.isInteger(port) || port < 1 || port > 65535) return
    this.#used.get(interfaceName)?.sendTo(address, port, bytes)
  }

  /** Makes the hearing socket of a path anew, and with it the membership: for when one's own datagrams stay away. */
  renew(interfaceName: string, path: SharedPath): void {
    this.#used.get(interfaceName)?.renew(path)
  }

  /** Resolves when every socket is closed; nothing is emitted any more. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    const used = [...this.#used.values()]
    this.#used.clear()
    this.#inUse = []
    await Promise.all(used.map((sockets) => sockets.close()))
  }

  #tick(): void {
    const now = performance.now()
    this.#look()
    for (const sockets of this.#used.values()) sockets.tick(now)
    this.#faults.tick(now)
  }

  /** Compares the interfaces there are with those in use. */
  #look(): void {
    if (!this.#surroundings.look()) return
    const { interfaces, choice } = this.#surroundings
    const leftOut = [...choice.leftOut]
    const wanted = new Set<string>()
    for (const name of choice.used) {
      const about = interfaces.get(name)
      if (about === undefined) continue
      if (about.ipv4.length > 0 || about.linkLocal !== undefined) {
        wanted.add(name)
        this.#use(about)
      } else {
        const reason = 'has neither an IPv4 address nor a link-local IPv6 address'
        leftOut.push({ name, cause: 'no-address', reason })
      }
    }
    for (const [name, sockets] of this.#used) {
      if (wanted.has(name)) continue
      this.#used.delete(name)
      void sockets.close()
    }
    this.#leftOut = leftOut
    this.#tellUnusable()
    this.#changed()
  }

  #tellUnusable(): void {
    const unusable = this.#leftOut.filter(({ cause }) => cause === 'missing' || cause === 'no-address')
    const fresh = unusable.filter(({ name }) => !this.#unusable.has(name))
    this.#unusable = new Set(unusable.map(({ name }) => name))
    if (fresh.length > 0) this.emit('unusable', fresh)
  }

  #use(about: SystemInterface): void {
    let sockets = this.#used.get(about.name)
    if (sockets === undefined) {
      const owner = this.#ownerOf(about.name)
      sockets = new InterfaceSockets(about, this.#options, owner, this.#timing.renew, performance.now())
      this.#used.set(about.name, sockets)
    }
    sockets.update(about)
  }

  #ownerOf(name: string): SocketsOwner {
    return {
      heard: (path, bound, bytes, from) => this.#heard(name, path, bound, bytes, from),
      // What was sent before an interface went may fail after it.
      failed: (path, what, error) => {
        if (this.#used.has(name)) this.#faults.failed(name, path, what, this.#explain(name, error), performance.now())
      },
      worked: (path, what) => this.#faults.worked(name, path, what),
      dropped: (path) => this.#dropped[path === 'unicast' ? 'unicast' : 'shared']++,
      changed: () => this.#changed(),
      gone: (path) => this.#faults.forget(name, path),
    }
  }

  /** Says what to do where the system's own words do not. */
  #explain(name: string, error: Error): Error {
    const { port, sharedPort } = this.#options
    const code = codeOf(error)
    const duplicate = code === 'EADDRNOTAVAIL' ? this.#surroundings.duplicateOf(name) : undefined
    if (duplicate !== undefined) {
      const message = `another machine has the address ${duplicate} too, so it is not used (do both have the same MAC address?)`
      return Object.assign(new Error(message), { code })
    }
    if (code !== 'EADDRINUSE' || !sharedPort) return error
    const message = `another program keeps UDP port ${port} to itself (is it Avahi? It shares with disallow-other-stacks=no)`
    return Object.assign(new Error(message), { code })
  }

  #heard(name: string, path: DatagramSource['path'], bound: string, bytes: Uint8Array, from: RemoteInfo): void {
    if (this.#stale) this.#refresh()
    const zone = from.address.indexOf('%')
    const address = zone < 0 ? from.address : from.address.slice(0, zone)
    const judgement = this.#origins.judge(name, path, bound, address)
    if (judgement === undefined) return
    const { onLink, own } = judgement
    this.emit('datagram', bytes, { interface: name, path, address, port: from.port, onLink, own })
  }

  /** Several sockets open and close in one turn; what follows from it is worked out once, at its end. */
  #changed(): void {
    if (this.#stale || this.#closed) return
    this.#stale = true
    setImmediate(() => this.#tell())
  }

  #refresh(): void {
    if (!this.#stale || this.#closed) return
    this.#stale = false
    // A stranger's datagram reaches every socket bound to the same address: the first interface reports it. On a shared
    // port, where strangers are believed, all do: on which of them they are to be answered cannot be known.
    const listeners = new Map<string, string>()
    for (const [name, sockets] of this.#used) {
      for (const { bound } of sockets.openPaths) if (!listeners.has(bound)) listeners.set(bound, name)
    }
    this.#origins = new Origins(
      this.#surroundings.interfaces.values(),
      this.#used,
      this.#options.sharedPort ? undefined : listeners,
    )
    this.#inUse = Array.from(this.#used.values(), (sockets) => sockets.inUse)
  }

  #tell(): void {
    if (this.#closed) return
    this.#refresh()
    const told = JSON.stringify(this.#inUse)
    if (told === this.#told) return
    this.#told = told
    this.emit('interfaces', this.#inUse)
  }
}
