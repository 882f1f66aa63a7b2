import { setTimeout as delay } from 'node:timers/promises'
import type { DatagramSource } from '../core/link.ts'
import type { Profile } from '../core/presence/peers/self.ts'
import type { HostAssertion, Notice, Sighting } from '../core/presence/peers/types.ts'
import type { Presence } from '../core/presence/presence.ts'
import type { PeerId } from '../core/wire/id.ts'
import type { Identity } from '../core/wire/identity.ts'
import { Stopping } from '../shared/errors.ts'
import type { Net } from './net/net.ts'
import { Alarm, type Clock } from './system.ts'

/** Time to send a goodbye three times, ms. */
const GOODBYE_TIME = 25

/** Connects `Presence` to the network and the clock. */
export class PresenceDriver {
  readonly #presence: Presence
  readonly #net: Net
  readonly #clock: Clock
  readonly #onNotice: (notice: Notice) => void
  readonly #listeners = new Set<() => void>()
  /** Callbacks of the probes without an answer yet, by nonce. */
  readonly #probes = new Map<number, (outcome: number | Error) => void>()
  readonly #alarm: Alarm
  #queryHost: (hostname: string) => void = () => {}
  #index = 0
  #stopped = false

  constructor(presence: Presence, net: Net, clock: Clock, onNotice: (notice: Notice) => void) {
    this.#presence = presence
    this.#net = net
    this.#clock = clock
    this.#onNotice = onNotice
    this.#alarm = new Alarm(clock, () => this.#runSafely((now) => presence.wake(now)))
  }

  /** Opens the network and starts. @throws the errors of `Net.open` */
  async start(): Promise<void> {
    const presence = this.#presence
    this.#net.on('datagram', (bytes, source) => this.#receive(bytes, source))
    this.#net.on('interfaces', (interfaces) => this.#runSafely((now) => presence.setInterfaces(interfaces, now)))
    this.#run((now) => presence.start(now))
    await this.#net.open()
  }

  /** Calls `listener` after changes of the registry, once for several changes. Returns a function that removes it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Sets the function that is called with the name of each host that mDNS should query. */
  onHostToQuery(listener: (hostname: string) => void): void {
    this.#queryHost = listener
  }

  /** Changes this peer's profile. @throws InvalidRecord if the record would be too large; then nothing changes */
  setProfile(profile: Profile): void {
    this.#run((now) => this.#presence.setProfile(profile, now))
  }

  /** Asks all peers for their records. */
  query(): void {
    this.#run(() => this.#presence.query())
  }

  /**
   * Measures the round-trip time to a peer, ms. Undefined if the peer does not answer within `timeout` ms, or is unknown.
   * @throws Stopping if the daemon is stopped in the meantime
   */
  async probe(id: PeerId, timeout: number): Promise<number | undefined> {
    if (this.#stopped) throw new Stopping()
    let nonce: number | undefined
    this.#run((now) => {
      nonce = this.#presence.probe(id, now)
    })
    if (nonce === undefined) return undefined
    const sentNonce = nonce
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => answer(undefined), timeout)
      const answer = (outcome: number | Error | undefined) => {
        clearTimeout(timer)
        this.#probes.delete(sentNonce)
        if (outcome instanceof Error) reject(outcome)
        else resolve(outcome)
      }
      this.#probes.set(sentNonce, answer)
    })
  }

  /** See `Presence.isConfirmedByBeacon`. */
  isConfirmedByBeacon(host: string, assertion: HostAssertion): boolean {
    return this.#presence.isConfirmedByBeacon(host, assertion)
  }

  /** Passes on a host as mDNS sees it. */
  sight(sighting: Sighting): void {
    this.#runSafely((now) => this.#presence.sight(sighting, now))
  }

  /** Continues with another identity or a higher incarnation. */
  setIdentity(identity: Identity, incarnation: number): void {
    this.#run((now) => this.#presence.setIdentity(identity, incarnation, now))
  }

  /** Sends goodbyes and closes the sockets. Probes without an answer fail with `Stopping`. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const answer of this.#probes.values()) answer(new Stopping())
    this.#run((now) => this.#presence.leave(now))
    await delay(GOODBYE_TIME)
    this.#alarm.stop()
    await this.#net.close()
  }

  /** Does the same as `#runSafely`, but nothing more than a datagram without consequences needs, as most are. */
  #receive(bytes: Uint8Array, source: DatagramSource): void {
    try {
      this.#presence.receive(bytes, source, this.#clock.now())
      if (this.#presence.hasOutput || this.#presence.index !== this.#index) this.#flush()
    } catch (error) {
      this.#presence.countException(error)
    }
    this.#alarm.set(this.#presence.nextWake)
  }

  /** Runs an action for the network or a timer. Nothing above catches its errors, so they are counted and logged here. */
  #runSafely(action: (now: number) => void): void {
    try {
      this.#run(action)
    } catch (error) {
      this.#presence.countException(error)
      this.#alarm.set(this.#presence.nextWake)
    }
  }

  #run(action: (now: number) => void): void {
    action(this.#clock.now())
    this.#flush()
    this.#alarm.set(this.#presence.nextWake)
  }

  #flush(): void {
    for (const { interface: name, to, bytes } of this.#presence.takeOutgoing()) {
      if (typeof to === 'string') this.#net.send(name, to, bytes)
      else this.#net.sendTo(name, to.address, to.port, bytes)
    }
    for (const { interface: name, path } of this.#presence.takeRenewals()) this.#net.renew(name, path)
    for (const { nonce, rtt } of this.#presence.takeEchoes()) this.#probes.get(nonce)?.(rtt)
    if (this.#presence.index !== this.#index) {
      this.#index = this.#presence.index
      for (const listener of this.#listeners) listener()
    }
    for (const hostname of this.#presence.takeHostsToQuery()) this.#queryHost(hostname)
    for (const notice of this.#presence.takeNotices()) this.#onNotice(notice)
  }
}
