/** A list that grows: things that arrive over time, kept, so that a test may look back as well as wait. */
export class Feed<T> implements AsyncIterable<T> {
  /** Everything that has arrived so far, oldest first. */
  readonly items: T[] = []
  #ended = false
  #watchers = new Set<() => void>()

  /** True once nothing more will arrive. */
  get ended(): boolean {
    return this.#ended
  }

  push(item: T): void {
    this.items.push(item)
    this.#wake()
  }

  /** Nothing more will come: iterations end, and those who still wait for an item are refused. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  /**
   * The first item from index `from` (default 0) on that is wanted, at once or as soon as it arrives.
   * Rejects after `timeoutMs` or when the feed ends first; `what` says in the error what was waited for.
   */
  find(wanted: (item: T) => boolean, timeoutMs: number, what: () => string, from = 0): Promise<T> {
    // The error is made in a timer or a stream's event; it should point at who waits.
    const caller = new Error().stack?.replace(/^.*\n/, '')
    return new Promise((resolve, reject) => {
      let next = from
      const refuse = (why: string): void => {
        const error = new Error(`${why} ${what()}`)
        error.stack = `${error}\n${caller}`
        finish(() => reject(error))
      }
      const finish = (act: () => void): void => {
        clearTimeout(timer)
        this.#watchers.delete(look)
        act()
      }
      const look = (): void => {
        for (const item of this.items.slice(next)) {
          next += 1
          if (wanted(item)) {
            finish(() => resolve(item))
            return
          }
        }
        if (this.#ended) refuse('ended before it gave')
      }
      const timer = setTimeout(refuse, timeoutMs, `within ${timeoutMs} ms there was no`)
      this.#watchers.add(look)
      look()
    })
  }

  /** All items from the first on, then those that arrive, until the feed ends. */
  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (let next = 0; ; ) {
      const fresh = this.items.slice(next)
      next += fresh.length
      yield* fresh
      if (next < this.items.length) continue
      if (this.#ended) return
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#watchers.delete(wake)
          resolve()
        }
        this.#watchers.add(wake)
      })
    }
  }

  #wake(): void {
    // A copy: watchers take themselves off, and a reader that is woken may come back at once.
    for (const watcher of [...this.#watchers]) watcher()
  }
}
