import { isPresent, type PeerState } from '../../../shared/peer-state.ts'
import type { NamedTasks } from '../../agenda.ts'
import type { AddressOnInterface } from '../../link.ts'
import type { PeerId } from '../../wire/id.ts'
import { CHANGE_OF_STATE, type NewEntry, withServices } from '../peers/journal.ts'
import type { OfferedService, PeerChangeType, PeerView, Sighting } from '../peers/types.ts'

const MAX_HISTORY = 16
/** Limits of the services of one host: about as much as the record of a peer may have. */
const MAX_SERVICES = 256
const MAX_SERVICE_BYTES = 32 * 1024
/** The approximate size of a host without its services, bytes. */
const HOST_BYTES = 512

/** Identifies a host as this machine. */
export const SELF = 'self'

/** A change of the list of peers that a host causes. */
interface ListUpdate {
  /** The new list entry of the host. Undefined removes the host from the list. */
  view: PeerView | undefined
  entries: NewEntry[]
}

/** What is planned for a host: to identify it again, to query it unless it was heard, to remove it. */
export type MdnsHostTask = 'identify' | 'query' | 'forget'

/** The state of one host that mDNS has found. The rules are in `MdnsHosts`. */
export class MdnsHost {
  readonly id: string
  /** Monotonic ms, like all times here. */
  readonly firstSeen: number
  readonly tasks: NamedTasks<MdnsHostTask>
  /** The peer that is the same machine, or `SELF`. A host that is identified is not listed. */
  identifiedAs: PeerId | typeof SELF | undefined
  /** The host is not listed before this time. */
  readonly listableFrom: number
  /** An answer from before this time does not prove that the host is there. */
  confirmAfter = Number.NEGATIVE_INFINITY
  #sighting: Sighting
  #services: OfferedService[] = []
  #serviceBytes = 0
  /** The host as JSON: everything that clients see, except the times and interfaces of its last messages. */
  #content = ''
  /** What the list contains about the host now. */
  #listed: { view: PeerView; content: string; services: OfferedService[] } | undefined
  #history: { at: number; state: PeerState }[] = []

  constructor(sighting: Sighting, tasks: NamedTasks<MdnsHostTask>, listableFrom: number, now: number) {
    this.id = sighting.id
    this.tasks = tasks
    this.firstSeen = now
    this.listableFrom = listableFrom
    this.#sighting = sighting
    this.#set(sighting)
  }

  get sighting(): Sighting {
    return this.#sighting
  }
  /** The services of the host, each marked as found by mDNS. */
  get services(): OfferedService[] {
    return this.#services
  }
  /** Whether the host was asked to confirm that it is still present, and has not been heard since. */
  get isUnconfirmed(): boolean {
    return this.#sighting.lastSeen < this.confirmAfter
  }
  /** The approximate size of a journal entry about the host. */
  get bytes(): number {
    return HOST_BYTES + this.#serviceBytes
  }
  get isListed(): boolean {
    return this.#listed !== undefined
  }

  /** Takes in a new sighting. Returns true if it differs in more than when and where the host was heard. */
  update(sighting: Sighting): boolean {
    const before = this.#content
    const { claim } = this.#sighting
    this.#set(sighting)
    return this.#content !== before || this.#sighting.claim !== claim
  }

  /** The host as it is listed. Undefined if it is not. */
  listedView(): PeerView | undefined {
    const { lastSeen } = this.#sighting
    return this.#listed && { ...this.#listed.view, lastSeen, paths: this.#paths() }
  }

  /** The host as mDNS last saw it, listed or not. */
  latestView(): PeerView {
    return this.#viewWith([])
  }

  /**
   * The change that the list of peers needs to show the latest state of the host, or to remove it if it may not be listed.
   * Undefined if no change is needed.
   */
  listUpdate(mayBeListed: boolean, now: number): ListUpdate | undefined {
    const listed = this.#listed
    if (!mayBeListed) return listed && this.#removal(listed.view, listed.services, now)
    if (listed?.content === this.#content) return undefined
    const { state } = this.#sighting
    const before = listed?.view.state
    const type: PeerChangeType =
      before === undefined ? 'peer-up' : before === state ? 'peer-update' : CHANGE_OF_STATE[state]
    const history = before === state ? this.#history : extended(this.#history, now, state)
    const view = this.#viewWith(history)
    const services = isPresent(view) ? this.#services : []
    return { view, entries: withServices({ type, at: now, peer: view }, this.bytes, listed?.services ?? [], services) }
  }

  /** To be called when the update has been written. */
  applied({ view }: ListUpdate): void {
    this.#history = view?.history ?? []
    this.#listed = view && { view, content: this.#content, services: isPresent(view) ? this.#services : [] }
  }

  #removal(listed: PeerView, services: OfferedService[], now: number): ListUpdate {
    if (!isPresent(listed)) return { view: undefined, entries: [] }
    const view: PeerView = { ...listed, state: 'left', history: extended(listed.history, now, 'left') }
    return {
      view: undefined,
      entries: withServices({ type: 'peer-left', at: now, peer: view }, this.bytes, services, []),
    }
  }

  #set(sighting: Sighting): void {
    const { services, addresses, name, hostname, state, version } = sighting
    this.#sighting = { ...sighting, addresses: [...addresses].sort(byFamily), services: [] }
    this.#services = []
    this.#serviceBytes = 0
    for (const service of [...services].sort(byId)) {
      const bytes = JSON.stringify(service).length
      if (this.#services.length >= MAX_SERVICES || this.#serviceBytes + bytes > MAX_SERVICE_BYTES) break
      this.#services.push({ ...service, source: 'mdns' })
      this.#serviceBytes += bytes
    }
    this.#content = JSON.stringify([state, name, hostname, version, this.#sighting.addresses, this.#services])
  }

  #viewWith(history: PeerView['history']): PeerView {
    const { name, state, hostname, addresses, version, lastSeen } = this.#sighting
    return {
      id: this.id,
      name,
      state,
      source: 'mdns',
      hostname,
      addresses,
      services: this.#services,
      attributes: {},
      version,
      incarnation: 0,
      recordVersion: 0,
      interval: 0,
      firstSeen: this.firstSeen,
      lastSeen,
      paths: this.#paths(),
      beacons: { heard: 0, lost: 0 },
      jitter: 0,
      rtt: undefined,
      flapping: false,
      history,
    }
  }

  #paths(): PeerView['paths'] {
    return this.#sighting.heardOn.map((heard) => ({ ...heard, path: 'mdns' }))
  }
}

/** The history with one more state. The oldest state goes if there are too many. */
function extended(history: PeerView['history'], at: number, state: PeerState): PeerView['history'] {
  return [...history, { at, state }].slice(-MAX_HISTORY)
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : 1
}

/** IPv4 before IPv6, then by interface and address. */
function byFamily(a: AddressOnInterface, b: AddressOnInterface): number {
  const key = ({ family, interface: name, address }: AddressOnInterface) => `${family} ${name} ${address}`
  return key(a) < key(b) ? -1 : 1
}
