import { isPresent } from '../../shared/peer-state.ts'
import type { Agenda } from '../agenda.ts'
import { isPeerId } from '../wire/id.ts'
import { MdnsHosts } from './mdns/mdns-hosts.ts'
import { Journal } from './peers/journal.ts'
import type { MdnsServices, Peer } from './peers/peer.ts'
import { bestMatches } from './peers/peer-reference.ts'
import { type PeerFact, Registry } from './peers/registry.ts'
import type { Self } from './peers/self.ts'
import type { Notice, PeerChangeType, PeerView, SelfView } from './peers/types.ts'

/**
 * The list of all peers, and the journal of its changes.
 *
 * The registry holds the peers that send beacons. `MdnsHosts` holds the hosts that mDNS has found. Both report each
 * change to this class as soon as it is made. This class combines the reports and writes the journal. An mDNS host that
 * is the same machine as a present peer is not in the list.
 */
export class PeerList {
  readonly journal = new Journal()
  readonly registry: Registry
  readonly mdnsHosts: MdnsHosts
  /** The peer whose next journal entry is being prepared. Changes of its services become part of that entry. */
  #pending: Peer | undefined

  constructor(self: Self, agenda: Agenda, notice: (notice: Notice) => void) {
    this.registry = new Registry(agenda, notice, (peer, fact, now) => this.#peerChanged(peer, fact, now))
    this.mdnsHosts = new MdnsHosts(self, this.registry, agenda, {
      hostChanged: (change, bytes) => this.journal.add(change, bytes),
      servicesChanged: (peer, services, now) => this.#servicesChanged(peer, services, now),
    })
  }

  /** Every listed peer, first those that send beacons. See `PresenceReader.eachPeer`. */
  *views(): Generator<PeerView> {
    for (const peer of this.registry.values()) yield peer.view()
    yield* this.mdnsHosts.views()
  }

  /** The listed peer with this id. */
  get(id: string): PeerView | undefined {
    return isPeerId(id) ? this.registry.get(id)?.view() : this.mdnsHosts.get(id)
  }

  /** The listed peers that `reference` may mean; see `bestMatches`. With `source`, only peers from that source. */
  find(reference: string, source?: PeerView['source']): PeerView[] {
    const peers = Array.from(this.registry.values(), ({ id, record: { name } }) => ({ id, name }))
    const candidates = [...(source === 'mdns' ? [] : peers), ...(source === 'beacon' ? [] : this.mdnsHosts.views())]
    return bestMatches(reference, candidates).flatMap(({ id }) => this.get(id) ?? [])
  }

  #peerChanged(peer: Peer, fact: PeerFact, now: number): void {
    // An mDNS host that is the same machine leaves the list before the peer appears, and returns after the peer has gone.
    const updateHostsFirst = fact !== 'peer-relocated' && isPresent(peer)
    if (updateHostsFirst) this.#updateHosts(peer, now)
    if (fact === 'peer-forgotten') this.journal.add({ type: fact, at: now, peer: peer.view() }, sizeOf(peer))
    else if (fact === 'peer-damped') this.#addDamped(peer, now)
    else if (fact !== 'peer-relocated') this.#addEvent(peer, fact, now)
    if (!updateHostsFirst) this.mdnsHosts.peerChanged(peer, now)
  }

