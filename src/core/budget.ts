import { keepNewest } from './keep-newest.ts'

/** Tolerance for rounding errors, tokens. It makes a token available exactly at the time that `availableAt` returns. */
const ROUNDING = 1e-4

/** How many keys a `KeyedBudget` remembers. */
const MAX_KEYS = 1024

/** A token bucket: allows `perSecond` tokens on average and `burst` at once. */
export class Budget {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #at = Number.NEGATIVE_INFINITY

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
  }

  /** Takes `amount` tokens if they are available, and returns whether they were. */
  take(now: number, amount = 1): boolean {
    const left = this.#level(now) - amount
    if (left < -ROUNDING) return false
    this.#tokens = Math.max(0, left)
    this.#at = now
    return true
  }

  /** When a token will be available, monotonic ms; `now` if one is available already. */
  availableAt(now: number): number {
    return now + (Math.max(0, 1 - this.#level(now)) / this.#perSecond) * 1000
  }

  #level(now: number): number {
    return Math.min(this.#burst, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond)
  }
}

/** A budget for each key, such as a source address, so that one sender cannot use up another's. The least recently used go first. */
export class KeyedBudget {
  readonly #perSecond: number
  readonly #burst: number
  readonly #budgets = new Map<string, Budget>()

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond
    this.#burst = burst
  }

  /** Takes `amount` tokens of this key if they are available, and returns whether they were. */
  take(key: string, now: number, amount = 1): boolean {
    const budget = this.#budgets.get(key) ?? new Budget(this.#perSecond, this.#burst)
    this.#budgets.delete(key)
    this.#budgets.set(key, budget)
    keepNewest(this.#budgets, MAX_KEYS)
    return budget.take(now, amount)
  }
}
