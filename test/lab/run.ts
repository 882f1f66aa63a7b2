import { spawn } from 'node:child_process'
import { LAB_PATH } from './availability.ts'

/** The result of a finished command. `code` is null if a signal ended it. */
export interface Output {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** The complete environment. Default: PATH only. */
  readonly env?: Readonly<Record<string, string>>
  /** Text for standard input, which is closed after it. */
  readonly input?: string
  /** Milliseconds until the command is killed and the call rejects. Default: 30,000. */
  readonly timeout?: number
}

/** Runs a command to its end. Rejects if it cannot be started or exceeds the timeout, but not for its exit status. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Output> {
  const [command = '', ...args] = argv
  const timeout = options.timeout ?? 30_000
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: options.env ?? { PATH: LAB_PATH }, stdio: 'pipe' })
    let stdout = ''
    let stderr = ''
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`'${argv.join(' ')}' did not end within ${timeout} ms; its output: ${stdout}${stderr}`))
    }, timeout)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(new Error(`cannot start '${command}': ${error.message}`))
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, stdout, stderr })
    })
    // A command may end without reading its input. Its exit status is enough to report a failure.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}

/** Like `run`, but rejects with the command's error output if its exit status is not 0. Returns its standard output. */
export async function runOk(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, signal, stdout, stderr } = await run(argv, options)
  if (code === 0) return stdout
  const input = options.input === undefined ? '' : `\ninput was:\n${options.input}`
  throw new Error(`'${argv.join(' ')}' ended with ${signal ?? code}: ${stderr.trim()}${input}`)
}
