import type { Agenda } from '../../agenda.ts'
import type { DatagramSource, Interface } from '../../link.ts'
import type { Sighting } from '../../presence/peers/types.ts'
import type { Random } from '../../random.ts'
import { keyOf } from '../dns/names.ts'
import type {
  IsSigned,
  MdnsLimits,
  MdnsNotice,
  Message,
  OutgoingMessage,
  Question,
  ResourceRecord,
} from '../dns/types.ts'
import { Browse } from './browse.ts'
import { Cache } from './cache.ts'
import { Caps } from './caps.ts'
import { FollowUps } from './follow-ups.ts'
import type { FoundHost, Instance } from './found.ts'
import { Hosts } from './hosts.ts'
import { Intake } from './intake.ts'
import { Life } from './life.ts'
import { Questions } from './questions.ts'
import { addressesOf } from './sighting.ts'
import { Upkeep } from './upkeep.ts'

/** Responses come from this port only (RFC 6762, section 6). */
const PORT = 5353
/** When the addresses of a host that somebody wants to know are asked for, and how long answers are waited for, ms. */
const ASK_AT = [0, 1120, 3120]
const ASK_ENDS = 10_000
const MOST_ASKED = 256
/** One that runs an earshotd has answered by then, ms. */
const ASK_VERDICT = 5000
/** What was learnt on an interface that has gone is kept for so long, ms: a cable is soon put back, and nobody died of it. */
const MAY_RETURN = 5000

/**
 * Finds other people's hosts and services: asks for them, holds what they answer for as long as it is true, and tells
 * how each host stands. All times are monotonic ms.
 */
export class Finder {
  readonly #agenda: Agenda
  readonly #caps: Caps
  readonly #questions: Questions
  readonly #browse: Browse
  readonly #cache: Cache
  readonly #hosts: Hosts
  readonly #intake: Intake
  readonly #upkeep: Upkeep
  /** The interfaces that can be spoken on, and by how many ways. */
  readonly #interfaces = new Map<string, number>()
  /** The IPv4 addresses of those that are there, and of those that may return: another one is another network. */
  readonly #networks = new Map<string, readonly string[]>()
  /** Host names whose addresses somebody wants to know. */
  readonly #asked = new Set<string>()
  #own = ''
  #started = false

  constructor(parts: {
    agenda: Agenda
    random: Random
    send: (out: OutgoingMessage) => void
    notice: (notice: MdnsNotice) => void
    /** Service types to look for, `_ipp._tcp`; `*` among them: also all that others tell of. */
    browse: readonly string[]
    /** A host was found, has changed, was heard again, or has gone. */
    sighted: (sighting: Sighting, now: number) => void
    /** What beacons tell anyway is not asked for again. */
    isSigned?: IsSigned
    /** Whether we publish a record on an interface: what we say ourselves is not heard. */
    isPublished?: (on: string, record: ResourceRecord) => boolean
  }) {
    const { agenda, random, send, sighted, isSigned = () => false, isPublished = () => false } = parts
    const caps = new Caps(parts.notice)
    const cache: Cache = new Cache({
      agenda,
      random,
      caps,
      refresh: (held, now) => upkeep.refresh(held, now),
      isKept: (held) => upkeep.isKept(held),
      expired: (held, now) => upkeep.expired(held, now),
    })
    const known = (on: string, question: Question, now: number) => cache.known(on, question, now)
    const isKnown = (on: string, record: ResourceRecord, now: number) =>
      isPublished(on, record) || cache.isKnown(on, record, now)
    const isOpen = (on: string, question: Question) => cache.isOpen(on, question)
    const questions = new Questions({ agenda, random, send, known, isKnown, isOpen })
    const browse = new Browse({ agenda, questions, cap: caps.types, types: parts.browse })
    const removed = (item: Instance | FoundHost) => {
      followUps.forget(item)
      if ('type' in item) upkeep.tidy(item.type)
    }
    const hosts = new Hosts({ agenda, cache, caps, sighted, removed })
    const givenUp = (item: Instance | FoundHost, now: number) => upkeep.giveUp(item, now)
    const followUps = new FollowUps({ agenda, cache, caps, questions, givenUp })
    const life = new Life({ cache, questions })
    const upkeep = new Upkeep({ cache, caps, questions, browse, hosts, life, followUps, isSigned })
    const isAsked = (hostname: string) => this.#asked.has(keyOf(hostname))
    const isOwn = (hostname: string) => keyOf(hostname) === this.#own
    this.#intake = new Intake({ cache, hosts, browse, followUps, isAsked, isOwn })
    this.#upkeep = upkeep
    this.#agenda = agenda
    this.#caps = caps
    this.#cache = cache
    this.#questions = questions
    this.#browse = browse
    this.#hosts = hosts
  }

