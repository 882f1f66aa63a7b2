import { type Agenda, TimerWheel } from '../../agenda.ts'
import type { DatagramSource } from '../../link.ts'
import type { Random } from '../../random.ts'
import type { Question } from '../dns/messages.ts'
import { nameKey, type RecordType, type ResourceRecord, uncachedRecordKey } from '../dns/records.ts'
import { type CacheEntry, isNewer, lifetimeOf, MAX_REFRESHES, nextCheck } from './cache-entry.ts'
import type { Quotas } from './quotas.ts'

/** How long a record stays after its goodbye or a cache flush, ms (RFC 6762, sections 10.1 and 10.2). */
const GOODBYE_LIFETIME = 1000

/**
 * The maximum number of SRV, and of TXT, records of one name. Usually a name has one of
 * each. It has two only while a host replaces its record.
 */
const MAX_UNIQUE_RECORDS = 4

type RecordSet = Map<string, CacheEntry>

/** The cached records of each interface. Contains only what callers store in it. */
export class RecordCache {
  readonly #random: Random
  readonly #quotas: Quotas
  readonly #refresh: (entry: CacheEntry, now: number) => void
  readonly #isStillValid: (entry: CacheEntry) => boolean
  readonly #expired: (entry: CacheEntry, now: number) => void
  /** By interface, then by type and name. */
  readonly #sets = new Map<string, Map<string, RecordSet>>()
  readonly #timers: TimerWheel<CacheEntry>

  constructor(parts: {
    agenda: Agenda
    random: Random
    quotas: Quotas
    /** Called when a record is due for a refresh. */
    refresh: (entry: CacheEntry, now: number) => void
    /** Whether a record that expires unanswered is kept for another lifetime. */
    isStillValid: (entry: CacheEntry) => boolean
    /** Called after a record has expired and was removed. */
    expired: (entry: CacheEntry, now: number) => void
  }) {
    this.#random = parts.random
    this.#quotas = parts.quotas
    this.#refresh = parts.refresh
    this.#isStillValid = parts.isStillValid
    this.#expired = parts.expired
    this.#timers = new TimerWheel(parts.agenda, (entry, now) => this.#check(entry, now))
  }

  /**
   * Stores a received record.
   *
   * @returns `added` for a new record and `renewed` for a cached one. `ignored` for a goodbye, and for a record that
   * exceeds a quota.
   */
  store(record: ResourceRecord, from: DatagramSource, now: number): 'added' | 'renewed' | 'ignored' {
    const set = this.#sets.get(from.interface)?.get(setKey(record.type, record.name))
    const key = uncachedRecordKey(record)
    const entry = set?.get(key)
    if (record.ttl === 0) {
      if (entry) this.#withdraw(entry, now)
      return 'ignored'
    }
    // Some devices also set the cache-flush bit on PTR records, which are shared between hosts.
    if (set && record.flush && record.type !== 'PTR') {
      for (const other of set.values())
        if (other !== entry && other.receivedAt < now - GOODBYE_LIFETIME) this.#withdraw(other, now)
    }
    if (entry) {
      entry.confirmed ||= entry.refreshes > 0 && !entry.withdrawn
      this.#update(entry, record, now)
      return 'renewed'
    }
    return this.#add(record, key, from, now) ? 'added' : 'ignored'
  }

