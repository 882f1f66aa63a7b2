import type { Host } from '../test/lab/host.ts'
import type { LabProcess } from '../test/lab/lab-process.ts'
import { PYTHON } from '../test/lab/sniffer.ts'
import { packagePath } from './paths.ts'

/** What a program cost that ran to its end, ms. */
export interface Cost {
  wall: number
  /** Processor time of the whole process with all its threads, user and system. */
  cpu: number
}

/** A program that runs. */
export interface Started {
  pid: number
  /** Wall-clock time at which it was started, ms. */
  at: number
}

type Answer = { status: number } & Cost & Started

const TOOL = packagePath('bench/tools/launch.py')
/** The longest time that a program may take, ms. */
const TIMEOUT = 120_000

/** Starts programs on a lab host and measures what they cost. Takes one request at a time. */
export class Launcher {
  readonly #process: LabProcess
  readonly #env: Readonly<Record<string, string>>
  #last: Promise<unknown> = Promise.resolve()

  private constructor(process: LabProcess, env: Readonly<Record<string, string>>) {
    this.#process = process
    this.#env = env
  }

  /** `env` is the complete environment of the programs. */
  static async on(host: Host, env: Readonly<Record<string, string>>): Promise<Launcher> {
    const process = await host.spawn(PYTHON, ['-u', TOOL], { what: 'launcher' })
    await process.waitForLine(/^ready$/)
    return new Launcher(process, env)
  }

  /** Runs a program to its end. Its output is discarded. Rejects if it fails. */
  async run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Cost> {
    const { status, wall, cpu } = await this.#ask({ op: 'run', argv, env: { ...this.#env, ...env } })
    if (status !== 0) throw new Error(`'${argv.join(' ')}' ended with ${status}: ${this.#process.stderr.join('\n')}`)
    return { wall, cpu }
  }

  /** Starts a program in the background. `log` is the file for its output. */
  start(argv: readonly string[], log: string): Promise<Started> {
    return this.#ask({ op: 'start', argv, env: this.#env, log })
  }

  /** Ends a program that `start` has started, and waits for its end. */
  stop({ pid }: Started): Promise<Pick<Cost, 'cpu'>> {
    return this.#ask({ op: 'stop', pid })
  }

  #ask(request: object): Promise<Answer> {
    const answer = this.#last.then(async () => {
      const from = this.#process.lines.items.length
      this.#process.write(`${JSON.stringify(request)}\n`)
      return JSON.parse(await this.#process.waitForLine(/^\{/, TIMEOUT, from)) as Answer
    })
    this.#last = answer.catch(() => {})
    return answer
  }
}
