import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { LAB_PATH } from './availability.ts'
import { Feed, WAIT_TIMEOUT_MS } from './feed.ts'
import type { Namespace } from './namespace.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Line {
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
  /** Time at which the test process read the line: `performance.now()`, in milliseconds. */
  readonly at: number
}

export interface StartOptions {
  /** The complete environment except PATH. */
  readonly env?: Readonly<Record<string, string>>
  /** Working directory. Default: `/`. */
  readonly cwd?: string
  /** Name of the process in error messages. Default: the command. */
  readonly what?: string
}

/**
 * A command that runs inside a namespace. The parent-death signal ends it with the test process. `pid` is the process
 * id of the command itself, because nsenter, setpriv and env all exec.
 */
export class LabProcess implements AsyncDisposable {
  readonly pid: number
  /** The output lines of both streams. The feed ends when the process has ended. */
  readonly lines = new Feed<Line>()
  /** Resolves when the process has ended for any reason. Never rejects. */
  readonly exited: Promise<Exit>
  #child: ChildProcess
  #what: string

  private constructor(child: ChildProcess, pid: number, what: string) {
    this.#child = child
    this.pid = pid
    this.#what = what
    this.#collect('stdout')
    this.#collect('stderr')
    child.stdin?.on('error', () => {})
    this.exited = new Promise((resolve) => {
      const done = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.lines.end()
        resolve({ code, signal })
      }
      child.once('close', done)
      // A grandchild may keep the streams open for longer. The process itself has ended anyway.
      child.once('exit', (code, signal) => setTimeout(done, 250, code, signal).unref())
    })
  }

  /** Starts a command inside a namespace. Rejects if it cannot be started. */
  static async start(
    namespace: Namespace,
    command: string,
    args: readonly string[],
    options: StartOptions = {},
  ): Promise<LabProcess> {
    const inside = [...namespace.enter, 'setpriv', '--pdeathsig', 'KILL', 'env', '-C', options.cwd ?? '/', command]
    const [enter = '', ...rest] = [...inside, ...args]
    const child = spawn(enter, rest, { env: { PATH: LAB_PATH, ...options.env }, stdio: 'pipe' })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', (error) => reject(new Error(`cannot start '${command}' in the lab: ${error.message}`)))
    })
    if (child.pid === undefined) throw new Error(`'${command}' has no process id`)
    return new LabProcess(child, child.pid, options.what ?? command)
  }

  /** Lines of standard output so far. */
  get stdout(): string[] {
    return this.#texts('stdout')
  }

  /** Lines of standard error so far. */
  get stderr(): string[] {
    return this.#texts('stderr')
  }

  /** True until the process has ended. */
  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /**
   * Resolves with the first matching line of either stream, from index `from` of `lines.items` on, past or future.
   * Rejects after `timeoutMs`, or when the process ends first. The error contains its last output.
   */
  async waitForLine(pattern: RegExp, timeoutMs = WAIT_TIMEOUT_MS, from = 0): Promise<string> {
    const matches = (line: Line): boolean => line.text.search(pattern) !== -1
    return (await this.lines.find(matches, timeoutMs, () => this.#missing(pattern), from)).text
  }

  /** Writes to standard input. */
  write(text: string): void {
    this.#child.stdin?.write(text)
  }

  /** Closes standard input. */
  closeInput(): void {
    this.#child.stdin?.end()
  }

  /** Sends a signal without waiting. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Sends a signal (default SIGKILL) and waits for the end of the process. Also continues a frozen process. */
  kill(name: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    if (this.running) {
      this.signal(name)
      this.signal('SIGCONT')
    }
    return this.exited
  }

  /** Freezes the process (SIGSTOP), like a machine that hangs or sleeps. Resolves when it has stopped. */
  async freeze(): Promise<void> {
    this.signal('SIGSTOP')
    while (this.running && this.#status('State')[0] !== 'T') await new Promise((resolve) => setImmediate(resolve))
  }

  /** Continues a frozen process (SIGCONT). */
  thaw(): void {
    this.signal('SIGCONT')
  }

  /** Resident memory in bytes. Throws if the process has ended. */
  rss(): number {
    return Number.parseInt(this.#status('VmRSS'), 10) * 1024
  }

  /** CPU time so far, user and system, in milliseconds. Throws if the process has ended. */
  cpuTime(): number {
    // The command name may contain any character, so fields are read after its closing bracket. A tick is 10 ms.
    const fields = (readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ').at(-1) ?? '').split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 10
  }

  /** Number of open file descriptors. Throws if the process has ended. */
  openFds(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length
  }

  /** Number of file descriptors that stay open: the least of ten counts in 0.5 s, as a process opens some files for a moment. */
  async lastingFds(): Promise<number> {
    let least = this.openFds()
    for (let count = 1; count < 10; count++) {
      await sleep(50)
      least = Math.min(least, this.openFds())
    }
    return least
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  #collect(stream: 'stdout' | 'stderr'): void {
    const input = this.#child[stream]
    if (!input) return
    createInterface({ input }).on('line', (text) => this.lines.push({ stream, text, at: performance.now() }))
  }

  #texts(stream: 'stdout' | 'stderr'): string[] {
    return this.lines.items.filter((line) => line.stream === stream).map((line) => line.text)
  }

  #status(key: string): string {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    return new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? ''
  }

  #missing(pattern: RegExp): string {
    const tail = this.lines.items.slice(-30).map((line) => `  ${line.text}`)
    return `line that matches ${pattern} from '${this.#what}'; its output:\n${tail.join('\n') || '  (nothing)'}`
  }
}
