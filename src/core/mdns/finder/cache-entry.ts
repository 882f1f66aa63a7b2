import type { Random } from '../../random.ts'
import type { RecordType, ResourceRecord } from '../dns/records.ts'

/**
 * When a record is asked for again, as parts of its life, and by how much that varies: as RFC 6762, section 5.2, has
 * it, and in between for networks that lose every tenth datagram, where one question alone says nothing.
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

/** A record that was asked for twice in vain makes us ask its host for a sign of life, as it is asked for the third time. */
export const HOST_QUERY_REFRESH = 3

/** When a record is asked for the fourth time (85 %), its host counts as silent unless something was heard of it since `ASKED`. */
export const SUSPECT_REFRESH = 4

/** What is heard after this part of a record's life may be an answer: the first question is asked before. */
const ANSWER_FROM = 0.82

/** Between two of them lies this much at least, ms, or this part of a short life: a process that was stopped asks first. */
const MIN_REFRESH_INTERVAL = 1000

const MIN_REFRESH_PART = 0.01

/** The longest life of any record, ms. */
const MAX_LIFETIME = 24 * 3_600_000

/**
 * The shortest life of a record, ms, whatever its time to live: time enough to ask and to be answered. Some devices give
 * one of a second, or of ten seconds to pointers, for which they would have to be asked without end.
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
 * The longest life, ms, of one that was never confirmed by an answer to a question of ours: short for those whose
 * owner's life they tell of. So what was made up goes soon, whatever time to live it was given.
 */
const MAX_UNCONFIRMED_LIFETIME: Record<RecordType, number> = {
  PTR: 4_500_000,
  TXT: 4_500_000,
  SRV: 120_000,
  A: 120_000,
  AAAA: 120_000,
  NSEC: 120_000,
}

/** A record as it is held. */
export interface CacheEntry {
  readonly interface: string
  /** Who told of it first. */
  readonly source: string
  /** Equal for records of one name, type and data. */
  readonly key: string
  record: ResourceRecord
  receivedAt: number
  expiresAt: number
  /** How often it was to be asked for since it was heard. */
  refreshes: number
  /** An answer to a question of ours has told of it. */
  confirmed: boolean
  /** It was taken back: by a goodbye, or by others that have its place. */
  withdrawn: boolean
  /** It is to be told anew: until then it is not among the known answers. */
  needsConfirmation: boolean
}

/** How often a record is asked for again before it is given up. */
export const MAX_REFRESHES = REFRESH_SCHEDULE.length

/** How long a record is held after it was heard, ms. */
export function lifetimeOf({ record, confirmed }: CacheEntry): number {
  const most = confirmed ? MAX_LIFETIME : MAX_UNCONFIRMED_LIFETIME[record.type]
  return Math.max(MIN_LIFETIME[record.type], Math.min(record.ttl * 1000, most))
}

/** What was heard from then on may be an answer to a question for the record: monotonic ms. */
export function refreshedSince(entry: CacheEntry): number {
  return entry.receivedAt + ANSWER_FROM * lifetimeOf(entry)
}

/** Whether one of two records with the same type and name takes the place of the other. */
export function isNewer(a: CacheEntry, b: CacheEntry): boolean {
  return a.withdrawn === b.withdrawn ? a.receivedAt >= b.receivedAt : b.withdrawn
}

/** When a record is to be asked for again, or runs out: monotonic ms. */
export function nextCheck(entry: CacheEntry, random: Random, now: number): number {
  const life = lifetimeOf(entry)
  const next = REFRESH_SCHEDULE[entry.refreshes]
  const part = next ? next.at + next.spread * random.number() : 1
  const patience = entry.refreshes === 0 ? 0 : Math.min(MIN_REFRESH_INTERVAL, life * MIN_REFRESH_PART)
  return Math.max(entry.receivedAt + life * part, now + patience)
}
