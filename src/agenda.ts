import TinyQueue from 'tinyqueue'

interface Task {
  at: number
  run: (now: number) => void
}

/**
 * What is to be done when. There is no cancelling: a task whose reason has gone looks and does nothing, and one
 * whose time has moved puts itself down again, so a heartbeat that extends a lease touches nothing here.
 */
export class Agenda {
  readonly #tasks = new TinyQueue<Task>([], (a, b) => a.at - b.at)

  /** When the next task is due, monotonic ms. */
  get next(): number | undefined {
    return this.#tasks.peek()?.at
  }

  add(at: number, run: (now: number) => void): void {
    this.#tasks.push({ at, run })
  }

  /** Runs what is due at `now`, earliest first. */
  run(now: number): void {
    for (let task = this.#tasks.peek(); task && task.at <= now; task = this.#tasks.peek()) {
      this.#tasks.pop()
      task.run(now)
    }
  }
}
