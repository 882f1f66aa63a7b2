import type { PeerState } from '../../../shared/peer-state.ts'
import { serviceChanges } from '../../../shared/service-changes.ts'
import type { Change, OfferedService, PeerChangeType, ReportedChange } from './types.ts'

/** The type of the change by which a peer enters a state. */
export const CHANGE_OF_STATE: Record<PeerState, PeerChangeType> = {
  alive: 'peer-up',
  suspect: 'peer-suspect',
  failed: 'peer-failed',
  left: 'peer-left',
}

/** The assumed size of a change of one service, without the record of its peer, in bytes. */
const SERVICE_CHANGE_BYTES = 256
const MAX_CHANGES = 4096
/** The limit for the total size of all changes in the journal, in bytes. */
const MAX_BYTES = 32 * 1024 * 1024

/** A change that has no index yet. */
export type NewChange = Change extends infer Each ? (Each extends Change ? Omit<Each, 'index'> : never) : never

type NewPeerChange = Omit<NewChange, 'type' | 'service'> & { type: PeerChangeType }

/** A change for the journal, and the approximate size in bytes of what it holds. */
export interface NewEntry {
  change: NewChange
  bytes: number
}

/** Keeps the latest changes, numbered, so that a reader can catch up with what it missed. */
export class Journal {
  #changes: { change: Change; bytes: number }[] = []
  #bytes = 0
  #index = 0

  /** Index of the newest change. 0 before the first. */
  get index(): number {
    return this.#index
  }

  /** Appends a change. `bytes` is the approximate size of what it holds. */
  add(change: NewChange, bytes: number): void {
    this.#changes.push({ change: { index: ++this.#index, ...change }, bytes })
    this.#bytes += bytes
    if (this.#changes.length > MAX_CHANGES || this.#bytes > MAX_BYTES) this.#trim()
  }

  /** Appends a change of a peer, and one change for each service that it offers or no longer offers as a result. */
  addWithServices(change: NewPeerChange, bytes: number, before: OfferedService[], after: OfferedService[]): void {
    for (const entry of withServices(change, bytes, before, after)) this.add(entry.change, entry.bytes)
  }

  /** The changes after `index`, oldest first. Undefined when the journal no longer holds all of them, or `index` is in the future. */
  since(index: number): readonly Change[] | undefined {
    const wanted = this.#index - index
    if (wanted < 0 || wanted > this.#changes.length) return undefined
    return this.#changes.slice(this.#changes.length - wanted).map(({ change }) => change)
  }

  /** Drops the oldest changes until the journal is three quarters full, so that trimming is rare. */
  #trim(): void {
    let cut = 0
    while (
      this.#changes.length - cut > (MAX_CHANGES * 3) / 4 ||
      (this.#bytes > (MAX_BYTES * 3) / 4 && cut < this.#changes.length - 1)
    ) {
      this.#bytes -= this.#changes[cut]?.bytes ?? 0
      cut++
    }
    this.#changes = this.#changes.slice(cut)
  }
}

/** Whether a change is reported to clients as an event. */
export function isReported(change: Change): change is ReportedChange {
  return change.type !== 'peer-damped' && change.type !== 'peer-forgotten'
}

/** The entries for a change of a peer, and for each service that it offers or no longer offers as a result. */
export function withServices(
  change: NewPeerChange,
  bytes: number,
  before: OfferedService[],
  after: OfferedService[],
): NewEntry[] {
  const services = serviceChanges(before, after)
  return [
    { change, bytes },
    ...services.map((each) => ({ change: { ...change, ...each }, bytes: SERVICE_CHANGE_BYTES })),
  ]
}
