import { isDeepStrictEqual } from 'node:util'
import { LEASE_INTERVALS } from '../../shared/peer-state.ts'
import { Agenda } from '../agenda.ts'
import type { DatagramSource, Interface } from '../link.ts'
import { Pending } from '../pending.ts'
import type { Random } from '../random.ts'
import type { PeerId } from '../wire/id.ts'
import type { Identity } from '../wire/identity.ts'
import { MAX_INTERVAL } from '../wire/messages.ts'
import { Announcer, beatInterval } from './announcer.ts'
import { Answerer } from './answerer.ts'
import { Inbound } from './inbound.ts'
import { IncarnationReminders, OwnKeyConflicts } from './incarnations.ts'
import { Liveness } from './liveness.ts'
import { LoopbackMonitor } from './loopback-monitor.ts'
import { Outbox } from './outbox.ts'
import { OwnChanges, PeerList } from './peer-list.ts'
import { EVICTABLE_AFTER } from './peers/eviction.ts'
import { MAX_PEERS, MAX_RECORDS_BYTES, type Registry } from './peers/registry.ts'
import { type Profile, Self } from './peers/self.ts'
import type {
  Change,
  Echo,
  HostAssertion,
  Notice,
  OutgoingDatagram,
  PeerView,
  PresenceReader,
  SelfView,
  SharedPathOnInterface,
  Sighting,
} from './peers/types.ts'
import { Querier } from './querier.ts'

/** If the event loop is this late, in ms, the machine was asleep. Then this peer is announced again. */
const SLEEP_DELAY = 5000

export interface PresenceOptions {
  identity: Identity
  /** Higher than every earlier incarnation of this identity: seconds since 1970, or the last one + 1 if that is higher. */
  incarnation: number
  profile: Profile
  /** The shortest beat interval, in ms. With many peers on the segment it becomes longer. */
  interval: number
  /** The limit for all beats on a segment together, in bits per second. */
  budget: number
  random: Random
  /** Only listen and send queries; never announce this peer. */
  silent?: boolean
}

/**
 * The presence protocol without I/O, in the style of sans-I/O libraries. The driver passes in datagrams, interfaces and the
 * time (monotonic ms). It takes out datagrams to send, notices and changes, and calls `wake` at `nextWake`.
 */
export class Presence implements PresenceReader {
  readonly #base: number
  readonly #budget: number
  readonly #silent: boolean
  readonly #agenda = new Agenda()
  readonly #outbox = new Outbox()
  readonly #self: Self
  readonly #list: PeerList
  readonly #registry: Registry
  readonly #ownChanges: OwnChanges
  readonly #liveness: Liveness
  readonly #announcer: Announcer
  readonly #inbound: Inbound
  readonly #loopback: LoopbackMonitor
  readonly #querier: Querier
  readonly #notices = new Pending<Notice>()
  readonly #renewals = new Pending<SharedPathOnInterface>()

