import type { Agenda } from '../../agenda.ts'
import type { DatagramSource } from '../../link.ts'
import type { Random } from '../../random.ts'
import { Timetable } from '../../timetable.ts'
import { keyOf } from '../dns/names.ts'
import { passingKey } from '../dns/rdata.ts'
import type { Question, RecordType, ResourceRecord } from '../dns/types.ts'
import type { Caps } from './caps.ts'
import { type Held, isNewer, lifeOf, nextLook, REFRESHES } from './held.ts'

/** How long goodbyes and records whose place was taken live on, ms (RFC 6762, sections 10.1 and 10.2). */
const LINGER = 1000
/** Unlike pointers and addresses there is one of these; more only while one takes the other's place. */
const MOST_OF_ONE = 4

type RecordSet = Map<string, Held>

/** What was heard on each interface, for as long as it is true. Only what is given to it; others choose. */
export class Cache {
  readonly #random: Random
  readonly #caps: Caps
  readonly #refresh: (held: Held, now: number) => void
  readonly #isKept: (held: Held) => boolean
  readonly #expired: (held: Held, now: number) => void
  /** By interface, then by type and name. */
  readonly #sets = new Map<string, Map<string, RecordSet>>()
  readonly #timetable: Timetable<Held>

  constructor(parts: {
    agenda: Agenda
    random: Random
    caps: Caps
    /** Time to ask again for a record. */
    refresh: (held: Held, now: number) => void
    /** Nobody has told of it again: whether it is true for another life nevertheless. */
    isKept: (held: Held) => boolean
    /** It has run out, and is held no longer. */
    expired: (held: Held, now: number) => void
  }) {
    this.#random = parts.random
    this.#caps = parts.caps
    this.#refresh = parts.refresh
    this.#isKept = parts.isKept
    this.#expired = parts.expired
    this.#timetable = new Timetable(parts.agenda, (held, now) => this.#due(held, now))
  }

  /**
   * Takes in a record of a response. Says whether it tells of something `new`, of something that is `known`, or of
   * nothing that is there: a goodbye, or one for which there is no room.
   */
  hear(record: ResourceRecord, heard: DatagramSource, now: number): 'new' | 'known' | 'nothing' {
    const set = this.#sets.get(heard.interface)?.get(setKey(record.type, record.name))
    const key = passingKey(record)
    const held = set?.get(key)
    if (record.ttl === 0) {
      if (held) this.#withdraw(held, now)
      return 'nothing'
    }
    // Some set the bit on pointers too, which many hosts share.
    if (set && record.flush && record.type !== 'PTR') {
      for (const other of set.values()) if (other !== held && other.heardAt < now - LINGER) this.#withdraw(other, now)
    }
    if (held) {
      held.confirmed ||= held.refreshes > 0 && !held.withdrawn
      this.#renew(held, record, now)
      return 'known'
    }
    return this.#add(record, key, heard, now) ? 'new' : 'nothing'
  }

