import TinyQueue from 'tinyqueue'

/** Something that is to be done at a time: what `withdraw` takes back. */
export interface Task {
  /** Monotonic ms. */
  readonly at: number
  /** Undefined once it has run or was withdrawn: nothing that it refers to is kept in memory any longer. */
  run: ((now: number) => void) | undefined
}

/** What is to be done when. */
export class Agenda {
  #tasks = new TinyQueue<Task>([], byTime)
  /** How many of the tasks were withdrawn: they stay in the queue until they are half of it. */
  #withdrawn = 0

  /** How many tasks are to be run. */
  get size(): number {
    return this.#tasks.length - this.#withdrawn
  }

  /** When the next task is due, monotonic ms. */
  get next(): number | undefined {
    for (let task = this.#tasks.peek(); task; task = this.#tasks.peek()) {
      if (task.run) return task.at
      this.#tasks.pop()
      this.#withdrawn--
    }
    return undefined
  }

  add(at: number, run: (now: number) => void): Task {
    const task: Task = { at, run }
    this.#tasks.push(task)
    return task
  }

  /** Takes a task back; one that has run or was withdrawn is passed over. Costs constant time on average. */
  withdraw(task: Task): void {
    if (!task.run) return
    task.run = undefined
    this.#withdrawn++
    if (this.#withdrawn * 2 <= this.#tasks.length) return
    const rest = this.#tasks.data.filter(({ run }) => run)
    this.#tasks = new TinyQueue(rest, byTime)
    this.#withdrawn = 0
  }

  /** Runs what is due at `now`, earliest first. */
  run(now: number): void {
    for (let next = this.next; next !== undefined && next <= now; next = this.next) {
      const task = this.#tasks.pop()
      const run = task?.run
      if (task) task.run = undefined
      run?.(now)
    }
  }
}

/**
 * The tasks of one owner, each under a name. Planning one again withdraws the one before, and when the owner goes, all
 * are withdrawn with it, so that no task keeps it in memory.
 */
export class Plans<Name extends string> {
  readonly #agenda: Agenda
  readonly #tasks = new Map<Name, Task>()

  constructor(agenda: Agenda) {
    this.#agenda = agenda
  }

  set(name: Name, at: number, run: (now: number) => void): void {
    this.cancel(name)
    const task = this.#agenda.add(at, (now) => {
      this.#tasks.delete(name)
      run(now)
    })
    this.#tasks.set(name, task)
  }

  cancel(name: Name): void {
    const task = this.#tasks.get(name)
    if (!task) return
    this.#tasks.delete(name)
    this.#agenda.withdraw(task)
  }

  cancelAll(): void {
    for (const name of this.#tasks.keys()) this.cancel(name)
  }
}

function byTime(one: Task, other: Task): number {
  return one.at - other.at
}
