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

/** The state of mDNS as shown in the daemon's status. */
export interface MdnsView {
  /**
   * The host name in use: the machine's name, such as `kitchen.local`, or `k3vq7m2xa4.local` if another host uses that
   * name.
   */
  hostname: string
  publications: Publication[]
  /** Service types that are browsed for. */
  browsing: string[]
  limits: MdnsLimits
  /** The interfaces in use. A path that cannot be used has the reason in `fault`. */
  interfaces: { name: string; paths: { path: Path; fault?: string }[] }[]
  /** Counts of messages. `unsent` messages were dropped because the send queue was full. */
  counters: { received: number; sent: number; dropped: number; unsent: number }
}

/**
 * The number of characters of a peer id that form its host name. They hold 50 bits, enough to make a collision
 * unlikely.
 */
const HOST_ID_CHARACTERS = 10

interface MdnsOptions {
  random: Random
  /** Service types to browse for, such as `_ipp._tcp`. `*` adds every type that other hosts announce. */
  browse: readonly string[]
  /** Records that beacons confirm are not queried again. */
  isConfirmedByBeacon?: IsConfirmedByBeacon
}

/** A valid first label of a host name, except `localhost` (RFC 952; RFC 1123, section 2.1). */
const HOST_LABEL = /^(?!localhost$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i

/** The information about this peer that is published. */
export interface OwnProfile {
  id: string
  name: string
  /**
   * The machine's host name, such as `kitchen` or `kitchen.example.org`. Its first label becomes the mDNS name, such as
   * `kitchen.local`.
   */
  hostname?: string
  version: string
  /** UDP port of the beacons. */
  port: number
  services: readonly PublishedService[]
}

/**
 * DNS-SD over mDNS (RFC 6762, RFC 6763): publishes this peer's services and discovers the services of other hosts.
 *
 * Does no I/O and reads no clock. The caller passes in received messages and the time, takes the messages to send, the
 * sightings and the notices, and calls `wake` at `nextWake`. All times are monotonic ms.
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
    const isOwnHostname = (name: string) => sameName(name, this.#publisher.hostname)
    this.#finder = new Finder({
      agenda,
      random,
      send,
      notice,
      browse,
      sighted,
      isConfirmedByBeacon,
      isPublished,
      isOwnHostname,
    })
  }

  start(now: number): void {
    this.#finder.start(now)
  }

  setInterfaces(interfaces: Interface[], now: number): void {
    this.#interfaces = interfaces
    this.#publisher.setInterfaces(interfaces, now)
    this.#finder.setInterfaces(interfaces, now)
  }

  /**
   * Publishes the services, and the daemon itself as `_earshot._udp`. Withdraws published services that are missing
   * from the list.
   */
  publish({ id, name, hostname = '', version, port, services }: OwnProfile, now: number): void {
    const [label = ''] = hostname.split('.')
    const machine = HOST_LABEL.test(label) ? `${label}.local` : undefined
    // The ids of registered services contain no space, so this id is unique.
    const daemon = { id: 'the daemon', name, type: OWN_TYPE, port, txt: { id, v: version }, subtypes: [] }
    this.#publisher.publish(`${id.slice(0, HOST_ID_CHARACTERS)}.local`, [daemon, ...services], now, machine)
  }

  /** Handles a received message. */
  receive(message: Message, from: DatagramSource, now: number): void {
    this.#publisher.receive(message, from, now)
    this.#finder.receive(message, from, now)
  }

  /** Runs the tasks that are due. The caller calls this at `nextWake`. */
  wake(now: number): void {
    this.#agenda.run(now)
  }

  get nextWake(): number | undefined {
    return this.#agenda.next
  }

  /** Queries the addresses of a host, such as `printer.local`. */
  queryHost(hostname: string, now: number): void {
    this.#finder.queryHost(hostname, now)
  }

  /** The known addresses of a host. For this peer's own host name: the addresses of its interfaces. */
  addressesOf(hostname: string): Sighting['addresses'] {
    if (!sameName(hostname, this.#publisher.hostname)) return this.#finder.addressesOf(hostname)
    return this.#interfaces.flatMap(({ name, addresses }) => addresses.map((each) => ({ ...each, interface: name })))
  }

  /** Sends goodbyes for all records. The caller must keep calling `wake` for another 100 ms. */
  leave(now: number): void {
    this.#publisher.leave(now)
  }

  takeOutgoing(): OutgoingMessage[] {
    const outgoing = this.#outgoing
    this.#outgoing = []
    return outgoing
  }

  /** The sightings since the last call, oldest first. */
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
