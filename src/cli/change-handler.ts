import { type ChildProcess, spawn } from 'node:child_process'
import type { Change } from '../client/index.ts'
import { formatDuration } from '../shared/duration.ts'
import { changeEnvironment } from './change-environment.ts'
import { printable, printableJson } from './printable.ts'

export interface HandlerOptions {
  /** What `sh -c` runs, as the user wrote it. */
  command: string
  /** A run that takes longer is killed, ms. */
  timeout: number
  /** Added to this process's environment. */
  env: Readonly<Record<string, string>>
  remark: (text: string) => void
}

/** Changes that may wait; what comes beyond is dropped. */
const MOST_WAITING = 1000
/** A run that is asked to end has this long until it is killed, ms. */
const GRACE_MS = 2000

/**
 * Runs a command for each change, one at a time and in order, the change as one line of JSON on its standard input and as
 * EARSHOT_… variables. Neither a slow nor a failing command holds up who tells of the changes.
 */
export class ChangeHandler {
  readonly #options: HandlerOptions
  readonly #waiting: Change[] = []
  #running: ChildProcess | undefined
  #dropped = 0
  #closed: (() => void) | undefined

  constructor(options: HandlerOptions) {
    this.#options = options
  }

  /** Takes a change; returns at once. */
  tell(change: Change): void {
    if (this.#waiting.length < MOST_WAITING) {
      this.#waiting.push(change)
      if (!this.#running) this.#next()
      return
    }
    if (this.#dropped === 0)
      this.#options.remark(`--exec: ${MOST_WAITING} changes are waiting: dropping what comes now`)
    this.#dropped++
  }

  /** Forgets what waits, asks the present run to end, and resolves when it has; kills it after two seconds. */
  async close(): Promise<void> {
    this.#waiting.length = 0
    const { pid } = this.#running ?? {}
    if (pid === undefined) return
    signalGroup(pid, 'SIGTERM')
    const kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), GRACE_MS)
    await new Promise<void>((resolve) => {
      this.#closed = resolve
    })
    clearTimeout(kill)
  }

  #next(): void {
    if (this.#dropped > 0) {
      this.#options.remark(`--exec: dropped ${this.#dropped} ${this.#dropped === 1 ? 'change' : 'changes'}`)
      this.#dropped = 0
    }
    const change = this.#waiting.shift()
    if (change) this.#run(change)
    else this.#running = undefined
  }

  #run(change: Change): void {
    const { command, timeout, env } = this.#options
    // A group of its own, so that what the command leaves running can be ended with it.
    const child = spawn('sh', ['-c', command], {
      stdio: ['pipe', 'inherit', 'inherit'],
      detached: true,
      env: changeEnvironment(change, { ...process.env, ...env }),
    })
    this.#running = child
    let late = false
    const clock = setTimeout(() => {
      late = true
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
    }, timeout)
    // A command that does not care to read closes the pipe, as it may.
    child.stdin.on('error', () => {})
    child.stdin.end(`${printableJson(change)}\n`)
    const done = (outcome: string | undefined): void => {
      clearTimeout(clock)
      if (outcome !== undefined && !this.#closed) {
        this.#options.remark(`--exec: on ${change.type} of '${printable(change.peer.name)}' ${outcome}`)
      }
      this.#closed?.()
      this.#next()
    }
    child.once('error', (error) => done(`sh could not be started: ${error.message}`))
    child.once('exit', (code, signal) => {
      if (late) done(`the command took longer than ${formatDuration(timeout)} and was killed`)
      else if (signal) done(`the command was ended by ${signal}`)
      else done(code === 0 ? undefined : `the command failed with status ${code}`)
    })
  }
}

/** Signals a process and what it started, as far as any of it is left. */
function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal)
  } catch {
    // It has ended meanwhile.
  }
}
