import type { Agenda } from '../../agenda.ts'
import type { DatagramSource, Interface } from '../../link.ts'
import type { Random } from '../../random.ts'
import { MDNS_PORT, type Message, type OutgoingMessage } from '../dns/messages.ts'
import { nameKey, type ResourceRecord, sameName } from '../dns/records.ts'
import { type Claim, HostClaim, type PublishedService, ServiceClaim } from './claim.ts'
import { ConflictResolver } from './conflict-resolver.ts'
import { Segment } from './segment.ts'

/** The state of a published service. */
export interface Publication {
  id: string
  /** The instance name in use: the preferred name, or one with a number after a conflict. */
  name: string
  type: string
  /**
   * `waiting`: no interface with mDNS is available. `elsewhere`: another mDNS program on this machine publishes the
   * same service, so this one does not.
   */
  state: 'waiting' | 'probing' | 'published' | 'elsewhere'
}

/** Another host owns the instance name `from`. This peer now probes for `to` instead. */
export interface RenamedNotice {
  type: 'renamed'
  id: string
  service: string
  from: string
  to: string
}

/**
 * The first probe is delayed by a random time up to this, ms, so that hosts that start together do not probe together.
 */
const MAX_PROBE_DELAY = 250

/** When goodbyes are sent at shutdown, ms after the first. */
const SHUTDOWN_GOODBYE_DELAYS = [0, 50, 100]

interface PublisherOptions {
  agenda: Agenda
  random: Random
  send: (out: OutgoingMessage) => void
  notice: (notice: RenamedNotice) => void
}

/**
 * Publishes this host and its services by multicast DNS (RFC 6762): probes for their names, announces and defends them,
 * answers questions and sends goodbyes. Does no I/O and reads no clock: times are monotonic ms.
 */
