import { Budget, BudgetByAddress } from '../../budget.ts'
import type { MdnsLimits, MdnsNotice } from '../dns/types.ts'

/** One source address may hold this part of what there is room for: no single liar takes it all. */
const SHARE = 1 / 4
/** A cap that was reached has room again when it is filled to this part. */
const ROOM = 3 / 4

const MOST_HOSTS = 1024
const MOST_SERVICES = 4096
const MOST_TXT_BYTES = 2 * 1024 * 1024
const MOST_RECORDS = 16_384
const MOST_TYPES = 256

/** Hosts that were unknown, per second: a flood of made-up ones fills neither journal nor registry. */
const NEW_HOSTS_PER_SECOND = 20
const NEW_HOSTS_AT_ONCE = 200
/** Questions per second that nobody but the one who answers has a use for. */
const QUESTIONS_PER_SECOND = 100
const QUESTIONS_PER_SECOND_AND_SOURCE = 20

/** How much of something is held, and by whom it was brought. */
export class Cap {
  readonly most: number
  readonly #reached: (source?: string) => void
  readonly #bySource = new Map<string, number>()
  /** The sources of which something was refused, as they hold their share. There are five of them at most. */
  readonly #full = new Set<string>()
  #now = 0
  #told = false

  /**
   * @param reached called when something is refused for the first time, and again once there was room in between: of
   *   one source, as it has its share, or of everyone
   */
  constructor(most: number, reached: (source?: string) => void) {
    this.most = most
    this.#reached = reached
  }

  get now(): number {
    return this.#now
  }

  /** The sources of which nothing more is taken in. */
  get full(): string[] {
    return [...this.#full]
  }

  /** Takes room for what `source` brought, if there is. */
  take(source: string, amount = 1): boolean {
    const held = this.#bySource.get(source) ?? 0
    if (this.#now + amount > this.most) {
      if (!this.#told) this.#reached()
      this.#told = true
      return false
    }
    if (held + amount > this.most * SHARE) {
      if (!this.#full.has(source)) this.#reached(source)
      this.#full.add(source)
      return false
    }
    this.#bySource.set(source, held + amount)
    this.#now += amount
    return true
  }

  give(source: string, amount = 1): void {
    const held = (this.#bySource.get(source) ?? 0) - amount
    if (held > 0) this.#bySource.set(source, held)
    else this.#bySource.delete(source)
    if (held <= this.most * SHARE * ROOM) this.#full.delete(source)
    this.#now -= amount
    if (this.#now <= this.most * ROOM) this.#told = false
  }
}

/** All that bounds what others can make us hold and ask. */
export class Caps {
  readonly hosts: Cap
  readonly services: Cap
  readonly txtBytes: Cap
  readonly records: Cap
  readonly types: Cap
  readonly #newHosts = new Budget(NEW_HOSTS_PER_SECOND, NEW_HOSTS_AT_ONCE)
  readonly #questions = new Budget(QUESTIONS_PER_SECOND, 4 * QUESTIONS_PER_SECOND)
  readonly #questionsBySource = new BudgetByAddress(
    QUESTIONS_PER_SECOND_AND_SOURCE,
    4 * QUESTIONS_PER_SECOND_AND_SOURCE,
  )

  constructor(notice: (notice: MdnsNotice) => void) {
    const cap = (limit: 'hosts' | 'services' | 'txt-bytes' | 'records' | 'types', most: number) =>
      new Cap(most, (source) => {
        notice(
          source === undefined ? { type: 'limit', limit, most } : { type: 'limit', limit, most: most * SHARE, source },
        )
      })
    this.hosts = cap('hosts', MOST_HOSTS)
    this.services = cap('services', MOST_SERVICES)
    this.txtBytes = cap('txt-bytes', MOST_TXT_BYTES)
    this.records = cap('records', MOST_RECORDS)
    this.types = cap('types', MOST_TYPES)
  }

  /** Room for a host that was unknown until now. */
  takeHost(source: string, now: number): boolean {
    if (!this.hosts.take(source)) return false
    if (this.#newHosts.take(now)) return true
    this.hosts.give(source)
    return false
  }

  /** Whether a question about what `source` told, which has yet to answer one, may be asked. */
  takeQuestion(source: string, now: number): boolean {
    return this.#questionsBySource.take(source, now) && this.#questions.take(now)
  }

  get limits(): MdnsLimits {
    const level = ({ now, most, full }: Cap) => ({ now, most, full })
    return { hosts: level(this.hosts), services: level(this.services), txtBytes: level(this.txtBytes) }
  }
}
