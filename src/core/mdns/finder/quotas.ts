import { Budget, KeyedBudget } from '../../budget.ts'

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

/** How much is held about other hosts, with the maximum. */
export interface MdnsLimits {
  hosts: MdnsLimit
  services: MdnsLimit
  txtBytes: MdnsLimit
}

interface MdnsLimit {
  now: number
  most: number
  /** The source addresses that have used up their share, a quarter of `most`. Nothing more is accepted from them. */
  full: string[]
}

/** The part of a quota that one source address may use. It prevents a single host from using it all. */
const SOURCE_SHARE = 1 / 4

/** After a quota was full, it counts as full until usage falls to this fraction of the limit. */
const ROOM_AGAIN = 3 / 4

const MAX_HOSTS = 1024
const MAX_SERVICES = 4096
const MAX_TXT_BYTES = 2 * 1024 * 1024
const MAX_RECORDS = 16_384
const MAX_TYPES = 256

/** The number of new hosts that are accepted per second. A flood of forged hosts must not fill the journal. */
const NEW_HOSTS_PER_SECOND = 20
const NEW_HOSTS_BURST = 200

/** The number of questions per second that are asked on behalf of hosts that have not yet answered a query. */
const QUESTIONS_PER_SECOND = 100
const QUESTIONS_PER_SECOND_AND_SOURCE = 20

/** Limits how much is held in total and per source address. */
export class Quota {
  readonly max: number
  readonly #reached: (source?: string) => void
  readonly #bySource = new Map<string, number>()
  /** The sources that have used up their share. There are at most five. */
  readonly #fullSources = new Set<string>()
  #used = 0
  #isReported = false

  /**
   * @param reached called when the quota refuses something for the first time, and again after there was room. `source`
   * is the source address that used up its share. It is undefined if the whole quota is full.
   */
  constructor(max: number, reached: (source?: string) => void) {
    this.max = max
    this.#reached = reached
  }

  get used(): number {
    return this.#used
  }

  /** The sources that have used up their share. */
  get fullSources(): string[] {
    return [...this.#fullSources]
  }

  /** Takes room for something that `source` sent. Returns false if there is no room. */
  take(source: string, amount = 1): boolean {
    const usedBySource = this.#bySource.get(source) ?? 0
    if (this.#used + amount > this.max) {
      if (!this.#isReported) this.#reached()
      this.#isReported = true
      return false
    }
    if (usedBySource + amount > this.max * SOURCE_SHARE) {
      if (!this.#fullSources.has(source)) this.#reached(source)
      this.#fullSources.add(source)
      return false
    }
    this.#bySource.set(source, usedBySource + amount)
    this.#used += amount
    return true
  }

  release(source: string, amount = 1): void {
    const usedBySource = (this.#bySource.get(source) ?? 0) - amount
    if (usedBySource > 0) this.#bySource.set(source, usedBySource)
    else this.#bySource.delete(source)
    if (usedBySource <= this.max * SOURCE_SHARE * ROOM_AGAIN) this.#fullSources.delete(source)
    this.#used -= amount
    if (this.#used <= this.max * ROOM_AGAIN) this.#isReported = false
  }
}

/** The limits on what other hosts can make this host store and ask. */
export class Quotas {
  readonly hosts: Quota
  readonly services: Quota
  readonly txtBytes: Quota
  readonly records: Quota
  readonly types: Quota
  readonly #newHosts = new Budget(NEW_HOSTS_PER_SECOND, NEW_HOSTS_BURST)
  readonly #questions = new Budget(QUESTIONS_PER_SECOND, 4 * QUESTIONS_PER_SECOND)
  readonly #questionsBySource = new KeyedBudget(QUESTIONS_PER_SECOND_AND_SOURCE, 4 * QUESTIONS_PER_SECOND_AND_SOURCE)

  constructor(notice: (notice: LimitNotice) => void) {
    const quota = (limit: 'hosts' | 'services' | 'txt-bytes' | 'records' | 'types', most: number) =>
      new Quota(most, (source) => {
        notice(
          source === undefined
            ? { type: 'limit', limit, most }
            : { type: 'limit', limit, most: most * SOURCE_SHARE, source },
        )
      })
    this.hosts = quota('hosts', MAX_HOSTS)
    this.services = quota('services', MAX_SERVICES)
    this.txtBytes = quota('txt-bytes', MAX_TXT_BYTES)
    this.records = quota('records', MAX_RECORDS)
    this.types = quota('types', MAX_TYPES)
  }

  /** Takes room for a new host. Returns false if a limit is reached. */
  takeHost(source: string, now: number): boolean {
    if (!this.hosts.take(source)) return false
    if (this.#newHosts.take(now)) return true
    this.hosts.release(source)
    return false
  }

  /** Whether a question on behalf of `source` may be asked. */
  takeQuestion(source: string, now: number): boolean {
    return this.#questionsBySource.take(source, now) && this.#questions.take(now)
  }

  get limits(): MdnsLimits {
    const level = ({ used: now, max: most, fullSources: full }: Quota) => ({ now, most, full })
    return { hosts: level(this.hosts), services: level(this.services), txtBytes: level(this.txtBytes) }
  }
}
