import type { Journal } from './peers/journal.ts'
import type { PeerView, SelfView } from './peers/types.ts'

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
