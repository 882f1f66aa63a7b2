import type { Agenda } from '../../agenda.ts'
import type { DatagramSource, Interface } from '../../link.ts'
import type { Sighting } from '../../presence/peers/types.ts'
import type { Random } from '../../random.ts'
import { MDNS_PORT, type Message, type OutgoingMessage, type Question } from '../dns/messages.ts'
import { nameKey, type ResourceRecord } from '../dns/records.ts'
import { CacheMaintenance, type IsConfirmedByBeacon } from './cache-maintenance.ts'
import { addressesOf, type DiscoveredHost, type DiscoveredInstance } from './discovered-host.ts'
import { HostTable } from './host-table.ts'
import { QueryScheduler } from './query-scheduler.ts'
import { type LimitNotice, type MdnsLimits, Quotas } from './quotas.ts'
import { RecordCache } from './record-cache.ts'
import { Resolver } from './resolver.ts'
import { ResponseHandler } from './response-handler.ts'
import { TypeBrowser } from './type-browser.ts'

/**
 * When the addresses of a host are queried after a request, and how long answers are accepted, ms after the request.
 */
const HOST_QUERY_DELAYS = [0, 1120, 3120]
const HOST_QUERY_TIMEOUT = 10_000
const MAX_QUERIED_HOSTS = 256

/** A host that runs earshotd answers within this time, ms. */
const EARSHOT_ANSWER_TIMEOUT = 5000

/** How long records are kept after their interface is gone, ms. A cable may be plugged in again soon. */
const INTERFACE_GRACE = 5000

/**
 * Discovers hosts and services: sends queries, caches the answers and reports the state of each host. All times are
 * monotonic ms.
 */
export class Finder {
  readonly #agenda: Agenda
  readonly #quotas: Quotas
  readonly #queries: QueryScheduler
  readonly #browser: TypeBrowser
  readonly #cache: RecordCache
  readonly #hosts: HostTable
  readonly #responses: ResponseHandler
  readonly #maintenance: CacheMaintenance
  /** The usable interfaces, and the number of open paths of each. */
  readonly #interfaces = new Map<string, number>()
  /**
   * The IPv4 addresses of each interface that is in use or may return. New addresses mean that the interface is
   * connected to another network.
   */
  readonly #networks = new Map<string, readonly string[]>()
  /** The keys of host names whose addresses were requested. */
  readonly #queriedHosts = new Set<string>()
  #isStarted = false

  constructor(parts: {
    agenda: Agenda
    random: Random
    send: (out: OutgoingMessage) => void
    notice: (notice: LimitNotice) => void
    /** Service types to browse for, such as `_ipp._tcp`. `*` adds every type that other hosts announce. */
    browse: readonly string[]
    /** Called when a host is discovered, changes, is received again, or is gone. */
    sighted: (sighting: Sighting, now: number) => void
    /** Records that beacons confirm are not queried again. */
    isConfirmedByBeacon: IsConfirmedByBeacon
    /** Whether this host publishes a record on an interface. Own records count as known answers. */
    isPublished: (interfaceName: string, record: ResourceRecord) => boolean
    /** Whether a name is the host name of this host. Services on this host are not reported. */
    isOwnHostname: (name: string) => boolean
  }) {
    const { agenda, random, send, sighted, isConfirmedByBeacon, isPublished, isOwnHostname: isOwn } = parts
    const quotas = new Quotas(parts.notice)
    const cache: RecordCache = new RecordCache({
      agenda,
      random,
      quotas,
      refresh: (entry, now) => maintenance.refresh(entry, now),
      isStillValid: (entry) => maintenance.isStillValid(entry),
      expired: (entry, now) => maintenance.expired(entry, now),
    })
    const knownAnswers = (interfaceName: string, question: Question, now: number) =>
      cache.knownAnswers(interfaceName, question, now)
    const isKnownAnswer = (interfaceName: string, record: ResourceRecord, now: number) =>
      isPublished(interfaceName, record) || cache.isKnownAnswer(interfaceName, record, now)
    const needsAnswer = (interfaceName: string, question: Question) => cache.needsAnswer(interfaceName, question)
    const queries = new QueryScheduler({ agenda, random, send, knownAnswers, isKnownAnswer, needsAnswer })
    const browser = new TypeBrowser({ agenda, queries, quota: quotas.types, types: parts.browse })
    const removed = (item: DiscoveredInstance | DiscoveredHost) => {
      resolver.cancel(item)
      if ('type' in item) maintenance.forgetUnusedType(item.type)
    }
    const hosts = new HostTable({ agenda, cache, quotas, sighted, removed })
    const unresolved = (item: DiscoveredInstance | DiscoveredHost, now: number) => maintenance.unresolved(item, now)
    const resolver = new Resolver({ agenda, cache, quotas, queries, unresolved })
    const maintenance = new CacheMaintenance({
      cache,
      quotas,
      queries,
      browser,
      hosts,
      resolver,
      isConfirmedByBeacon,
    })
    const isQueried = (hostname: string) => this.#queriedHosts.has(nameKey(hostname))
    this.#responses = new ResponseHandler({ cache, hosts, browser, resolver, isQueried, isOwn })
    this.#maintenance = maintenance
    this.#agenda = agenda
    this.#quotas = quotas
    this.#cache = cache
    this.#queries = queries
    this.#browser = browser
    this.#hosts = hosts
  }

