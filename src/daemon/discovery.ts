import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Profile } from '../core/presence/peers/self.ts'
import type { Notice } from '../core/presence/peers/types.ts'
import { Presence, type PresenceOptions } from '../core/presence/presence.ts'
import { createIdentity, type Identity } from '../core/wire/identity.ts'
import type { MdnsDriver } from '../io/mdns-driver.ts'
import { InterfaceMonitor } from '../io/net/interface-monitor.ts'
import { Net } from '../io/net/net.ts'
import type { NetOptions } from '../io/net/types.ts'
import { PresenceDriver } from '../io/presence-driver.ts'
import { Clock, random } from '../io/system.ts'
import type { Peers } from '../shared/api.ts'
import { peerJson } from './control/api-json.ts'
import { logChanges, logNetwork, logNotice } from './log-events.ts'

/** The first answers have been received when no peer has become known for this long, ms. */
const QUIET = 25
/**
 * A timer that is this late, ms, shows that other programs use the processor, as when many daemons start at the same time. Then
 * this process may not have read the answers yet.
 */
const BUSY = 10
/** mDNS waits for the first answers for this long at most, ms. */
const MAX_FIRST_ANSWERS = 2000

export interface DiscoveryOptions extends Omit<PresenceOptions, 'random'> {
  clock: Clock
  /** Port and multicast groups of the beacons; the interfaces are those of mDNS too. */
  net: NetOptions
  /** The service types to browse for; false: no mDNS. */
  mdns: false | { browse: readonly string[] }
  onNotice?: (notice: Notice) => void
  log?: Logger | undefined
}

/** Finds peers and hosts by beacons and, unless it is off, by mDNS, and publishes this peer's profile by both. */
export class Discovery {
  readonly presence: Presence
  readonly net: Net
  readonly driver: PresenceDriver
  #mdns: MdnsDriver | undefined
  readonly #options: DiscoveryOptions
  readonly #monitor: InterfaceMonitor
  #id: string
  #profile: Profile

  constructor(options: DiscoveryOptions) {
    const { clock, net, log, onNotice } = options
    this.#options = options
    this.#id = options.identity.id
    this.#profile = options.profile
    this.presence = new Presence({ ...options, random })
    this.#monitor = new InterfaceMonitor(net, undefined, (interval, run) => clock.ticker.every(interval, run))
    this.net = new Net(net, this.#monitor)
    this.driver = new PresenceDriver(this.presence, this.net, clock, (notice) => {
      if (log) logNotice(log, notice)
      onNotice?.(notice)
    })
    if (!log) return
    logNetwork(log, this.net)
    logChanges(log, this.driver, this.presence)
  }

  /** Undefined when mDNS is off or not started yet. */
  get mdns(): MdnsDriver | undefined {
    return this.#mdns
  }

  /** Opens the sockets, and starts to announce and to find peers by beacons. @throws PortInUse */
  async start(): Promise<void> {
    await this.driver.start()
  }

  /**
   * Waits until mDNS may be started: the answers to the first query, which would have to wait while mDNS is loaded, have come,
   * or two seconds have passed. Returns earlier when `abort` fires, and at once if mDNS is off.
   */
  async firstAnswers(abort: AbortSignal): Promise<void> {
    const { clock, mdns } = this.#options
    if (!mdns) return
    let now = clock.now()
    const deadline = now + MAX_FIRST_ANSWERS
    while (now < deadline && !abort.aborted) {
      const [index, due] = [this.presence.index, now + QUIET]
      await delay(QUIET)
      now = clock.now()
      if (this.presence.index === index && now < due + BUSY) return
    }
  }

  /** Loads and starts mDNS, unless it is off. */
  async startMdns(): Promise<void> {
    const { mdns, ...options } = this.#options
    if (!mdns) return
    const { openMdns } = await import('./mdns.ts')
    this.#mdns = openMdns({ ...options, ...mdns, monitor: this.#monitor }, this.driver)
    this.#publishByMdns()
    await this.#mdns.start()
  }

  /** Replaces this peer's profile. @throws InvalidRecord when a record cannot hold it; then nothing has changed */
  publish(profile: Profile): void {
    this.driver.setProfile(profile)
    this.#profile = profile
    this.#publishByMdns()
  }

  /** Continues under another identity. */
  become(identity: Identity, incarnation: number): void {
    this.driver.setIdentity(identity, incarnation)
    this.#id = identity.id
    this.#publishByMdns()
  }

  /** Sends goodbyes by beacons and by mDNS, and closes the sockets. */
  async stop(): Promise<void> {
    await Promise.all([this.driver.stop(), this.#mdns?.stop()])
  }

  #publishByMdns(): void {
    const { silent, net } = this.#options
    if (!silent) this.#mdns?.publish({ ...this.#profile, id: this.#id, port: net.port })
  }
}

export interface ListenOptions extends NetOptions {
  /** How long to listen. */
  milliseconds: number
  /** The service types to browse for; false: no mDNS. */
  mdns: false | { browse: readonly string[] }
}

/**
 * Finds the peers without a daemon: sends queries and listens for a while. Sends nothing about this machine.
 * @throws PortInUse
 */
export async function listenOnce({ milliseconds, mdns, ...net }: ListenOptions): Promise<Peers> {
  const clock = new Clock()
  const discovery = new Discovery({
    identity: createIdentity(),
    incarnation: 0,
    profile: { name: 'listener', hostname: '', version: '', services: [], attributes: {} },
    interval: 1000,
    budget: Number.POSITIVE_INFINITY,
    silent: true,
    clock,
    net,
    mdns,
  })
  try {
    await discovery.start()
    await discovery.startMdns()
    await delay(milliseconds)
    const { presence } = discovery
    const peers = presence.peers().map((view) => peerJson(view, (moment) => clock.wallClock(moment)))
    return { epoch: randomBytes(4).toString('hex'), index: presence.index, peers }
  } finally {
    await discovery.stop()
  }
}
