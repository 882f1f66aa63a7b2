import TinyQueue from 'tinyqueue'

/** A scheduled function call. `Agenda.cancel` takes it. */
export interface Task {
  /** When it is due, monotonic ms. */
  readonly at: number
  /** Undefined once the task has run or was cancelled, so that nothing it refers to stays in memory. */
  run: ((now: number) => void) | undefined
}

/** Runs tasks at their times. The owner calls `run` at the time `next`. */
export class Agenda {
  #tasks = new TinyQueue<Task>([], byTime)
  /** How many tasks in the queue are cancelled. They are removed when they are more than half of it. */
  #cancelled = 0

  /** How many tasks are still to run. */
  get size(): number {
    return this.#tasks.length - this.#cancelled
  }

  /** When the next task is due, monotonic ms. */
  get next(): number | undefined {
    for (let task = this.#tasks.peek(); task; task = this.#tasks.peek()) {
      if (task.run) return task.at
      this.#tasks.pop()
      this.#cancelled--
    }
    return undefined
  }

  add(at: number, run: (now: number) => void): Task {
    const task: Task = { at, run }
    this.#tasks.push(task)
    return task
  }

  /** Cancels a task. Does nothing if it has run or was cancelled. Takes constant time on average. */
  cancel(task: Task): void {
    if (!task.run) return
    task.run = undefined
    this.#cancelled++
    if (this.#cancelled * 2 <= this.#tasks.length) return
    const rest = this.#tasks.data.filter(({ run }) => run)
    this.#tasks = new TinyQueue(rest, byTime)
    this.#cancelled = 0
  }

  /** Runs the tasks that are due at `now`, the earliest first. */
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
 * The tasks of one owner, each with a name. Setting a task cancels the earlier one of that name. When the owner goes away,
 * `cancelAll` cancels its tasks, so that none keeps it in memory.
 */
export class NamedTasks<Name extends string> {
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
    this.#agenda.cancel(task)
  }

  cancelAll(): void {
    for (const name of this.#tasks.keys()) this.cancel(name)
  }
}

/** Items run at the next multiple of this interval, ms. */
const SLOT = 100
/** Items that are due later than this, ms, are put off by at most as much at a time. */
const LONG_SLOT = 60_000
/** How many items of a slot run at once. The rest runs 1 ms later, so that other work is not delayed. */
const BATCH = 256

/** Items that are checked at the same time, each with the time when it is due. */
interface Slot<T> {
  time: number
  items: Map<T, number>
}

/**
 * Runs a function for each item when it is due. Items are grouped by time into slots, as in a timing wheel (Varghese and
 * Lauck, 1987). An `Agenda` keeps each cancelled task for a while; here, moving or removing an item leaves no task of its
 * own behind. Use it where other hosts determine how many items there are and how often they move.
 */
export class TimerWheel<T> {
  readonly #agenda: Agenda
  readonly #run: (item: T, now: number) => void
  /** By time. A slot that became empty stays until its task runs. */
  readonly #slots = new Map<number, Slot<T>>()
  readonly #slotOf = new Map<T, Slot<T>>()

  constructor(agenda: Agenda, run: (item: T, now: number) => void) {
    this.#agenda = agenda
    this.#run = run
  }

  /** Adds or moves an item: it is due at `at`, monotonic ms. */
  put(item: T, at: number, now: number): void {
    const time = at - now < LONG_SLOT ? Math.ceil(at / SLOT) * SLOT : Math.floor(at / LONG_SLOT) * LONG_SLOT
    const before = this.#slotOf.get(item)
    // An earlier slot will move the item on. Most items move many times before they are due.
    if (before && before.time <= time) {
      before.items.set(item, at)
      return
    }
    before?.items.delete(item)
    this.#putAt(time, item, at)
  }

  remove(item: T): void {
    this.#slotOf.get(item)?.items.delete(item)
    this.#slotOf.delete(item)
  }

  #putAt(time: number, item: T, at: number): void {
    let slot = this.#slots.get(time)
    if (!slot) {
      slot = { time, items: new Map() }
      this.#slots.set(time, slot)
      this.#agenda.add(time, (later) => this.#runSlot(time, later))
    }
    slot.items.set(item, at)
    this.#slotOf.set(item, slot)
  }

  #runSlot(time: number, now: number): void {
    const slot = this.#slots.get(time)
    if (!slot) return
    this.#slots.delete(time)
    // Items that are added from now on get another slot.
    slot.time = Number.POSITIVE_INFINITY
    let left = BATCH
    for (const [item, at] of slot.items) {
      if (at > now) this.put(item, at, now)
      else if (left-- > 0) this.#runItem(slot, item, now)
      else this.#putAt(now + 1, item, at)
    }
  }

  /** Most items are added again while they run. Then their slot is overwritten, which costs less than deleting it first. */
  #runItem(slot: Slot<T>, item: T, now: number): void {
    slot.items.delete(item)
    this.#run(item, now)
    if (this.#slotOf.get(item) === slot) this.#slotOf.delete(item)
  }
}

function byTime(one: Task, other: Task): number {
  return one.at - other.at
}