  /** All records of a type and name on an interface, or on all of them. */
  get(type: RecordType, name: string, on?: string): Held[] {
    const key = setKey(type, name)
    if (on !== undefined) return [...(this.#sets.get(on)?.get(key)?.values() ?? [])]
    return [...this.#sets.values()].flatMap((sets) => [...(sets.get(key)?.values() ?? [])])
  }

  /** The one heard last of the records of a type and name. */
  newest(type: RecordType, name: string, on: string): Held | undefined {
    let newest: Held | undefined
    for (const held of this.#sets.get(on)?.get(setKey(type, name))?.values() ?? []) {
      if (!newest || isNewer(held, newest)) newest = held
    }
    return newest
  }

  /** The answers to a question that need not be given again: they have more than half their life before them (section 7.1). */
  known(on: string, question: Question, now: number): ResourceRecord[] {
    if (question.type === 'ANY') return []
    const known: ResourceRecord[] = []
    for (const held of this.#sets.get(on)?.get(setKey(question.type, question.name))?.values() ?? []) {
      if (isFresh(held, now)) known.push({ ...held.record, ttl: Math.floor(leftOf(held, now)), flush: false })
    }
    return known
  }

  /** Whether there is an answer to wait for: none is held, or one of those that are is to be told anew. */
  isOpen(on: string, { type, name }: Question): boolean {
    if (type === 'ANY') return true
    const set = this.#sets.get(on)?.get(setKey(type, name))
    if (!set) return true
    for (const { refreshes, doubted } of set.values()) if (refreshes > 0 || doubted) return true
    return false
  }

  /** Whether a record is among the answers that need not be given again. */
  isKnown(on: string, record: ResourceRecord, now: number): boolean {
    const held = this.#sets.get(on)?.get(setKey(record.type, record.name))?.get(passingKey(record))
    return held !== undefined && isFresh(held, now)
  }

  /** Drops all records of a type and name on an interface, without a word. */
  drop(type: RecordType, name: string, on: string): void {
    for (const held of this.get(type, name, on)) this.#remove(held)
  }

  /** What a record says is known to be true otherwise: it need not be asked for. */
  confirm(held: Held, now: number): void {
    this.#liveAgain(held, now)
  }

  /** Whether this very record is held. */
  has(record: ResourceRecord, on: string): boolean {
    return this.#sets.get(on)?.get(setKey(record.type, record.name))?.has(passingKey(record)) === true
  }

  /** How many addresses of a host are held, on all interfaces. */
  countAddresses(hostname: string): number {
    const keys = [setKey('A', hostname), setKey('AAAA', hostname)]
    let count = 0
    for (const sets of this.#sets.values()) for (const key of keys) count += sets.get(key)?.size ?? 0
    return count
  }

  /** The one pointer from `name` to `to`. */
  pointer(name: string, to: string, on: string): Held | undefined {
    const record = { name, ttl: 0, flush: false, type: 'PTR', data: to } as const
    return this.#sets.get(on)?.get(setKey('PTR', name))?.get(passingKey(record))
  }

  /** Drops the pointer from `name` to `to`, without a word. */
  dropPointer(name: string, to: string, on: string): void {
    const held = this.pointer(name, to, on)
    if (held) this.#remove(held)
  }

  /** Drops all that was heard on an interface, without a word. */
  forgetInterface(on: string): void {
    for (const set of this.#sets.get(on)?.values() ?? []) for (const held of set.values()) this.#remove(held)
    this.#sets.delete(on)
  }

  #add(record: ResourceRecord, key: string, heard: DatagramSource, now: number): boolean {
    const { interface: on, address: source } = heard
    if (record.type === 'SRV' || record.type === 'TXT') this.#makeWay(record, on)
    if (!this.#caps.records.take(source)) return false
    if (!this.#caps.txtBytes.take(source, txtBytes(record))) {
      this.#caps.records.give(source)
      return false
    }
    const held: Held = {
      interface: on,
      source,
      key,
      record: copyOf(record),
      heardAt: now,
      expiresAt: now,
      refreshes: 0,
      confirmed: false,
      withdrawn: false,
      doubted: false,
    }
    const sets = this.#sets.get(on) ?? new Map<string, RecordSet>()
    this.#sets.set(on, sets)
    const name = setKey(record.type, record.name)
    const set = sets.get(name) ?? new Map<string, Held>()
    sets.set(name, set.set(key, held))
    this.#renew(held, record, now)
    return true
  }

  #makeWay(record: ResourceRecord, on: string): void {
    const held = this.get(record.type, record.name, on)
    if (held.length < MOST_OF_ONE) return
    this.#remove(held.reduce((oldest, one) => (isNewer(oldest, one) ? one : oldest)))
  }

  #renew(held: Held, record: ResourceRecord, now: number): void {
    if (held.record.ttl !== record.ttl) held.record = copyOf(record)
    this.#liveAgain(held, now)
  }

  #liveAgain(held: Held, now: number): void {
    held.heardAt = now
    held.expiresAt = now + lifeOf(held)
    held.refreshes = 0
    held.withdrawn = false
    held.doubted = false
    this.#timetable.put(held, nextLook(held, this.#random, now), now)
  }

  #withdraw(held: Held, now: number): void {
    if (held.withdrawn) return
    held.withdrawn = true
    held.expiresAt = Math.min(held.expiresAt, now + LINGER)
    this.#timetable.put(held, held.expiresAt, now)
  }

  #due(held: Held, now: number): void {
    if (held.withdrawn || held.refreshes === REFRESHES) {
      if (!held.withdrawn && this.#isKept(held)) {
        this.#liveAgain(held, now)
        return
      }
      this.#remove(held)
      this.#expired(held, now)
      return
    }
    held.refreshes++
    this.#timetable.put(held, nextLook(held, this.#random, now), now)
    this.#refresh(held, now)
  }

  #remove(held: Held): void {
    const name = setKey(held.record.type, held.record.name)
    const sets = this.#sets.get(held.interface)
    const set = sets?.get(name)
    if (!set?.delete(held.key)) return
    if (set.size === 0) sets?.delete(name)
    this.#timetable.remove(held)
    this.#caps.records.give(held.source)
    this.#caps.txtBytes.give(held.source, txtBytes(held.record))
  }
}

/** Seconds. */
function leftOf({ record, heardAt }: Held, now: number): number {
  return record.ttl - (now - heardAt) / 1000
}

function isFresh(held: Held, now: number): boolean {
  return !(held.withdrawn || held.doubted) && leftOf(held, now) > held.record.ttl / 2
}

/**
 * The engine makes objects for long lives where it has seen many that had one. Copied here, what is kept does not make
 * it do so wherever messages are read: a flood of them would stay in memory until the next great garbage collection.
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
  return `${type} ${keyOf(name)}`
}

function txtBytes(record: ResourceRecord): number {
  return record.type === 'TXT' ? record.data.reduce((sum, { length }) => sum + length, 0) : 0
}
