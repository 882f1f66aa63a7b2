import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { LAB_PATH } from './ability.ts'
import { Feed } from './feed.ts'
import type { Namespace } from './namespace.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Line {
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
  /** `performance.now()` in milliseconds when the test process read it. */
  readonly at: number
}

export interface StartOptions {
  /** The whole environment beside PATH. */
  readonly env?: Readonly<Record<string, string>>
  /** Working directory; default `/`. */
  readonly cwd?: string
  /** What to call it in errors; default the command. */
  readonly what?: string
}

/**
 * A command that runs inside a namespace. It dies with the test process (parent-death signal), and its process id is
 * that of the command itself: nsenter, setpriv and env all exec.
 */
export class LabProcess implements AsyncDisposable {
  readonly pid: number
  /** What it wrote, line by line, both streams. Ends when the process has ended. */
  readonly lines = new Feed<Line>()
  /** Resolves when it has ended, by itself or killed. Never rejects. */
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
      // A grandchild may keep the streams open for long; the process itself is gone all the same.
      child.once('exit', (code, signal) => setTimeout(done, 250, code, signal).unref())
    })
  }

  /** Starts a command inside. Rejects when it cannot be started. */
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

  /** True until it has ended. */
  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /**
   * The first line (of either stream, from index `from` of `lines.items` on) that matches, past or future.
   * Rejects, with what the process said instead, after `timeoutMs` (default 15,000) or when it ends first.
   */
  async waitForLine(pattern: RegExp, timeoutMs = 15_000, from = 0): Promise<string> {
    const matches = (line: Line): boolean => line.text.search(pattern) !== -1
    return (await this.lines.find(matches, timeoutMs, () => this.#missing(pattern), from)).text
  }

  /** Writes to its standard input. */
  write(text: string): void {
    this.#child.stdin?.write(text)
  }

  /** Ends its standard input. */
  closeInput(): void {
    this.#child.stdin?.end()
  }

  /** Sends a signal without waiting. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Sends a signal (default SIGKILL) and waits until the process has ended. A frozen one is thawed, or it would never end. */
  kill(name: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    if (this.running) {
      this.signal(name)
      this.signal('SIGCONT')
    }
    return this.exited
  }

  /** Stops it in its tracks (SIGSTOP), as a machine that hangs or sleeps. Resolves when it stands still. */
  async freeze(): Promise<void> {
    this.signal('SIGSTOP')
    while (this.running && this.#status('State')[0] !== 'T') await new Promise((resolve) => setImmediate(resolve))
  }

  /** Lets it go on (SIGCONT). */
  thaw(): void {
    this.signal('SIGCONT')
  }

  /** Resident memory in bytes. Throws when it has ended. */
  rss(): number {
    return Number.parseInt(this.#status('VmRSS'), 10) * 1024
  }

  /** Processor time used so far, user and system, in milliseconds. Throws when it has ended. */
  cpuTime(): number {
    // The command's name may hold anything; what follows its closing bracket is regular. 100 ticks a second on all Linux.
    const fields = (readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ').at(-1) ?? '').split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 10
  }

  /** How many file descriptors it holds. Throws when it has ended. */
  openFds(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length
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
    return `line that matches ${pattern} from '${this.#what}'; it said:\n${tail.join('\n') || '  (nothing)'}`
  }
}
