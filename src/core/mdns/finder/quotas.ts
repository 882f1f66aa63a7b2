import { Budget, BudgetByAddress } from '../../budget.ts'

/**
 * A limit is reached, so something is dropped: by all sources together, or by the one `source` address. Reported once,
 * and again when the limit is reached anew after there was room.
 */
export interface LimitNotice {
  type: 'limit'
  limit: 'hosts' | 'services' | 'txt-bytes' | 'records' | 'types' | 'packets'
  most: number
  source?: string
}

/** How much is held of other hosts, of how much at most. */
export interface MdnsLimits {
  hosts: MdnsLimit
  services: MdnsLimit
  txtBytes: MdnsLimit
}

export interface MdnsLimit {
  now: number
  most: number
  /** Source addresses of which more is passed over, as each of them has its share, a quarter of `most`. */
  full: string[]
}

/** One source address may hold this part of what there is room for: no single liar takes it all. */
const SOURCE_SHARE = 1 / 4

/** A cap that was reached has room again when it is filled to this part. */
const ROOM_AGAIN = 3 / 4

const MAX_HOSTS = 1024

const MAX_SERVICES = 4096

const MAX_TXT_BYTES = 2 * 1024 * 1024

const MAX_RECORDS = 16_384

const MAX_TYPES = 256

/** Hosts that were unknown, per second: a flood of made-up ones fills neither journal nor registry. */
const NEW_HOSTS_PER_SECOND = 20

const NEW_HOSTS_BURST = 200

/** Questions per second that nobody but the one who answers has a use for. */
const QUESTIONS_PER_SECOND = 100

const QUESTIONS_PER_SECOND_AND_SOURCE = 20

/** How much of something is held, and by whom it was brought. */
export class Quota {
  readonly max: number
  readonly #reached: (source?: string) => void
  readonly #bySource = new Map<string, number>()
  /** The sources of which something was refused, as they hold their share. There are five of them at most. */
  readonly #fullSources = new Set<string>()
  #used = 0
  #isReported = false

  /**
   * @param reached called when something is refused for the first time, and again once there was room in between: of
   *   one source, as it has its share, or of everyone
   */
  constructor(most: number, reached: (source?: string) => void) {
    this.max = most
    this.#reached = reached
  }

  get used(): number {
    return this.#used
  }

  /** The sources of which nothing more is taken in. */
  get fullSources(): string[] {
    return [...this.#fullSources]
  }

  /** Takes room for what `source` brought, if there is. */
  take(source: string, amount = 1): boolean {
    const entry = this.#bySource.get(source) ?? 0
    if (this.#used + amount > this.max) {
      if (!this.#isReported) this.#reached()
      this.#isReported = true
      return false
    }
    if (entry + amount > this.max * SOURCE_SHARE) {
      if (!this.#fullSources.has(source)) this.#reached(source)
      this.#fullSources.add(source)
      return false
    }
    this.#bySource.set(source, entry + amount)
    this.#used += amount
    return true
  }

  release(source: string, amount = 1): void {
    const entry = (this.#bySource.get(source) ?? 0) - amount
    if (entry > 0) this.#bySource.set(source, entry)
    else this.#bySource.delete(source)
    if (entry <= this.max * SOURCE_SHARE * ROOM_AGAIN) this.#fullSources.delete(source)
    this.#used -= amount
    if (this.#used <= this.max * ROOM_AGAIN) this.#isReported = false
  }
}

/** All that bounds what others can make us hold and ask. */
export class Quotas {
  readonly hosts: Quota
  readonly services: Quota
  readonly txtBytes: Quota
  readonly records: Quota
  readonly types: Quota
  readonly #newHosts = new Budget(NEW_HOSTS_PER_SECOND, NEW_HOSTS_BURST)
  readonly #questions = new Budget(QUESTIONS_PER_SECOND, 4 * QUESTIONS_PER_SECOND)
  readonly #questionsBySource = new BudgetByAddress(
    QUESTIONS_PER_SECOND_AND_SOURCE,
    4 * QUESTIONS_PER_SECOND_AND_SOURCE,
  )

  constructor(notice: (notice: LimitNotice) => void) {
    const cap = (limit: 'hosts' | 'services' | 'txt-bytes' | 'records' | 'types', most: number) =>
      new Quota(most, (source) => {
        notice(
          source === undefined
            ? { type: 'limit', limit, most }
            : { type: 'limit', limit, most: most * SOURCE_SHARE, source },
        )
      })
    this.hosts = cap('hosts', MAX_HOSTS)
    this.services = cap('services', MAX_SERVICES)
    this.txtBytes = cap('txt-bytes', MAX_TXT_BYTES)
    this.records = cap('records', MAX_RECORDS)
    this.types = cap('types', MAX_TYPES)
  }

  /** Room for a host that was unknown until now. */
  takeHost(source: string, now: number): boolean {
    if (!this.hosts.take(source)) return false
    if (this.#newHosts.take(now)) return true
    this.hosts.release(source)
    return false
  }

  /** Whether a question about what `source` told, which has yet to answer one, may be asked. */
  takeQuestion(source: string, now: number): boolean {
    return this.#questionsBySource.take(source, now) && this.#questions.take(now)
  }

  get limits(): MdnsLimits {
    const level = ({ used: now, max: most, fullSources: full }: Quota) => ({ now, most, full })
    return { hosts: level(this.hosts), services: level(this.services), txtBytes: level(this.txtBytes) }
  }
}
