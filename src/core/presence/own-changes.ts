import type { Journal } from './peers/journal.ts'
import type { PeerView, SelfView } from './peers/types.ts'

/** What a view weighs in the journal beside its services and attributes, bytes. */
const VIEW_BYTES = 512

/** This daemon's own peer, seen as others are: alive, and heard on the paths on which it hears itself. */
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
 * Puts this peer's own changes into the journal, marked as such, for local programs that want to follow it as well. Only
 * what others are told counts: not when and how well it is heard.
 */
export class OwnChanges {
  readonly #journal: Journal
  readonly #self: () => SelfView
  #startedAt: number | undefined
  #told: PeerView | undefined

  constructor(journal: Journal, self: () => SelfView) {
    this.#journal = journal
    this.#self = self
  }

  /** From now on changes are told. */
  begin(now: number): void {
    this.#startedAt = now
    this.#told = this.view(now)
  }

  view(now: number): PeerView {
    return ownView(this.#self(), this.#startedAt ?? now, now)
  }

  /** Tells what is different from what was told, if anything is. */
  tell(now: number): void {
    const before = this.#told
    if (!before) return
    const view = this.view(now)
    if (substance(before) === substance(view)) return
    this.#told = view
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

function substance({ id, name, hostname, addresses, services, attributes, interval }: PeerView): string {
  return JSON.stringify([id, name, hostname, addresses, services, attributes, interval])
}
