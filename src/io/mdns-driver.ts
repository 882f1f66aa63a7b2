import { setTimeout as delay } from 'node:timers/promises'
import type { Mdns, MdnsNotice, MdnsView, OwnProfile } from '../core/mdns/mdns.ts'
import type { Sighting } from '../core/presence/peers/types.ts'
import { Stopping } from '../shared/errors.ts'
import { Alarm } from './alarm.ts'
import type { Clock } from './clock.ts'
import { MdnsTransport } from './mdns/transport.ts'
import type { Net } from './net/net.ts'

/** An address of one IP version is waited for so much longer than one of the other, ms: they may come one by one. */
const OTHER_VERSION = 100
/** How long goodbyes take to be said three times, ms. */
const GOODBYE = 110

/** What an mDNS driver tells. */
export interface MdnsHooks {
  sighted(sighting: Sighting): void
  noticed(notice: MdnsNotice): void
  /** An error in the library or in our handling of a message; the rest goes on. */
  failed(error: Error): void
}

/** Drives the rules of mDNS with real sockets and a real clock. */
export class MdnsDriver {
  readonly #mdns: Mdns
  readonly #net: Net
  readonly #clock: Clock
  readonly #hooks: MdnsHooks
  readonly #links: MdnsTransport
  readonly #alarm: Alarm
  /** Those who wait for a host's addresses; called whenever something was heard, and at the end. */
  readonly #waiting = new Set<() => void>()
  #stopped = false

  constructor(mdns: Mdns, net: Net, clock: Clock, hooks: MdnsHooks) {
    this.#mdns = mdns
    this.#net = net
    this.#clock = clock
    this.#hooks = hooks
    this.#links = new MdnsTransport({
      net,
      now: () => clock.now(),
      notice: (notice) => hooks.noticed(notice),
      problem: (error) => hooks.failed(error),
    })
    this.#alarm = new Alarm(clock, () => this.#attempt((now) => mdns.wake(now)))
  }

  /** Opens the network and begins. What cannot be opened is a fault of the net's, and tried again. */
  async start(): Promise<void> {
    this.#do((now) => this.#mdns.start(now))
    this.#net.on('interfaces', (interfaces) => {
      this.#attempt((now) => {
        this.#links.setInterfaces(interfaces)
        // Where no socket is open nothing can be said, and no name is won.
        this.#mdns.setInterfaces(
          interfaces.filter(({ paths }) => paths.length > 0),
          now,
        )
      })
    })
    this.#net.on('datagram', (bytes, heard) => {
      this.#attempt((now) => {
        const message = this.#links.receive(bytes, heard, now)
        if (message) this.#mdns.receive(message, heard, now)
      })
      for (const look of this.#waiting) look()
    })
    await this.#net.open()
  }

  publish(profile: OwnProfile): void {
    this.#do((now) => this.#mdns.publish(profile, now))
  }

  /** Asks for a host, `printer.local`: what comes of it is sighted. */
  ask(hostname: string): void {
    this.#do((now) => this.#mdns.queryHost(hostname, now))
  }

  /**
   * The addresses of a host, `printer.local`: as known, or asked for; none when nobody answers within `timeout` ms.
   * @throws Stopping when the daemon is stopped before that
   */
  async resolve(hostname: string, timeout: number): Promise<Sighting['addresses']> {
    const versionsKnown = () => new Set(this.#mdns.addressesOf(hostname).map(({ family }) => family)).size
    const deadline = this.#clock.now() + timeout
    let isInTime = versionsKnown() > 0
    if (versionsKnown() < 2 && !this.#stopped) {
      this.ask(hostname)
      await new Promise<void>((resolve) => {
        const end = () => {
          clearTimeout(patience)
          this.#waiting.delete(look)
          resolve()
        }
        let patience = setTimeout(end, timeout)
        let isOneKnown = false
        const look = () => {
          const remaining = deadline - this.#clock.now()
          // What comes too late may come before the timer is looked at.
          if (versionsKnown() > 0 && remaining >= 0) isInTime = true
          if (this.#stopped || versionsKnown() === 2 || remaining < 0) return end()
          if (isOneKnown || versionsKnown() === 0) return
          isOneKnown = true
          clearTimeout(patience)
          patience = setTimeout(end, Math.min(OTHER_VERSION, remaining))
        }
        this.#waiting.add(look)
        look()
      })
    }
    const addresses = isInTime ? this.#mdns.addressesOf(hostname) : []
    if (this.#stopped && addresses.length === 0) throw new Stopping()
    return addresses
  }

  view(): MdnsView {
    const { interfaces: inUse, faults, dropped } = this.#net.status()
    const names = new Set([...inUse, ...faults.map((fault) => ({ name: fault.interface }))].map(({ name }) => name))
    const interfaces = Array.from(names, (name) => {
      const failing = faults.filter((fault) => fault.interface === name)
      const open = inUse.find((each) => each.name === name)?.paths ?? []
      return {
        name,
        paths: [
          ...open.filter((path) => !failing.some((fault) => fault.path === path)).map((path) => ({ path })),
          ...failing.map(({ path, message }) => ({ path, fault: message })),
        ],
      }
    })
    const counters = { ...this.#links.counters, unsent: dropped.unicast + dropped.shared }
    return { ...this.#mdns.view(), interfaces, counters }
  }

  /** Says goodbye, and takes the sockets down. Who waits for a host's addresses waits no longer. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const look of this.#waiting) look()
    this.#do((now) => this.#mdns.leave(now))
    await delay(GOODBYE)
    this.#alarm.stop()
    await this.#links.close()
    await this.#net.close()
  }

  /** Does what the network or a timer gives cause to: nobody is there to catch an error in it, and it must end nothing. */
  #attempt(action: (now: number) => void): void {
    try {
      this.#do(action)
    } catch (error) {
      this.#links.failed(error)
      this.#alarm.set(this.#mdns.nextWake)
    }
  }

  #do(action: (now: number) => void): void {
    action(this.#clock.now())
    for (const outgoing of this.#mdns.takeOutgoing()) this.#links.send(outgoing)
    for (const sighting of this.#mdns.takeSightings()) this.#hooks.sighted(sighting)
    for (const notice of this.#mdns.takeNotices()) this.#hooks.noticed(notice)
    this.#alarm.set(this.#mdns.nextWake)
  }
}