  /** All records of a type and name, on one interface or on all. */
  entries(type: RecordType, name: string, interfaceName?: string): CacheEntry[] {
    const key = setKey(type, name)
    if (interfaceName !== undefined) return [...(this.#sets.get(interfaceName)?.get(key)?.values() ?? [])]
    return [...this.#sets.values()].flatMap((sets) => [...(sets.get(key)?.values() ?? [])])
  }

  /** The most recently received record of a type and name. */
  newest(type: RecordType, name: string, interfaceName: string): CacheEntry | undefined {
    let newest: CacheEntry | undefined
    for (const entry of this.#sets.get(interfaceName)?.get(setKey(type, name))?.values() ?? []) {
      if (!newest || isNewer(entry, newest)) newest = entry
    }
    return newest
  }

  /**
   * The known answers to a question: the records with more than half of their lifetime left (RFC 6762, section 7.1).
   */
  knownAnswers(interfaceName: string, question: Question, now: number): ResourceRecord[] {
    if (question.type === 'ANY') return []
    const known: ResourceRecord[] = []
    for (const entry of this.#sets.get(interfaceName)?.get(setKey(question.type, question.name))?.values() ?? []) {
      if (isFresh(entry, now)) known.push({ ...entry.record, ttl: Math.floor(remainingTtl(entry, now)), flush: false })
    }
    return known
  }

  /** Whether a question needs an answer: no record is cached, or one of them is being refreshed or is unconfirmed. */
  needsAnswer(interfaceName: string, { type, name }: Question): boolean {
    if (type === 'ANY') return true
    const set = this.#sets.get(interfaceName)?.get(setKey(type, name))
    if (!set) return true
    for (const { refreshes, needsConfirmation } of set.values()) if (refreshes > 0 || needsConfirmation) return true
    return false
  }

  /** Whether a record is a known answer. */
  isKnownAnswer(interfaceName: string, record: ResourceRecord, now: number): boolean {
    const entry = this.#sets.get(interfaceName)?.get(setKey(record.type, record.name))?.get(uncachedRecordKey(record))
    return entry !== undefined && isFresh(entry, now)
  }

  /** Removes all records of a type and name on an interface. Does not call `expired`. */
  remove(type: RecordType, name: string, interfaceName: string): void {
    for (const entry of this.entries(type, name, interfaceName)) this.#delete(entry)
  }

  /** Starts a new lifetime for a record, because it was received or confirmed by other means. */
  renew(entry: CacheEntry, now: number): void {
    entry.receivedAt = now
    entry.refreshes = 0
    entry.withdrawn = false
    entry.needsConfirmation = false
    this.#timers.put(entry, nextCheck(entry, this.#random, now), now)
  }

  /** Whether a record is cached on an interface. */
  has(record: ResourceRecord, interfaceName: string): boolean {
    return this.#sets.get(interfaceName)?.get(setKey(record.type, record.name))?.has(uncachedRecordKey(record)) === true
  }

  /** The number of cached addresses of a host on all interfaces. */
  countAddresses(hostname: string): number {
    const keys = [setKey('A', hostname), setKey('AAAA', hostname)]
    let count = 0
    for (const sets of this.#sets.values()) for (const key of keys) count += sets.get(key)?.size ?? 0
    return count
  }

  /** The PTR record from `name` to `to`. */
  pointer(name: string, to: string, interfaceName: string): CacheEntry | undefined {
    const record = { name, ttl: 0, flush: false, type: 'PTR', data: to } as const
    return this.#sets.get(interfaceName)?.get(setKey('PTR', name))?.get(uncachedRecordKey(record))
  }

  /** Removes the PTR record from `name` to `to`. Does not call `expired`. */
  removePointer(name: string, to: string, interfaceName: string): void {
    const entry = this.pointer(name, to, interfaceName)
    if (entry) this.#delete(entry)
  }

  /** Removes all records of an interface. Does not call `expired`. */
  removeInterface(interfaceName: string): void {
    for (const set of this.#sets.get(interfaceName)?.values() ?? [])
      for (const entry of set.values()) this.#delete(entry)
    this.#sets.delete(interfaceName)
  }

  #add(record: ResourceRecord, key: string, from: DatagramSource, now: number): boolean {
    const { interface: interfaceName, address: source } = from
    if (record.type === 'SRV' || record.type === 'TXT') this.#evictOldest(record, interfaceName)
    if (!this.#quotas.records.take(source)) return false
    if (!this.#quotas.txtBytes.take(source, txtBytes(record))) {
      this.#quotas.records.release(source)
      return false
    }
    const entry: CacheEntry = {
      interface: interfaceName,
      source,
      key,
      record: copyOf(record),
      receivedAt: now,
      refreshes: 0,
      confirmed: false,
      withdrawn: false,
      needsConfirmation: false,
    }
    const sets = this.#sets.get(interfaceName) ?? new Map<string, RecordSet>()
    this.#sets.set(interfaceName, sets)
    const name = setKey(record.type, record.name)
    const set = sets.get(name) ?? new Map<string, CacheEntry>()
    sets.set(name, set.set(key, entry))
    this.#update(entry, record, now)
    return true
  }

  #evictOldest(record: ResourceRecord, interfaceName: string): void {
    const entries = this.entries(record.type, record.name, interfaceName)
    if (entries.length < MAX_UNIQUE_RECORDS) return
    this.#delete(entries.reduce((oldest, one) => (isNewer(oldest, one) ? one : oldest)))
  }

  #update(entry: CacheEntry, record: ResourceRecord, now: number): void {
    if (entry.record.ttl !== record.ttl) entry.record = copyOf(record)
    this.renew(entry, now)
  }

  #withdraw(entry: CacheEntry, now: number): void {
    if (entry.withdrawn) return
    entry.withdrawn = true
    const expiresAt = entry.receivedAt + lifetimeOf(entry)
    this.#timers.put(entry, Math.min(expiresAt, now + GOODBYE_LIFETIME), now)
  }

  #check(entry: CacheEntry, now: number): void {
    if (entry.withdrawn || entry.refreshes === MAX_REFRESHES) {
      if (!entry.withdrawn && this.#isStillValid(entry)) {
        this.renew(entry, now)
        return
      }
      this.#delete(entry)
      this.#expired(entry, now)
      return
    }
    entry.refreshes++
    this.#timers.put(entry, nextCheck(entry, this.#random, now), now)
    this.#refresh(entry, now)
  }

  #delete(entry: CacheEntry): void {
    const name = setKey(entry.record.type, entry.record.name)
    const sets = this.#sets.get(entry.interface)
    const set = sets?.get(name)
    if (!set?.delete(entry.key)) return
    if (set.size === 0) sets?.delete(name)
    this.#timers.remove(entry)
    this.#quotas.records.release(entry.source)
    this.#quotas.txtBytes.release(entry.source, txtBytes(entry.record))
  }
}

/** In seconds. */
function remainingTtl({ record, receivedAt }: CacheEntry, now: number): number {
  return record.ttl - (now - receivedAt) / 1000
}

function isFresh(entry: CacheEntry, now: number): boolean {
  return !(entry.withdrawn || entry.needsConfirmation) && remainingTtl(entry, now) > entry.record.ttl / 2
}

/**
 * Copies a record so that the cache does not keep the received object. Otherwise V8 learns that records live long and
 * allocates all of them, also those that are dropped at once, where only a full garbage collection frees them.
 */
function copyOf(record: ResourceRecord): ResourceRecord {
  switch (record.type) {
    case 'SRV':
      return { ...record, data: { ...record.data } }
    case 'TXT':
      return { ...record, data: [...record.data] }
    default:
      return { ...record }
  }
}

function setKey(type: RecordType, name: string): string {
  return `${type} ${nameKey(name)}`
}

function txtBytes(record: ResourceRecord): number {
  return record.type === 'TXT' ? record.data.reduce((sum, { length }) => sum + length, 0) : 0
}
