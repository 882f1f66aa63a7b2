import { Agenda } from '../agenda.ts'
import type { DatagramSource, Interface, Path } from '../link.ts'
import type { Sighting } from '../presence/peers/types.ts'
import type { Random } from '../random.ts'
import type { Message, OutgoingMessage } from './dns/messages.ts'
import { OWN_TYPE, type ResourceRecord, sameName } from './dns/records.ts'
import type { IsConfirmedByBeacon } from './finder/cache-maintenance.ts'
import { Finder } from './finder/finder.ts'
import type { LimitNotice, MdnsLimits } from './finder/quotas.ts'
import type { PublishedService } from './publisher/claim.ts'
import { type Publication, Publisher, type RenamedNotice } from './publisher/publisher.ts'

/** An event for the log. */
export type MdnsNotice = RenamedNotice | LimitNotice

/** For `status`. */
export interface MdnsView {
  /** The host name in use: the machine's, `kitchen.local`, or where another has that, `k3vq7m2xa4.local`. */
  hostname: string
  publications: Publication[]
  /** Service types that are browsed for. */
  browsing: string[]
  limits: MdnsLimits
  /** The interfaces in use, with the paths that are open or fail, and why those fail. */
  interfaces: { name: string; paths: { path: Path; fault?: string }[] }[]
  /** Messages; `unsent` ones were dropped, as too many were waiting to be sent. */
  counters: { received: number; sent: number; dropped: number; unsent: number }
}

/** As much of a peer's id makes its host name: short enough to be read, 50 bits against two being the same. */
const HOST_ID_CHARACTERS = 10

export interface MdnsOptions {
  random: Random
  /** Types to look for, `_ipp._tcp`; `*` among them: also all that others tell of. */
  browse: readonly string[]
  /** What beacons tell anyway is not asked for again. */
  isConfirmedByBeacon?: IsConfirmedByBeacon
}

/** A host name's first label, and no name that every machine has (RFC 952, RFC 1123, section 2.1). */
const HOST_LABEL = /^(?!localhost$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i

/** What this peer is to be seen as. */
export interface OwnProfile {
  id: string
  name: string
  /** The machine's own, `kitchen` or `kitchen.example.org`: wanted as its name by mDNS, `kitchen.local`. */
  hostname?: string
  version: string
  /** UDP port of the beacons. */
  port: number
  services: readonly PublishedService[]
}

/**
 * DNS-SD over mDNS (RFC 6762, RFC 6763), both ways: this peer's services for others, and other people's devices for
 * us. No sockets and no clock: messages go in with the time, and what to send, what was sighted and when to be woken
 * come out. All times are monotonic ms.
 */
export class Mdns {
  readonly #agenda = new Agenda()
  readonly #publisher: Publisher
  readonly #finder: Finder
  #interfaces: Interface[] = []
  #outgoing: OutgoingMessage[] = []
  #sightings: Sighting[] = []
  #notices: MdnsNotice[] = []

  constructor({ random, browse, isConfirmedByBeacon = () => false }: MdnsOptions) {
    const agenda = this.#agenda
    const send = (outgoing: OutgoingMessage) => this.#outgoing.push(outgoing)
    const notice = (each: MdnsNotice) => this.#notices.push(each)
    const sighted = (sighting: Sighting) => this.#sightings.push(sighting)
    this.#publisher = new Publisher({ agenda, random, send, notice })
    const isPublished = (interfaceName: string, record: ResourceRecord) =>
      this.#publisher.hasRecord(interfaceName, record)
    this.#finder = new Finder({ agenda, random, send, notice, browse, sighted, isConfirmedByBeacon, isPublished })
  }

  start(now: number): void {
    this.#finder.start(now)
  }

  setInterfaces(interfaces: Interface[], now: number): void {
    this.#interfaces = interfaces
    this.#publisher.setInterfaces(interfaces, now)
    this.#finder.setInterfaces(interfaces, now)
  }

  /** Publishes the services, and the daemon itself as `_earshot._udp`; what was published and is not there any more is withdrawn. */
  publish({ id, name, hostname = '', version, port, services }: OwnProfile, now: number): void {
    const [label = ''] = hostname.split('.')
    const machine = HOST_LABEL.test(label) ? `${label}.local` : undefined
    // No id of a registered service has a space.
    const daemon = { id: 'the daemon', name, type: OWN_TYPE, port, txt: { id, v: version }, subtypes: [] }
    this.#publisher.publish(`${id.slice(0, HOST_ID_CHARACTERS)}.local`, [daemon, ...services], now, machine)
    this.#finder.setOwnHostname(this.#publisher.hostname)
  }

  /** A message that came in from the link. */
  receive(message: Message, heard: DatagramSource, now: number): void {
    this.#publisher.receive(message, heard, now)
    this.#finder.setOwnHostname(this.#publisher.hostname)
    this.#finder.receive(message, heard, now)
  }

  /** Does what is due. To be called at `nextWake`. */
  wake(now: number): void {
    this.#agenda.run(now)
  }

  get nextWake(): number | undefined {
    return this.#agenda.next
  }

  /** Asks for the addresses of a host, `printer.local`. */
  queryHost(hostname: string, now: number): void {
    this.#finder.queryHost(hostname, now)
  }

  /** What is known of a host's addresses; of our own host name, ours. */
  addressesOf(hostname: string): Sighting['addresses'] {
    if (!sameName(hostname, this.#publisher.hostname)) return this.#finder.addressesOf(hostname)
    return this.#interfaces.flatMap(({ name, addresses }) => addresses.map((each) => ({ ...each, interface: name })))
  }

  /** Withdraws everything: to be woken for 100 ms more. */
  leave(now: number): void {
    this.#publisher.leave(now)
  }

  takeOutgoing(): OutgoingMessage[] {
    const outgoing = this.#outgoing
    this.#outgoing = []
    return outgoing
  }

  /** Hosts as they were seen since the last call, the newest last. */
  takeSightings(): Sighting[] {
    const sightings = this.#sightings
    this.#sightings = []
    return sightings
  }

  takeNotices(): MdnsNotice[] {
    const notices = this.#notices
    this.#notices = []
    return notices
  }

  view(): Omit<MdnsView, 'counters' | 'interfaces'> {
    const { hostname, publications } = this.#publisher
    const { browsing, limits } = this.#finder
    return { hostname, publications, browsing, limits }
  }
}
