import type { Budget } from '../../budget.ts'
import type { Sighting } from '../../presence/peers/types.ts'
import { keyOf } from '../dns/names.ts'
import type { ResourceRecord } from '../dns/types.ts'

/** A service instance that was found on an interface. */
export interface Instance {
  readonly interface: string
  /** Its full name as it is written, `Office._ipp._tcp.local`. */
  readonly name: string
  readonly label: string
  /** In lower case. */
  readonly type: string
  /** Who told of it first. */
  readonly source: string
  /** When one of its records was heard last. */
  heardAt: number
  /** The target of its SRV record, once that is known and is not this host itself. */
  host: FoundHost | undefined
  /** Without a TXT record, it is shown from then on. */
  showAt: number
  shown: boolean
}

/** A host that SRV records name. */
export interface FoundHost {
  /** Its name in lower case. */
  readonly key: string
  hostname: string
  /** Who told of it first. */
  readonly source: string
  readonly instances: Set<Instance>
  /** How many of them are shown. */
  shown: number
  /** Those whose SRV record was asked for in vain. */
  readonly unanswered: Set<Instance>
  state: 'alive' | 'suspect'
  lastSeen: number
  /** When one of its addresses was told of last. */
  addressHeardAt: number
  /** When it was asked for a sign of life. */
  askedAt: number
  /** All its addresses were taken back, and it was told to have gone. It returns with the next address. */
  absent: boolean
  readonly heardOn: Map<string, number>
  /** There is news of it that was not told yet. */
  changed: boolean
  /** What was told of it last, and when. */
  told: { sighting: Sighting; at: number } | undefined
  /** Of its changes, those that may be told at once. */
  readonly changes: Budget
}

/** Whether a record tells the port of a service on this host. */
export function isServiceOf(record: ResourceRecord, host: FoundHost): boolean {
  return record.type === 'SRV' && keyOf(record.data.target) === host.key
}
