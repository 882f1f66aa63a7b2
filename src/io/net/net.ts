import type { RemoteInfo } from 'node:dgram'
import { EventEmitter } from 'node:events'
import { isIP } from 'node:net'
import type { Interface, Path, SharedPath } from '../../core/link.ts'
import { codeOf } from '../../shared/caught-error.ts'
import { PortInUse } from '../../shared/errors.ts'
import { monotonicNow } from '../../shared/monotonic.ts'
import type { SocketsHandler } from './family-sockets.ts'
import { Faults } from './faults.ts'
import { InterfaceMonitor } from './interface-monitor.ts'
import { InterfaceSockets } from './interface-sockets.ts'
import { SourceFilter } from './source-filter.ts'
import type { SystemInterface } from './system-interfaces.ts'
import type { LeftOut, NetEvents, NetOptions, NetStatus } from './types.ts'

/** Time between two joins of the same multicast group, ms. */
const REJOIN_INTERVAL = 120_000

/**
 * Sends and receives datagrams on every path of every interface in use. Interfaces may come, go and change at any time.
 * Received datagrams, changes of interfaces and faults are emitted as events. Nothing here throws after `open`.
 */
export class Net extends EventEmitter<NetEvents> {
  #options: NetOptions
  readonly #rejoinInterval: number
  #used = new Map<string, InterfaceSockets>()
  readonly #monitor: InterfaceMonitor
  /** The revision of the monitor that the sockets are open for. */
  #revision = 0
  #leftOut: LeftOut[] = []
  /** The names in the last `unusable` event. */
  #unusable = new Set<string>()
  #dropped = { unicast: 0, shared: 0 }
  #inUse: Interface[] = []
  #lastEmitted = '[]'
  #sourceFilter = new SourceFilter([], new Set(), new Map())
  #faults: Faults
  #stopWatching: () => void = () => {}
  #closed = false
  #stale = false

