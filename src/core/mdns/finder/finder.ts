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

/** When the addresses of a host that somebody wants to know are asked for, and how long answers are waited for, ms. */
const HOST_QUERY_DELAYS = [0, 1120, 3120]

const HOST_QUERY_TIMEOUT = 10_000

const MAX_QUERIED_HOSTS = 256

/** One that runs an earshotd has answered by then, ms. */
const EARSHOT_ANSWER_TIMEOUT = 5000

/** What was learnt on an interface that has gone is kept for so long, ms: a cable is soon put back, and nobody died of it. */
const INTERFACE_GRACE = 5000

/**
 * Finds other people's hosts and services: asks for them, holds what they answer for as long as it is true, and tells
 * how each host stands. All times are monotonic ms.
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
  /** The interfaces that can be spoken on, and by how many ways. */
  readonly #interfaces = new Map<string, number>()
  /** The IPv4 addresses of those that are there, and of those that may return: another one is another network. */
  readonly #networks = new Map<string, readonly string[]>()
  /** Host names whose addresses somebody wants to know. */
  readonly #queriedHosts = new Set<string>()
  #ownHostname = ''
  #isStarted = false

  constructor(parts: {
    agenda: Agenda
    random: Random
    send: (out: OutgoingMessage) => void
    notice: (notice: LimitNotice) => void
    /** Service types to look for, `_ipp._tcp`; `*` among them: also all that others tell of. */
    browse: readonly string[]
    /** A host was found, has changed, was heard again, or has gone. */
    sighted: (sighting: Sighting, now: number) => void
    /** What beacons tell anyway is not asked for again. */
    isConfirmedByBeacon?: IsConfirmedByBeacon
    /** Whether we publish a record on an interface: what we say ourselves is not heard. */
    isPublished?: (interfaceName: string, record: ResourceRecord) => boolean
  }) {
    const { agenda, random, send, sighted, isConfirmedByBeacon = () => false, isPublished = () => false } = parts
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
    const isOwn = (hostname: string) => nameKey(hostname) === this.#ownHostname
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

  /** The service types that are looked for. */
  get browsing(): string[] {
    return this.#browser.types
  }

  start(now: number): void {
    this.#isStarted = true
    for (const interfaceName of this.#interfaces.keys()) this.#browser.startOn(interfaceName, now)
  }

  /** A new interface is asked at once; what was learnt on one that has gone is forgotten, unless it soon returns. */
  setInterfaces(interfaces: readonly Interface[], now: number): void {
    const ways = new Map(interfaces.map(({ name, paths }) => [name, paths.length]))
    for (const interfaceName of this.#interfaces.keys())
      if (!ways.get(interfaceName)) this.#removeInterface(interfaceName, now)
    for (const one of interfaces) if (one.paths.length > 0) this.#checkNetworkChange(one, now)
    for (const [interfaceName, count] of ways) {
      const before = this.#interfaces.get(interfaceName) ?? 0
      if (count > 0) this.#interfaces.set(interfaceName, count)
      if (count > before && this.#isStarted) this.#browser.startOn(interfaceName, now)
    }
    this.#hosts.report(now)
  }

  /** Our own host name: what names it is not somebody else's. */
  setOwnHostname(hostname: string): void {
    this.#ownHostname = nameKey(hostname)
  }

  receive(message: Message, heard: DatagramSource, now: number): void {
    if (!this.#interfaces.has(heard.interface)) return
    if (message.kind === 'query') {
      const asked = this.#queries.receiveQuery(message, heard, now)
      for (const name of asked) this.#browser.queriedByOther(heard.interface, name, now)
      return
    }
    if (heard.port !== MDNS_PORT) return
    this.#responses.handle(message, heard, now)
    this.#hosts.report(now)
  }

  /** Asks for the addresses of a host, whether or not anything is known of it. */
  queryHost(hostname: string, now: number): void {
    const key = nameKey(hostname)
    if (this.#queriedHosts.has(key) || this.#queriedHosts.size >= MAX_QUERIED_HOSTS) return
    this.#queriedHosts.add(key)
    // Those that are known may be of a host that is there no more.
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

  /** The addresses of a host that are known. */
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

  /** Forgets what was learnt on an interface that is in another network now. */
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

  /** As its host writes it, if that is known: some answer to no other case. */
  #queryAddresses(hostname: string, now: number): void {
    const name = this.#hosts.host(hostname)?.hostname ?? hostname
    for (const interfaceName of this.#interfaces.keys()) {
      for (const type of ['A', 'AAAA'] as const) this.#queries.schedule(interfaceName, { type, name }, now)
    }
  }
}
