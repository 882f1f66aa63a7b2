/** When what was lent for a time is due, by id. */
export class Leases {
  readonly #onEnd: (id: string) => void
  readonly #timers = new Map<string, NodeJS.Timeout>()

  constructor(onEnd: (id: string) => void) {
    this.#onEnd = onEnd
  }

  /** Lends for `ttl` ms (at most 24 days) from now, whatever held before. */
  lend(id: string, ttl: number): void {
    this.end(id)
    const timer = setTimeout(() => {
      this.#timers.delete(id)
      this.#onEnd(id)
    }, ttl)
    this.#timers.set(id, timer.unref())
  }

  /** Forgets the lease, if there is one. */
  end(id: string): void {
    clearTimeout(this.#timers.get(id))
    this.#timers.delete(id)
  }

  close(): void {
    for (const id of [...this.#timers.keys()]) this.end(id)
  }
}
