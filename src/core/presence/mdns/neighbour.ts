import { isPresent, type PeerState } from '../../../shared/peer-state.ts'
import type { Plans } from '../../agenda.ts'
import { CHANGE_OF_STATE, type NewChange, SERVICE_CHANGE_BYTES, serviceChanges } from '../peers/journal.ts'
import type { OfferedService, PeerChangeType, PeerView, Sighting } from '../peers/types.ts'
import type { Cover } from './covers.ts'

const HISTORY = 16
/** Services of one host that are taken in, and what they may weigh together, bytes: as much as a beaconing peer may have, about. */
const MOST_SERVICES = 256
const MOST_SERVICE_BYTES = 32 * 1024
/** What a host weighs beside its services, bytes, about. */
const HOST_BYTES = 512

/** What is to be told of a host. */
export interface Report {
  /** As it is listed from now on; undefined: not at all. */
  view: PeerView | undefined
  changes: { change: NewChange; bytes: number }[]
}

/** What is to be done with a host later; `judge` and `doubt`: to find out again who it is, and whether it is there. */
export type NeighbourTask = 'judge' | 'doubt' | 'forget'

/** What is known of one host that was found by mDNS. Keeps the facts; the rules are in `Neighbours`. */
export class Neighbour {
  readonly id: string
  readonly firstSeen: number
  /** All are cancelled when it is dropped. */
  readonly plans: Plans<NeighbourTask>
  /** Who it is beside itself: a beaconing peer that is there, or this machine. It is not listed then. */
  cover: Cover | undefined
  /** It is told of from then on, at the earliest. */
  notBefore: number
  /** It was covered until then: it is there if it was heard since. */
  unsureSince = Number.NEGATIVE_INFINITY
  #sighting: Sighting
  #services: OfferedService[] = []
  #serviceBytes = 0
  /** What of it concerns readers, in one text. */
  #substance = ''
  #told: { view: PeerView; substance: string; services: OfferedService[] } | undefined
  #history: { at: number; state: PeerState }[] = []

  constructor(sighting: Sighting, plans: Plans<NeighbourTask>, notBefore: number, now: number) {
    this.id = sighting.id
    this.plans = plans
    this.firstSeen = now
    this.notBefore = notBefore
    this.#sighting = sighting
    this.#take(sighting)
  }

  get sighting(): Sighting {
    return this.#sighting
  }
  /** Its services, each marked as found by mDNS. */
  get services(): OfferedService[] {
    return this.#services
  }
  /** Not heard since it was covered. */
  get isUnsure(): boolean {
    return this.#sighting.lastSeen < this.unsureSince
  }
  /** What a change of it weighs in the journal. */
  get bytes(): number {
    return HOST_BYTES + this.#serviceBytes
  }
  get isTold(): boolean {
    return this.#told !== undefined
  }

  /** True when more has changed than when and where it was heard. */
  see(sighting: Sighting): boolean {
    const before = this.#substance
    const { claim } = this.#sighting
    this.#take(sighting)
    return this.#substance !== before || this.#sighting.claim !== claim
  }

  /** As it is listed; undefined when it is not. */
  view(): PeerView | undefined {
    const { lastSeen } = this.#sighting
    return this.#told && { ...this.#told.view, lastSeen, paths: this.#paths() }
  }

  /** As it was seen, listed or not. */
  seen(): PeerView {
    return this.#viewWith([])
  }

  /** What is to be told now, `listed` or not; undefined when there is nothing new. */
  report(listed: boolean, now: number): Report | undefined {
    if (!listed) return this.#told && this.#farewell(this.#told.view, this.#told.services, now)
    if (this.#told?.substance === this.#substance) return undefined
    const { state } = this.#sighting
    const before = this.#told?.view.state
    const type: PeerChangeType =
      before === undefined ? 'peer-up' : before === state ? 'peer-update' : CHANGE_OF_STATE[state]
    const history = before === state ? this.#history : [...this.#history, { at: now, state }].slice(-HISTORY)
    const view = this.#viewWith(history)
    const offered = isPresent(view) ? this.#services : []
    return { view, changes: this.#changes(type, view, this.#told?.services ?? [], offered, now) }
  }

  /** The report has gone out. */
  told({ view }: Report): void {
    this.#history = view?.history ?? []
    this.#told = view && { view, substance: this.#substance, services: isPresent(view) ? this.#services : [] }
  }

  #farewell(told: PeerView, services: OfferedService[], now: number): Report {
    if (!isPresent(told)) return { view: undefined, changes: [] }
    const view: PeerView = { ...told, state: 'left', history: [...told.history, { at: now, state: 'left' }] }
    return { view: undefined, changes: this.#changes('peer-left', view, services, [], now) }
  }

  #changes(
    type: PeerChangeType,
    peer: PeerView,
    before: OfferedService[],
    after: OfferedService[],
    at: number,
  ): Report['changes'] {
    return [
      { change: { type, at, peer }, bytes: this.bytes },
      ...serviceChanges(before, after).map((change) => ({
        change: { ...change, at, peer },
        bytes: SERVICE_CHANGE_BYTES,
      })),
    ]
  }

  #take(sighting: Sighting): void {
    const { services, addresses, name, hostname, state, version } = sighting
    this.#sighting = { ...sighting, addresses: [...addresses].sort(byText), services: [] }
    this.#services = []
    this.#serviceBytes = 0
    for (const service of [...services].sort(byId)) {
      const bytes = JSON.stringify(service).length
      if (this.#services.length >= MOST_SERVICES || this.#serviceBytes + bytes > MOST_SERVICE_BYTES) break
      this.#services.push({ ...service, source: 'mdns' })
      this.#serviceBytes += bytes
    }
    this.#substance = JSON.stringify([state, name, hostname, version, this.#sighting.addresses, this.#services])
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

function byId(one: { id: string }, other: { id: string }): number {
  return one.id < other.id ? -1 : 1
}

/** IPv4 before IPv6, each by its text. */
function byText(one: Sighting['addresses'][number], other: Sighting['addresses'][number]): number {
  const text = ({ family, interface: through, address }: typeof one) => `${family} ${through} ${address}`
  return text(one) < text(other) ? -1 : 1
}
