import { setTimeout as delay } from 'node:timers/promises'
import type { Path } from '../core/link.ts'
import type { Mdns, MdnsNotice, MdnsView, OwnProfile } from '../core/mdns/mdns.ts'
import type { Sighting } from '../core/presence/peers/types.ts'
import { Stopping } from '../shared/errors.ts'
import { MdnsTransport } from './mdns/transport.ts'
import type { Net } from './net/net.ts'
import { Alarm, type Clock } from './system.ts'

/** How long to wait for addresses of the other IP version after those of one version have arrived, ms. */
const OTHER_FAMILY_WAIT = 100
/** Time to send the goodbyes three times, ms. */
const GOODBYE_TIME = 110

/** Handles the events of `MdnsDriver`. */
export interface MdnsHandler {
  sighted(sighting: Sighting): void
  noticed(notice: MdnsNotice): void
  /** An error in bonjour-service or in the handling of one message. Other messages are still handled. */
  failed(error: Error): void
}

/** Connects `Mdns` to the network and the clock. */
export class MdnsDriver {
  readonly #mdns: Mdns
  readonly #net: Net
  readonly #clock: Clock
  readonly #handler: MdnsHandler
  readonly #transport: MdnsTransport
  readonly #alarm: Alarm
  /** Checks of the calls that wait for addresses. They run after each datagram and when the driver stops. */
  readonly #waiting = new Set<() => void>()
  #stopped = false

  constructor(mdns: Mdns, net: Net, clock: Clock, handler: MdnsHandler) {
    this.#mdns = mdns
    this.#net = net
    this.#clock = clock
    this.#handler = handler
    this.#transport = new MdnsTransport({
      net,
      now: () => clock.now(),
      notice: (notice) => handler.noticed(notice),
      problem: (error) => handler.failed(error),
    })
    this.#alarm = new Alarm(clock, () => this.#runSafely((now) => mdns.wake(now)))
  }

  /** Opens the network and starts. A socket that cannot be opened is a fault of `Net`, which tries again. */
  async start(): Promise<void> {
    this.#run((now) => this.#mdns.start(now))
    this.#net.on('interfaces', (interfaces) => {
      this.#runSafely((now) => {
        this.#transport.setInterfaces(interfaces)
        // Without an open socket, no name can be probed.
        this.#mdns.setInterfaces(
          interfaces.filter(({ paths }) => paths.length > 0),
          now,
        )
      })
    })
    this.#net.on('datagram', (bytes, source) => {
      this.#runSafely((now) => {
        const message = this.#transport.receive(bytes, source, now)
        if (message) this.#mdns.receive(message, source, now)
      })
      if (this.#waiting.size === 0) return
      this.#runSafely(() => {
        for (const check of this.#waiting) check()
      })
    })
    await this.#net.open()
  }

  publish(profile: OwnProfile): void {
    this.#run((now) => this.#mdns.publish(profile, now))
  }

  /** Queries the addresses of a host such as `printer.local`. A result is reported by `sighted`. */
  ask(hostname: string): void {
    this.#run((now) => this.#mdns.queryHost(hostname, now))
  }

  /**
   * The addresses of a host such as `printer.local`, from the cache or by a query. Empty if no answer arrives within
   * `timeout` ms.
   * @throws Stopping if the daemon is stopped in the meantime
   */
  async resolve(hostname: string, timeout: number): Promise<Sighting['addresses']> {
    const knownFamilies = () => new Set(this.#mdns.addressesOf(hostname).map(({ family }) => family)).size
    const deadline = this.#clock.now() + timeout
    let isInTime = knownFamilies() > 0
    if (knownFamilies() < 2 && !this.#stopped) {
      this.ask(hostname)
      await new Promise<void>((resolve) => {
        const end = () => {
          clearTimeout(timer)
          this.#waiting.delete(check)
          resolve()
        }
        let timer = setTimeout(end, timeout)
        let isOneKnown = false
        const check = () => {
          const remaining = deadline - this.#clock.now()
          // A late answer may be handled before the timer that has expired.
          if (knownFamilies() > 0 && remaining >= 0) isInTime = true
          if (this.#stopped || knownFamilies() === 2 || remaining < 0) return end()
          if (isOneKnown || knownFamilies() === 0) return
          isOneKnown = true
          clearTimeout(timer)
          timer = setTimeout(end, Math.min(OTHER_FAMILY_WAIT, remaining))
        }
        this.#waiting.add(check)
        check()
      })
    }
    const addresses = isInTime ? this.#mdns.addressesOf(hostname) : []
    if (this.#stopped && addresses.length === 0) throw new Stopping()
    return addresses
  }

  view(): MdnsView {
    const { interfaces: inUse, faults, dropped } = this.#net.status()
    const interfaces = inUse.map(({ name, paths: open }) => {
      const failing = faults.filter((fault) => fault.interface === name)
      const everyPath = new Set<Path>([...open, ...failing.map(({ path }) => path)])
      return {
        name,
        paths: [...everyPath].map((path) => {
          const fault = failing.find((one) => one.path === path)
          return { path, ...(fault && { fault: fault.message }) }
        }),
      }
    })
    const counters = { ...this.#transport.counters, unsent: dropped.unicast + dropped.shared }
    return { ...this.#mdns.view(), interfaces, counters }
  }

  /** Sends goodbyes and closes the sockets. Calls that wait for addresses end. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const check of this.#waiting) check()
    this.#run((now) => this.#mdns.leave(now))
    await delay(GOODBYE_TIME)
    this.#alarm.stop()
    await this.#transport.close()
    await this.#net.close()
  }

  /** Runs an action for the network or a timer. Nothing above catches its errors, so they are reported here. */
  #runSafely(action: (now: number) => void): void {
    try {
      this.#run(action)
    } catch (error) {
      this.#transport.failed(error)
      this.#alarm.set(this.#mdns.nextWake)
    }
  }

  #run(action: (now: number) => void): void {
    action(this.#clock.now())
    for (const outgoing of this.#mdns.takeOutgoing()) this.#transport.send(outgoing)
    for (const sighting of this.#mdns.takeSightings()) this.#handler.sighted(sighting)
    for (const notice of this.#mdns.takeNotices()) this.#handler.noticed(notice)
    this.#alarm.set(this.#mdns.nextWake)
  }
}
