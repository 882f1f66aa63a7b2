import { setTimeout as delay } from 'node:timers/promises'
import type { Profile } from '../core/presence/peers/self.ts'
import type { HostAssertion, Notice, Sighting } from '../core/presence/peers/types.ts'
import type { Presence } from '../core/presence/presence.ts'
import type { PeerId } from '../core/wire/id.ts'
import type { Identity } from '../core/wire/identity.ts'
import { Stopping } from '../shared/errors.ts'
import { Alarm } from './alarm.ts'
import type { Clock } from './clock.ts'
import type { Net } from './net/net.ts'

/** How long a goodbye takes to be said three times, ms. */
const GOODBYE = 25

/** Drives the rules of presence with real sockets and a real clock. */
export class Driver {
  readonly #presence: Presence
  readonly #net: Net
  readonly #clock: Clock
  readonly #onNotice: (notice: Notice) => void
  readonly #listeners = new Set<() => void>()
  /** Who waits for the answers to probes, by nonce. */
  readonly #probes = new Map<number, (outcome: number | Error) => void>()
  readonly #alarm: Alarm
  #askHost: (hostname: string) => void = () => {}
  #index = 0
  #stopped = false

  constructor(presence: Presence, net: Net, clock: Clock, onNotice: (notice: Notice) => void) {
    this.#presence = presence
    this.#net = net
    this.#clock = clock
    this.#onNotice = onNotice
    this.#alarm = new Alarm(clock, () => this.#attempt((now) => presence.wake(now)))
  }

  /** Opens the network and begins. Throws what `Net.open` throws. */
  async start(): Promise<void> {
    const presence = this.#presence
    this.#net.on('datagram', (bytes, heard) => this.#attempt((now) => presence.receive(bytes, heard, now)))
    this.#net.on('interfaces', (interfaces) => this.#attempt((now) => presence.setInterfaces(interfaces, now)))
    this.#do((now) => presence.start(now))
    await this.#net.open()
  }

  /** Calls `listener` after changes of the registry, once for several; returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Who is to be told of hosts that mDNS is to ask for; without, nobody. */
  onHostToAsk(listener: (hostname: string) => void): void {
    this.#askHost = listener
  }

  /** Changes this peer's profile. @throws InvalidRecord when the record would be too large; then nothing has changed */
  describe(profile: Profile): void {
    this.#do((now) => this.#presence.setProfile(profile, now))
  }

  /** Asks everyone for their records. */
  query(): void {
    this.#do(() => this.#presence.query())
  }

  /**
   * Round-trip time to a peer, ms; undefined when it does not answer within `timeout` ms, or there is no such peer.
   * @throws Stopping when the daemon is stopped before that
   */
  async probe(id: PeerId, timeout: number): Promise<number | undefined> {
    if (this.#stopped) throw new Stopping()
    let nonce: number | undefined
    this.#do((now) => {
      nonce = this.#presence.probe(id, now)
    })
    if (nonce === undefined) return undefined
    const awaited = nonce
    return new Promise((resolve, reject) => {
      const impatience = setTimeout(() => answer(undefined), timeout)
      const answer = (outcome: number | Error | undefined) => {
        clearTimeout(impatience)
        this.#probes.delete(awaited)
        if (outcome instanceof Error) reject(outcome)
        else resolve(outcome)
      }
      this.#probes.set(awaited, answer)
    })
  }

  /** See `Presence.isConfirmedByBeacon`. */
  isConfirmedByBeacon(host: string, assertion: HostAssertion): boolean {
    return this.#presence.isConfirmedByBeacon(host, assertion)
  }

  /** Passes on a host as mDNS sees it. */
  sight(sighting: Sighting): void {
    this.#attempt((now) => this.#presence.sight(sighting, now))
  }

  become(identity: Identity, incarnation: number): void {
    this.#do((now) => this.#presence.setIdentity(identity, incarnation, now))
  }

  /** Says goodbye, and takes the sockets down. Who waits for the answer to a probe waits no longer. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const answer of this.#probes.values()) answer(new Stopping())
    this.#do((now) => this.#presence.leave(now))
    await delay(GOODBYE)
    this.#alarm.stop()
    await this.#net.close()
  }

  /** Does what the network or a timer gives cause to: nobody is there to catch an error in it, and it must end nothing. */
  #attempt(action: (now: number) => void): void {
    try {
      this.#do(action)
    } catch (error) {
      this.#presence.countException(error)
      this.#alarm.set(this.#presence.nextWake)
    }
  }

  #do(action: (now: number) => void): void {
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
    for (const hostname of this.#presence.takeHostsToQuery()) this.#askHost(hostname)
    for (const notice of this.#presence.takeNotices()) this.#onNotice(notice)
  }
}
