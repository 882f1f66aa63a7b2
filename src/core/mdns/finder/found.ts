import type { Budget } from '../../budget.ts'
import type { Sighting } from '../../presence/peers/types.ts'
import { nameKey } from '../dns/names.ts'
import type { ResourceRecord } from '../dns/types.ts'

/** A service instance that was found on an interface. */
export interface DiscoveredInstance {
  readonly interface: string
  /** Its full name as it is written, `Office._ipp._tcp.local`. */
  readonly name: string
  readonly label: string
  /** In lower case. */
  readonly type: string
  /** Who told of it first. */
  readonly source: string
  /** When one of its records was heard last. */
  lastSeen: number
  /** The target of its SRV record, once that is known and is not this host itself. */
  host: DiscoveredHost | undefined
  /** Without a TXT record, it is shown from then on. */
  listedAt: number
  isListed: boolean
}

/** A host that SRV records name. */
export interface DiscoveredHost {
  /** Its name in lower case. */
  readonly key: string
  hostname: string
  /** Who told of it first. */
  readonly source: string
  readonly instances: Set<DiscoveredInstance>
  /** How many of them are shown. */
  listedInstances: number
  /** Those whose SRV record was asked for in vain. */
  readonly unanswered: Set<DiscoveredInstance>
  state: 'alive' | 'suspect'
  lastSeen: number
  /** When one of its addresses was told of last. */
  addressSeen: number
  /** When it was asked for a sign of life. */
  queriedAt: number
  /** All its addresses were taken back, and it was told to have gone. It returns with the next address. */
  isAbsent: boolean
  readonly heardOn: Map<string, number>
  /** There is news of it that was not told yet. */
  isChanged: boolean
  /** What was told of it last, and when. */
  reported: { sighting: Sighting; at: number } | undefined
  /** Of its changes, those that may be told at once. */
  readonly changeBudget: Budget
}

/** Whether a record tells the port of a service on this host. */
export function isServiceOf(record: ResourceRecord, host: DiscoveredHost): boolean {
  return record.type === 'SRV' && nameKey(record.data.target) === host.key
}