  get limits(): MdnsLimits {
    return this.#quotas.limits
  }

  /** The service types that are browsed for. */
  get browsing(): string[] {
    return this.#browser.types
  }

  start(now: number): void {
    this.#isStarted = true
    for (const interfaceName of this.#interfaces.keys()) this.#browser.startOn(interfaceName, now)
  }

  /**
   * Starts browsing on new interfaces. Forgets the records of removed interfaces unless they return within
   * `INTERFACE_GRACE`.
   */
  setInterfaces(interfaces: readonly Interface[], now: number): void {
    const pathCounts = new Map(interfaces.map(({ name, paths }) => [name, paths.length]))
    for (const interfaceName of this.#interfaces.keys())
      if (!pathCounts.get(interfaceName)) this.#removeInterface(interfaceName, now)
    for (const one of interfaces) if (one.paths.length > 0) this.#checkNetworkChange(one, now)
    for (const [interfaceName, count] of pathCounts) {
      const before = this.#interfaces.get(interfaceName) ?? 0
      if (count > 0) this.#interfaces.set(interfaceName, count)
      if (count > before && this.#isStarted) this.#browser.startOn(interfaceName, now)
    }
    this.#hosts.report(now)
  }

  receive(message: Message, from: DatagramSource, now: number): void {
    if (!this.#interfaces.has(from.interface)) return
    if (message.kind === 'query') {
      const asked = this.#queries.receiveQuery(message, from, now)
      for (const name of asked) this.#browser.queriedByOther(from.interface, name, now)
      return
    }
    if (from.port !== MDNS_PORT) return
    this.#responses.handle(message, from, now)
    this.#hosts.report(now)
  }

  /** Queries the addresses of a host, even if the host is unknown. */
  queryHost(hostname: string, now: number): void {
    const key = nameKey(hostname)
    if (this.#queriedHosts.has(key) || this.#queriedHosts.size >= MAX_QUERIED_HOSTS) return
    this.#queriedHosts.add(key)
    // The cached addresses may be out of date.
    for (const type of ['A', 'AAAA'] as const)
      for (const entry of this.#cache.entries(type, hostname)) entry.needsConfirmation = true
    for (const wait of HOST_QUERY_DELAYS) this.#agenda.add(now + wait, (later) => this.#queryAddresses(hostname, later))
    this.#agenda.add(now + EARSHOT_ANSWER_TIMEOUT, (later) => {
      const heardOn = this.#hosts.host(hostname)?.heardOn.keys() ?? []
      if ([...heardOn].some((interfaceName) => this.#interfaces.has(interfaceName)))
        this.#maintenance.failIfSilent(hostname, now, later)
    })
    this.#agenda.add(now + HOST_QUERY_TIMEOUT, () => this.#queriedHosts.delete(key))
  }

  /** The known addresses of a host. */
  addressesOf(hostname: string): Sighting['addresses'] {
    return addressesOf(hostname, this.#cache)
  }

  #removeInterface(interfaceName: string, now: number): void {
    this.#interfaces.delete(interfaceName)
    this.#browser.stopOn(interfaceName)
    this.#queries.removeInterface(interfaceName)
    this.#agenda.add(now + INTERFACE_GRACE, (later) => {
      if (!this.#interfaces.has(interfaceName)) this.#forgetInterface(interfaceName, later)
    })
  }

  /** Forgets the records of an interface that is now connected to another network. */
  #checkNetworkChange({ name, addresses }: Interface, now: number): void {
    const known = this.#networks.get(name)
    const ipv4 = addresses.filter(({ family }) => family === 'ipv4').map(({ address }) => address)
    if (known && known.length > 0 && ipv4.length > 0 && !ipv4.some((address) => known.includes(address))) {
      this.#forgetInterface(name, now)
    }
    if (ipv4.length > 0 || !known) this.#networks.set(name, ipv4)
  }

  #forgetInterface(interfaceName: string, now: number): void {
    this.#networks.delete(interfaceName)
    this.#cache.removeInterface(interfaceName)
    this.#hosts.removeInterface(interfaceName, now)
    this.#hosts.report(now)
  }

  /** Uses the spelling that the host uses: some hosts answer only to that. */
  #queryAddresses(hostname: string, now: number): void {
    const name = this.#hosts.host(hostname)?.hostname ?? hostname
    for (const interfaceName of this.#interfaces.keys()) {
      for (const type of ['A', 'AAAA'] as const) this.#queries.schedule(interfaceName, { type, name }, now)
    }
  }
}