  /**
   * @param monitor has the same patterns as `options`; absent: this `Net` has one of its own
   * @param rejoinInterval ms between two joins of the same multicast group
   */
  constructor(
    options: NetOptions,
    monitor: InterfaceMonitor = new InterfaceMonitor(options),
    rejoinInterval = REJOIN_INTERVAL,
  ) {
    super()
    this.#options = options
    this.#monitor = monitor
    this.#rejoinInterval = rejoinInterval
    this.#faults = new Faults(
      (fault) => this.emit('fault', fault),
      (path) => this.emit('recovered', path),
    )
  }

  /**
   * Opens the sockets on every interface. Interfaces that appear later are used too. Emits `interfaces` before it
   * resolves, unless there is no interface to use.
   * @throws PortInUse if the port is not shared and another process holds it on an interface in use; nothing is open then
   */
  async open(): Promise<void> {
    this.#monitor.look()
    this.#updateInterfaces()
    await Promise.all(Array.from(this.#used.values(), (sockets) => sockets.open()))
    for (const { taken } of this.#used.values()) {
      if (taken === undefined || this.#options.sharedPort) continue
      await this.close()
      throw new PortInUse(this.#options.port, taken)
    }
    if (!this.#closed) this.#stopWatching = this.#monitor.watch(() => this.#tick())
    this.#emitInterfaces()
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

  /** Sends on a shared path of an interface. Does nothing if the path is not open. An error becomes a `fault` event. */
  send(interfaceName: string, path: SharedPath, bytes: Uint8Array): void {
    this.#used.get(interfaceName)?.send(path, bytes)
  }

  /**
   * Sends unicast through an interface. A link-local IPv6 address is given without a zone. Does nothing if the address or
   * port is invalid: a received datagram can have source port 0.
   */
  sendTo(interfaceName: string, address: string, port: number, bytes: Uint8Array): void {
    if (isIP(address) === 0 || !Number.isInteger(port) || port < 1 || port > 65535) return
    this.#used.get(interfaceName)?.sendTo(address, port, bytes)
  }

  /** Closes and opens the receiving sockets of a path. Use it when the host no longer receives its own multicast there. */
  renew(interfaceName: string, path: SharedPath): void {
    this.#used.get(interfaceName)?.renew(path)
  }

  /** Resolves when every socket is closed. Emits nothing any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#stopWatching()
    const used = [...this.#used.values()]
    this.#used.clear()
    this.#inUse = []
    await Promise.all(used.map((sockets) => sockets.close()))
  }

  #tick(): void {
    const now = monotonicNow()
    this.#updateInterfaces()
    for (const sockets of this.#used.values()) sockets.tick(now)
    this.#faults.report(now)
  }

  /** Opens and closes sockets after the interfaces of the system changed. */
  #updateInterfaces(): void {
    const { revision, interfaces, selection } = this.#monitor
    if (revision === this.#revision) return
    this.#revision = revision
    const leftOut = [...selection.leftOut]
    const wanted = new Set<string>()
    for (const name of selection.used) {
      const found = interfaces.get(name)
      if (found === undefined) continue
      if (found.ipv4.length > 0 || found.linkLocal !== undefined) {
        wanted.add(name)
        this.#use(found)
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
    this.#emitUnusable()
    this.#changed()
  }

  #emitUnusable(): void {
    const unusable = this.#leftOut.filter(({ cause }) => cause === 'missing' || cause === 'no-address')
    const fresh = unusable.filter(({ name }) => !this.#unusable.has(name))
    this.#unusable = new Set(unusable.map(({ name }) => name))
    if (fresh.length > 0) this.emit('unusable', fresh)
  }

  #use(found: SystemInterface): void {
    let sockets = this.#used.get(found.name)
    if (sockets === undefined) {
      const handler = this.#handlerFor(found.name)
      sockets = new InterfaceSockets(found, this.#options, handler, this.#rejoinInterval, monotonicNow())
      this.#used.set(found.name, sockets)
    }
    sockets.update(found)
  }

  #handlerFor(name: string): SocketsHandler {
    return {
      received: (path, bound, bytes, from) => this.#receive(name, path, bound, bytes, from),
      failed: (path, operation, error) =>
        this.#faults.failed(name, path, operation, this.#explain(name, error), monotonicNow()),
      succeeded: (path, operation) => this.#faults.succeeded(name, path, operation),
      dropped: (path) => this.#dropped[path === 'unicast' ? 'unicast' : 'shared']++,
      changed: () => this.#changed(),
      closed: (path) => this.#faults.forget(name, path),
    }
  }

  /** Replaces an error of the system by one that says what to do, if there is one. */
  #explain(name: string, error: Error): Error {
    const { port, sharedPort } = this.#options
    const code = codeOf(error)
    const duplicate = code === 'EADDRNOTAVAIL' ? this.#monitor.duplicateOf(name) : undefined
    if (duplicate !== undefined) {
      const message = `the address ${duplicate} is not used because another machine has it too (do both have the same MAC address?)`
      return Object.assign(new Error(message), { code })
    }
    if (code !== 'EADDRINUSE' || !sharedPort) return error
    const message = `another program does not share UDP port ${port} (if it is Avahi, set disallow-other-stacks=no in avahi-daemon.conf)`
    return Object.assign(new Error(message), { code })
  }

  #receive(name: string, path: Path, bound: string, bytes: Uint8Array, from: RemoteInfo): void {
    if (this.#stale) this.#refresh()
    const source = this.#sourceFilter.check(name, path, bound, from)
    if (source !== undefined) this.emit('datagram', bytes, source)
  }

  /** Several sockets may open and close in one turn of the event loop. The result is computed once, after it. */
  #changed(): void {
    if (this.#stale || this.#closed) return
    this.#stale = true
    setImmediate(() => this.#emitInterfaces())
  }

  #refresh(): void {
    if (!this.#stale || this.#closed) return
    this.#stale = false
    // A datagram from outside of all subnets reaches every socket bound to the group. Only the first interface reports it.
    // On a shared port such datagrams are accepted, and every interface reports them: it is unknown which one leads back.
    const reporters = new Map<string, string>()
    for (const [name, sockets] of this.#used) {
      for (const { bound } of sockets.openPaths) if (!reporters.has(bound)) reporters.set(bound, name)
    }
    this.#sourceFilter = new SourceFilter(
      this.#monitor.interfaces.values(),
      this.#used,
      this.#options.sharedPort ? undefined : reporters,
    )
    this.#inUse = Array.from(this.#used.values(), (sockets) => sockets.state)
  }

  #emitInterfaces(): void {
    if (this.#closed) return
    this.#refresh()
    const state = JSON.stringify(this.#inUse)
    if (state === this.#lastEmitted) return
    this.#lastEmitted = state
    this.emit('interfaces', this.#inUse)
  }
}
