import type { Random } from '../../random.ts'
import type { RecordType, ResourceRecord } from '../dns/records.ts'

/**
 * When a record is queried again, as fractions of its lifetime, each with a random spread. RFC 6762, section 5.2,
 * defines the queries at 80, 85, 90 and 95 %. The others help on networks that lose a tenth of all datagrams.
 */
const REFRESH_SCHEDULE = [
  { at: 0.8, spread: 0.02 },
  { at: 0.83, spread: 0.005 },
  { at: 0.84, spread: 0.005 },
  { at: 0.85, spread: 0.02 },
  { at: 0.9, spread: 0.02 },
  { at: 0.95, spread: 0.02 },
  { at: 0.975, spread: 0.0075 },
  { at: 0.99, spread: 0.0075 },
]

/** At its third refresh, a record's host is queried too: two queries went unanswered. */
export const HOST_QUERY_REFRESH = 3

/**
 * At its fourth refresh (85 % of the lifetime), a record's host becomes suspect if it has not answered since
 * `ANSWER_FROM`.
 */
export const SUSPECT_REFRESH = 4

/**
 * A record received after this fraction of the lifetime counts as an answer to a refresh query. The first query is sent
 * earlier.
 */
const ANSWER_FROM = 0.82

/**
 * The minimum time between two refreshes, ms, and as a fraction of a short lifetime. It makes a process that was
 * suspended query a record again before the record expires.
 */
const MIN_REFRESH_INTERVAL = 1000
const MIN_REFRESH_PART = 0.01

/** The maximum lifetime of any record, ms. */
const MAX_LIFETIME = 24 * 3_600_000

/**
 * The minimum lifetime of a record, ms, whatever its TTL. It leaves time for a query and its answer. Some devices send
 * TTLs of 1 s, or of 10 s for PTR records, which would otherwise cause endless queries.
 */
const MIN_LIFETIME: Record<RecordType, number> = {
  PTR: 120_000,
  TXT: 10_000,
  SRV: 10_000,
  A: 10_000,
  AAAA: 10_000,
  NSEC: 10_000,
}

/**
 * The maximum lifetime of a record that no answer to an own query has confirmed, ms. SRV and address records are short
 * because they show whether a host is alive. Forged records therefore disappear soon, whatever their TTL.
 */
const MAX_UNCONFIRMED_LIFETIME: Record<RecordType, number> = {
  PTR: 4_500_000,
  TXT: 4_500_000,
  SRV: 120_000,
  A: 120_000,
  AAAA: 120_000,
  NSEC: 120_000,
}

/** A cached record. */
export interface CacheEntry {
  readonly interface: string
  /** The address from which the record was first received. */
  readonly source: string
  /** The record key: equal for records with the same name, type and data. */
  readonly key: string
  record: ResourceRecord
  receivedAt: number
  /** The number of refreshes since the record was last received. */
  refreshes: number
  /** Whether the record was received as the answer to a query of this host. */
  confirmed: boolean
  /** Whether a goodbye or a cache-flush has ended the record. It expires within 1 s. */
  withdrawn: boolean
  /** Whether the record must be received again before it counts as a known answer. */
  needsConfirmation: boolean
}

/** The number of refreshes before a record expires. */
export const MAX_REFRESHES = REFRESH_SCHEDULE.length

/** How long a record is cached after it was received, ms. */
export function lifetimeOf({ record, confirmed }: CacheEntry): number {
  const max = confirmed ? MAX_LIFETIME : MAX_UNCONFIRMED_LIFETIME[record.type]
  return Math.max(MIN_LIFETIME[record.type], Math.min(record.ttl * 1000, max))
}

/** The time from which a received record counts as an answer to a refresh query, monotonic ms. */
export function refreshedSince(entry: CacheEntry): number {
  return entry.receivedAt + ANSWER_FROM * lifetimeOf(entry)
}

/** Whether `a` is preferred to `b`, which has the same name and type. */
export function isNewer(a: CacheEntry, b: CacheEntry): boolean {
  return a.withdrawn === b.withdrawn ? a.receivedAt >= b.receivedAt : b.withdrawn
}

/** The time of the next refresh or of the expiry, monotonic ms. */
export function nextCheck(entry: CacheEntry, random: Random, now: number): number {
  const lifetime = lifetimeOf(entry)
  const next = REFRESH_SCHEDULE[entry.refreshes]
  const part = next ? next.at + next.spread * random.number() : 1
  const minInterval = entry.refreshes === 0 ? 0 : Math.min(MIN_REFRESH_INTERVAL, lifetime * MIN_REFRESH_PART)
  return Math.max(entry.receivedAt + lifetime * part, now + minInterval)
}
