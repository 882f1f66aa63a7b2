/** How long tests wait for something that has to come, unless they say otherwise, ms. Long, because it only ends tests that hang. */
export const WAIT_TIMEOUT_MS = 45_000

/** Collects items that arrive over time, so that a test can read earlier items and wait for later ones. */
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

  /** Marks the end: iterations end, and pending calls of `find` reject. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  /**
   * Resolves with the first matching item from index `from` (default 0) on, as soon as there is one.
   * Rejects after `timeoutMs`, or when the feed ends first. `what` describes the item in the error message.
   */
  find(wanted: (item: T) => boolean, timeoutMs: number, what: () => string, from = 0): Promise<T> {
    // The error is created in a timer or a stream event. Its stack should show the caller of `find`.
    const caller = new Error().stack?.replace(/^.*\n/, '')
    return new Promise((resolve, reject) => {
      let next = from
      const fail = (why: string): void => {
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
        if (this.#ended) fail('ended before it gave')
      }
      const timer = setTimeout(fail, timeoutMs, `within ${timeoutMs} ms there was no`)
      this.#watchers.add(look)
      look()
    })
  }

  /** Yields all items from the first on, then new ones as they arrive, until the feed ends. */
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
    // Iterates over a copy: watchers remove themselves, and a woken reader may add itself again at once.
    for (const watcher of [...this.#watchers]) watcher()
  }
}