export class Publisher {
  readonly #options: PublisherOptions
  readonly #segments = new Map<string, Segment>()
  readonly #services = new Map<string, ServiceClaim>()
  #host: HostClaim | undefined
  /** All claims, by the key of the name in use. */
  readonly #claims = new Map<string, Claim>()
  readonly #conflicts: ConflictResolver
  /** Services with an update that is delayed by the rate limit. */
  readonly #pendingUpdates = new Set<ServiceClaim>()
  #hasLeft = false

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#conflicts = new ConflictResolver({
      agenda: options.agenda,
      segments: this.#segments,
      claims: this.#claims,
      rename: (claim, lostOn, now) => this.#rename(claim, lostOn, now),
      probe: (claim, segment, at) => this.#probe([claim], [segment], at),
    })
  }

  /** The host name in use. Empty before the first `publish`. */
  get hostname(): string {
    return this.#host?.name ?? ''
  }

  /**
   * The services in the order in which they were published. A service is `published` if it owns its name on at least
   * one interface.
   */
  get publications(): Publication[] {
    return [...this.#services.values()].map((claim) => ({
      id: claim.service.id,
      name: claim.instance,
      type: claim.service.type,
      state: this.#stateOf(claim),
    }))
  }

  /** Whether this host publishes a record on an interface. */
  hasRecord(interfaceName: string, record: ResourceRecord): boolean {
    return this.#segments.get(interfaceName)?.hasRecord(record) === true
  }

  /** Sets the interfaces. Interfaces without an address are ignored. */
  setInterfaces(interfaces: readonly Interface[], now: number): void {
    if (this.#hasLeft) return
    const usable = interfaces.filter(({ addresses }) => addresses.length > 0)
    for (const [name, segment] of this.#segments) {
      if (usable.some((each) => each.name === name)) continue
      segment.close()
      this.#segments.delete(name)
    }
    const { agenda, random, send } = this.#options
    const added: Segment[] = []
    for (const network of usable) {
      const known = this.#segments.get(network.name)
      if (known) {
        known.addresses = network.addresses
        if (this.#host) known.refresh(this.#host, now)
        continue
      }
      const segment = new Segment(network, { agenda, random, send, hostname: () => this.hostname })
      this.#segments.set(network.name, segment)
      added.push(segment)
    }
    this.#probe([...this.#claims.values()], added, now)
  }

  /**
   * Sets the host name and the services. Services that remain keep their names.
   *
   * @param machine the machine's own host name, which is used instead of `hostname` unless another host uses it
   */
  publish(hostname: string, services: readonly PublishedService[], now: number, machine?: string): void {
    if (this.#hasLeft) return
    const wanted = new Map(services.map((service) => [service.id, service]))
    for (const [id, claim] of this.#services) {
      const service = wanted.get(id)
      if (service && claim.canBecome(service)) continue
      this.#withdraw(claim, now)
      this.#services.delete(id)
    }
    const added: Claim[] = []
    if (!this.#host || !sameName(this.#host.preferred, hostname)) {
      added.push(this.#setHost(new HostClaim(hostname, machine), now))
    }
    for (const [id, service] of wanted) {
      const known = this.#services.get(id)
      if (known?.update(service)) {
        this.#announceUpdate(known, now)
        for (const segment of this.#segments.values()) this.#conflicts.reclaim(known, segment, now)
      }
      if (known) continue
      const claim = new ServiceClaim(service)
      if (!this.#isFree(claim.name)) claim.rename((name) => this.#isFree(name))
      this.#services.set(id, claim)
      this.#claims.set(nameKey(claim.name), claim)
      added.push(claim)
    }
    this.#probe(added, [...this.#segments.values()], now)
  }

  /** Handles a received message. Never throws. */
  receive(message: Message, from: DatagramSource, now: number): void {
    const segment = this.#segments.get(from.interface)
    if (!segment || this.#hasLeft) return
    const isPeer = from.port === MDNS_PORT
    if (isPeer) this.#conflicts.receive(message, segment, from, now)
    if (message.kind === 'query') segment.responder.receiveQuery(message, from, now)
    else if (isPeer) segment.responder.receiveResponse(message, now)
  }

  /** Sends goodbyes, the last after 100 ms. After that nothing is published. */
  leave(now: number): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    for (const segment of this.#segments.values()) segment.leave(SHUTDOWN_GOODBYE_DELAYS, now)
  }

  #stateOf(claim: Claim): Publication['state'] {
    const segments = [...this.#segments.values()]
    if (segments.length === 0) return 'waiting'
    if (segments.some((segment) => segment.hasClaim(claim))) return 'published'
    return segments.some((segment) => segment.hasYielded(claim)) ? 'elsewhere' : 'probing'
  }

  /** Another host has the name on the segments `lostOn`. Renames the claim on all segments. */
  #rename(claim: Claim, lostOn: readonly Segment[], now: number): void {
    const segments = [...this.#segments.values()]
    // No goodbye on these segments: it could match the records of the other host.
    for (const segment of segments) segment.withdraw(claim, !lostOn.includes(segment), now)
    this.#claims.delete(nameKey(claim.name))
    const from = claim instanceof ServiceClaim ? claim.instance : claim.name
    claim.rename((name) => this.#isFree(name))
    this.#claims.set(nameKey(claim.name), claim)
    if (claim instanceof ServiceClaim) {
      const { id, type } = claim.service
      this.#options.notice({ type: 'renamed', id, service: type, from, to: claim.instance })
    } else this.#refreshServices(now)
    this.#probe([claim], segments, now)
  }

  #setHost(host: HostClaim, now: number): HostClaim {
    if (this.#host) this.#withdraw(this.#host, now)
    this.#host = host
    this.#claims.set(nameKey(host.name), host)
    this.#refreshServices(now)
    return host
  }

  /** SRV records contain the host name. */
  #refreshServices(now: number): void {
    for (const segment of this.#segments.values()) {
      for (const claim of this.#services.values()) segment.refresh(claim, now)
    }
  }

  #withdraw(claim: Claim, now: number): void {
    this.#claims.delete(nameKey(claim.name))
    for (const segment of this.#segments.values()) segment.withdraw(claim, true, now)
  }

  /** Announces an update at once. If there are too many updates, announces only the latest, with a delay. */
  #announceUpdate(claim: ServiceClaim, now: number): void {
    if (this.#pendingUpdates.has(claim)) return
    if (claim.updateBudget.take(now)) {
      for (const segment of this.#segments.values()) segment.refresh(claim, now)
      return
    }
    this.#pendingUpdates.add(claim)
    this.#options.agenda.add(claim.updateBudget.availableAt(now), (later) => {
      this.#pendingUpdates.delete(claim)
      if (!this.#hasLeft) this.#announceUpdate(claim, later)
    })
  }

  #isFree(name: string): boolean {
    return !this.#claims.has(nameKey(name))
  }

  #probe(claims: readonly Claim[], segments: readonly Segment[], now: number): void {
    if (claims.length === 0) return
    for (const segment of segments) {
      const wait = this.#conflicts.probeDelay(now) + MAX_PROBE_DELAY * this.#options.random.number()
      segment.prober.begin(claims, now + wait)
    }
  }
}