  /** @throws InvalidRecord when other peers would reject the profile's record, or it is larger than 16 KiB */
  constructor({ identity, incarnation, profile, interval, budget, random, silent = false }: PresenceOptions) {
    const notice = (notice: Notice) => this.#notices.add(notice)
    const self = new Self(identity, incarnation, profile, interval, random)
    const list = new PeerList(self, this.#agenda, notice)
    const { registry } = list
    const liveness = new Liveness(self, registry, this.#outbox, this.#agenda, notice)
    const announcer = new Announcer(self, this.#outbox, this.#agenda, random, (now) => this.#beforeBeat(now))
    const answerer = silent ? undefined : new Answerer(self, registry, this.#outbox, this.#agenda, random)
    const ownKeyConflicts = silent ? undefined : new OwnKeyConflicts(self, announcer, random, notice)
    const reminders = silent ? undefined : new IncarnationReminders(registry, this.#outbox, this.#agenda, random)
    const querier = new Querier(self, registry, this.#outbox, this.#agenda, random)
    const loopback = new LoopbackMonitor(notice)
    this.#base = interval
    this.#budget = budget
    this.#silent = silent
    this.#self = self
    this.#list = list
    this.#registry = registry
    this.#ownChanges = new OwnChanges(list.journal, () => this.self())
    this.#liveness = liveness
    this.#announcer = announcer
    this.#loopback = loopback
    this.#querier = querier
    this.#inbound = new Inbound({
      self,
      registry,
      liveness,
      answerer,
      ownKeyConflicts,
      reminders,
      querier,
      announcer,
      loopback,
      notice,
    })
  }

  /** Starts the periodic beats. */
  start(now: number): void {
    if (!this.#silent) this.#ownChanges.start(now)
    if (!this.#silent) this.#announcer.start(now)
    this.#querier.start(now)
  }

  /** Sets the interfaces in use. On new ones this peer is announced at once, and queries are sent. */
  setInterfaces(interfaces: Interface[], now: number): void {
    const { removed, toAnnounce, haveAddressesChanged } = this.#outbox.setInterfaces(interfaces)
    this.#loopback.setInterfaces(interfaces, now)
    this.#list.mdnsHosts.setOwnInterfaces(interfaces, now)
    for (const name of removed) this.#registry.forgetInterface(name, now)
    // Receivers drop the addresses of the old record version when they get the new one, on whatever network.
    if (haveAddressesChanged) this.#self.addressesChanged()
    if (this.#silent) {
      this.#outbox.sendShared(this.#self.query([]), toAnnounce)
    } else {
      if (haveAddressesChanged) this.#announcer.recordChanged(now, true)
      this.#announcer.announce(now, toAnnounce)
    }
    this.#ownChanges.update(now)
  }

  /** Takes a received datagram, which must not change afterwards. */
  receive(datagram: Uint8Array, source: DatagramSource, now: number): void {
    this.#inbound.receive(datagram, source, now)
  }

  /** Counts an exception that a call of this class has thrown, and reports it in a notice. */
  countException(error: unknown): void {
    this.#inbound.countException(error)
  }

  /** Takes in a host as mDNS sees it. */
  sight(sighting: Sighting, now: number): void {
    this.#list.mdnsHosts.sight(sighting, now)
  }

  /** Runs the tasks that are due. Must be called at `nextWake`, and after `receive` if `nextWake` is in the past. */
  wake(now: number): void {
    const late = this.#liveness.checkDelay(this.#agenda.next, now)
    if (late > SLEEP_DELAY && !this.#silent) this.#announcer.announce(now)
    this.#agenda.run(now)
  }

  /** When `wake` must be called next, in monotonic ms. Undefined if no task is scheduled. */
  get nextWake(): number | undefined {
    return this.#agenda.next
  }

  /** Changes this peer's profile. @throws InvalidRecord as the constructor does; then nothing has changed */
  setProfile(profile: Profile, now: number): void {
    const { services } = this.#self.profile
    this.#self.setProfile(profile)
    this.#announcer.recordChanged(now, !isDeepStrictEqual(services, profile.services))
    this.#ownChanges.update(now)
  }

  /** Continues with a new identity, after the notice `identity-taken`. */
  setIdentity(identity: Identity, incarnation: number, now: number): void {
    this.#self.setIdentity(identity, incarnation)
    this.#list.mdnsHosts.setOwnInterfaces(this.#outbox.interfaces, now)
    this.#announcer.announce(now)
    this.#ownChanges.update(now)
  }

  /** Asks every peer for its record. */
  query(): void {
    this.#outbox.sendShared(this.#self.query([]))
  }

  /**
   * Sends a probe to a peer and returns its nonce. `takeEchoes` returns the answer with this nonce. Returns undefined if
   * the peer is not known.
   */
  probe(id: PeerId, now: number): number | undefined {
    const peer = this.#registry.get(id)
    return peer && this.#liveness.probe(peer, now)
  }

  /** Whether one of the `take…` methods returns something. A change of the registry shows in `index` instead. */
  get hasOutput(): boolean {
    return (
      this.#outbox.hasOutgoing ||
      !this.#notices.isEmpty ||
      !this.#renewals.isEmpty ||
      this.#liveness.hasEchoes ||
      this.#list.mdnsHosts.hasHostsToQuery
    )
  }

  takeEchoes(): Echo[] {
    return this.#liveness.takeEchoes()
  }

  /** Sends the goodbye. `wake` must be called for 20 ms more. */
  leave(now: number): void {
    if (!this.#silent) this.#announcer.leave(now)
  }

  takeOutgoing(): OutgoingDatagram[] {
    return this.#outbox.takeOutgoing()
  }

  takeNotices(): Notice[] {
    return this.#notices.take()
  }

  /** The paths on which the sockets must join their multicast groups again. */
  takeRenewals(): SharedPathOnInterface[] {
    return this.#renewals.take()
  }

  /** The names of hosts that mDNS has to query now: their beacons have stopped, and they may still be there. */
  takeHostsToQuery(): string[] {
    return this.#list.mdnsHosts.takeHostsToQuery()
  }

  /** Whether the signed record of an alive peer confirms what a host says by mDNS. `host` is its name in lower case. */
  isConfirmedByBeacon(host: string, assertion: HostAssertion): boolean {
    return this.#list.mdnsHosts.isConfirmedByBeacon(host, assertion)
  }

  get index(): number {
    return this.#list.journal.index
  }

  changesSince(index: number): readonly Change[] | undefined {
    return this.#list.journal.since(index)
  }

  peers(): PeerView[] {
    return [...this.#list.views()]
  }

  eachPeer(): Iterable<PeerView> {
    return this.#list.views()
  }

  get(id: string): PeerView | undefined {
    return this.#list.get(id)
  }

  hidden(): PeerView[] {
    return this.#list.mdnsHosts.hidden()
  }

  find(reference: string, source?: PeerView['source']): PeerView[] {
    return this.#list.find(reference, source)
  }

  ownPeer(now: number): PeerView {
    return this.#ownChanges.view(now)
  }

  self(): SelfView {
    const self = this.#self
    return {
      id: self.id,
      ...self.profile,
      incarnation: self.incarnation,
      recordVersion: self.recordVersion,
      interval: self.interval,
      interfaces: this.#outbox.interfaces.map((each) => ({ ...each, echoes: this.#loopback.view(each.name) })),
      counters: { received: this.#inbound.received, sent: this.#outbox.sent, refused: { ...this.#inbound.refused } },
      limits: {
        peers: { now: this.#registry.size, most: MAX_PEERS },
        recordBytes: { now: this.#registry.recordBytes, most: MAX_RECORDS_BYTES },
      },
    }
  }

  /** Adapts the beat interval to the number of peers, and checks that this peer receives its own beats. */
  #beforeBeat(now: number): void {
    // Peers adapt their intervals in the same way, so this peer's interval shows how long silence is normal at present.
    this.#registry.discountSilent(now - Math.max(EVICTABLE_AFTER, LEASE_INTERVALS * this.#self.interval))
    const peers = this.#registry.presentCount + 1
    const interval = beatInterval(this.#self.interval, this.#base, peers, this.#outbox.maxPaths, this.#budget)
    if (interval !== this.#self.interval) {
      this.#self.setBeatInterval(Math.min(interval, MAX_INTERVAL))
      this.#notices.add({ type: 'interval', interval: this.#self.interval, peers })
      this.#ownChanges.update(now)
    }
    this.#renewals.add(...this.#loopback.takeDeafPaths(this.#self.interval, now))
  }
}