  /** Updates the hosts that are the same machine as `peer`, before an entry about `peer` is written. */
  #updateHosts(peer: Peer, now: number): void {
    this.#pending = peer
    this.mdnsHosts.peerChanged(peer, now)
    this.#pending = undefined
  }

  #servicesChanged(peer: Peer, services: MdnsServices, now: number): void {
    const before = JSON.stringify(peer.services)
    peer.mdnsServices = services
    if (peer !== this.#pending && JSON.stringify(peer.services) !== before) this.#addEvent(peer, 'peer-update', now)
  }

  /** Writes an event, and one for each service that changed. If a flapping peer returns, writes `peer-damped` instead. */
  #addEvent(peer: Peer, type: PeerChangeType, at: number): void {
    const { reported, dampedServices } = peer
    const isNowPresent = isPresent(peer)
    const returns = isNowPresent && !reported.isPresent
    if (returns && peer.flapping.flapping) {
      this.#addDamped(peer, at)
      return
    }
    const services = isNowPresent ? peer.services : []
    // A reader that joined after a damped return has the services of that entry.
    const before = isNowPresent ? reported.services : (dampedServices ?? reported.services)
    const change = { type: returns ? 'peer-up' : type, at, peer: peer.view() } as const
    this.journal.addWithServices(change, sizeOf(peer), before, services)
    peer.reported = { isPresent: isNowPresent, services }
    peer.dampedServices = undefined
  }

  /** Writes an entry that is not reported as an event. */
  #addDamped(peer: Peer, at: number): void {
    this.journal.add({ type: 'peer-damped', at, peer: peer.view() }, sizeOf(peer))
    peer.dampedServices = peer.services
  }
}

/** The size of a journal entry about a peer, bytes. */
function sizeOf({ recordBytes, mdnsServices }: Peer): number {
  return recordBytes + mdnsServices.bytes
}

/** The size of a view in the journal without its services and attributes, in bytes. */
const VIEW_BYTES = 512

/** This daemon itself as a peer. It is alive, and heard on the paths on which it receives its own beats. */
export function ownView(self: SelfView, startedAt: number, now: number): PeerView {
  return {
    id: self.id,
    name: self.name,
    state: 'alive',
    source: 'beacon',
    hostname: self.hostname,
    addresses: self.interfaces.flatMap(({ name, addresses }) =>
      addresses.map(({ address, family }) => ({ address, family, interface: name })),
    ),
    services: self.services,
    attributes: self.attributes,
    version: self.version,
    incarnation: self.incarnation,
    recordVersion: self.recordVersion,
    interval: self.interval,
    firstSeen: startedAt,
    lastSeen: now,
    paths: self.interfaces.flatMap(({ name, echoes }) =>
      echoes.flatMap(({ path, lastHeard }) => (lastHeard === undefined ? [] : [{ interface: name, path, lastHeard }])),
    ),
    beacons: { heard: 0, lost: 0 },
    jitter: 0,
    rtt: undefined,
    flapping: false,
    history: [{ at: startedAt, state: 'alive' }],
  }
}

/**
 * Adds the changes of this daemon's own peer to the journal, marked as its own, for clients that also want to follow these.
 * Only what is in its record counts as a change, not when and on which paths it was heard.
 */
export class OwnChanges {
  readonly #journal: Journal
  readonly #self: () => SelfView
  #startedAt: number | undefined
  #last: PeerView | undefined

  constructor(journal: Journal, self: () => SelfView) {
    this.#journal = journal
    this.#self = self
  }

  /** Starts to add changes. */
  start(now: number): void {
    this.#startedAt = now
    this.#last = this.view(now)
  }

  /** This daemon as a peer, now. */
  view(now: number): PeerView {
    return ownView(this.#self(), this.#startedAt ?? now, now)
  }

  /** Compares this peer with its last view, and adds the change if there is one. */
  update(now: number): void {
    const before = this.#last
    if (!before) return
    const view = this.view(now)
    if (content(before) === content(view)) return
    this.#last = view
    if (before.id === view.id) {
      this.#add('peer-update', view, before.services, now)
    } else {
      this.#add('peer-left', { ...before, state: 'left' }, before.services, now)
      this.#add('peer-up', view, [], now)
    }
  }

  #add(type: 'peer-up' | 'peer-update' | 'peer-left', peer: PeerView, before: PeerView['services'], at: number): void {
    const bytes = VIEW_BYTES + JSON.stringify([peer.services, peer.attributes]).length
    const offered = peer.state === 'left' ? [] : peer.services
    this.#journal.addWithServices({ type, at, peer, own: true }, bytes, before, offered)
  }
}

function content({ id, name, hostname, addresses, services, attributes, interval }: PeerView): string {
  return JSON.stringify([id, name, hostname, addresses, services, attributes, interval])
}