  get limits(): MdnsLimits {
    return this.#caps.limits
  }

  /** The service types that are looked for. */
  get browsing(): string[] {
    return this.#browse.types
  }

  start(now: number): void {
    this.#started = true
    for (const on of this.#interfaces.keys()) this.#browse.begin(on, now)
  }

  /** A new interface is asked at once; what was learnt on one that has gone is forgotten, unless it soon returns. */
  setInterfaces(interfaces: readonly Interface[], now: number): void {
    const ways = new Map(interfaces.map(({ name, paths }) => [name, paths.length]))
    for (const on of this.#interfaces.keys()) if (!ways.get(on)) this.#leave(on, now)
    for (const one of interfaces) if (one.paths.length > 0) this.#recognize(one, now)
    for (const [on, count] of ways) {
      const before = this.#interfaces.get(on) ?? 0
      if (count > 0) this.#interfaces.set(on, count)
      if (count > before && this.#started) this.#browse.begin(on, now)
    }
    this.#hosts.tell(now)
  }

  /** Our own host name: what names it is not somebody else's. */
  setOwn(hostname: string): void {
    this.#own = keyOf(hostname)
  }

  hear(message: Message, heard: DatagramSource, now: number): void {
    if (!this.#interfaces.has(heard.interface)) return
    if (message.kind === 'query') {
      const asked = this.#questions.hear(message, heard, now)
      for (const name of asked) this.#browse.asked(heard.interface, name, now)
      return
    }
    if (heard.port !== PORT) return
    this.#intake.take(message, heard, now)
    this.#hosts.tell(now)
  }

  /** Asks for the addresses of a host, whether or not anything is known of it. */
  ask(hostname: string, now: number): void {
    const key = keyOf(hostname)
    if (this.#asked.has(key) || this.#asked.size >= MOST_ASKED) return
    this.#asked.add(key)
    // Those that are known may be of a host that is there no more.
    for (const type of ['A', 'AAAA'] as const) for (const held of this.#cache.get(type, hostname)) held.doubted = true
    for (const wait of ASK_AT) this.#agenda.add(now + wait, (later) => this.#askForAddresses(hostname, later))
    this.#agenda.add(now + ASK_VERDICT, (later) => {
      const heardOn = this.#hosts.host(hostname)?.heardOn.keys() ?? []
      if ([...heardOn].some((on) => this.#interfaces.has(on))) this.#upkeep.unheard(hostname, now, later)
    })
    this.#agenda.add(now + ASK_ENDS, () => this.#asked.delete(key))
  }

  /** The addresses of a host that are known. */
  addressesOf(hostname: string): Sighting['addresses'] {
    return addressesOf(hostname, this.#cache)
  }

  #leave(on: string, now: number): void {
    this.#interfaces.delete(on)
    this.#browse.end(on)
    this.#questions.forgetInterface(on)
    this.#agenda.add(now + MAY_RETURN, (later) => {
      if (!this.#interfaces.has(on)) this.#forget(on, later)
    })
  }

  /** Forgets what was learnt on an interface that is in another network now. */
  #recognize({ name, addresses }: Interface, now: number): void {
    const known = this.#networks.get(name)
    const ipv4 = addresses.filter(({ family }) => family === 'ipv4').map(({ address }) => address)
    if (known && known.length > 0 && ipv4.length > 0 && !ipv4.some((address) => known.includes(address))) {
      this.#forget(name, now)
    }
    if (ipv4.length > 0 || !known) this.#networks.set(name, ipv4)
  }

  #forget(on: string, now: number): void {
    this.#networks.delete(on)
    this.#cache.forgetInterface(on)
    this.#hosts.forgetInterface(on, now)
    this.#hosts.tell(now)
  }

  /** As its host writes it, if that is known: some answer to no other case. */
  #askForAddresses(hostname: string, now: number): void {
    const name = this.#hosts.host(hostname)?.hostname ?? hostname
    for (const on of this.#interfaces.keys()) {
      for (const type of ['A', 'AAAA'] as const) this.#questions.ask(on, { type, name }, now)
    }
  }
}
