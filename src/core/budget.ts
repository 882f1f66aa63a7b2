/** Tokens that rounding may eat: at the very moment that `availableAt` names, one is there. */
const ROUNDING = 1e-4

/** A token bucket: `perSecond` on average, `burst` at once. */
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

  /** Takes `amount` if it is there. */
  take(now: number, amount = 1): boolean {
    const left = this.#level(now) - amount
    if (left < -ROUNDING) return false
    this.#tokens = Math.max(0, left)
    this.#at = now
    return true
  }

  /** When one token will be there, monotonic ms: `now` if it is already. */
  availableAt(now: number): number {
    return now + (Math.max(0, 1 - this.#level(now)) / this.#perSecond) * 1000
  }

  #level(now: number): number {
    return Math.min(this.#burst, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond)
  }
}

/** One budget for each address, so that one sender cannot use up another's; the longest unused go when there are too many. */
export class BudgetByAddress {
  readonly #perSecond: number
  readonly #burst: number
  readonly #most: number
  readonly #budgets = new Map<string, Budget>()

  constructor(perSecond: number, burst: number, most = 1024) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#most = most
  }

  /** Takes `amount` of what there is for `address`, if it is there. */
  take(address: string, now: number, amount = 1): boolean {
    const budget = this.#budgets.get(address) ?? new Budget(this.#perSecond, this.#burst)
    this.#budgets.delete(address)
    this.#budgets.set(address, budget)
    if (this.#budgets.size > this.#most) {
      for (const oldest of this.#budgets.keys()) {
        this.#budgets.delete(oldest)
        break
      }
    }
    return budget.take(now, amount)
  }
}
