import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { EARSHOT, EARSHOTD } from '../installed.ts'

/** Runs the installed programs as a user does. */

const PROGRAMS = { earshot: EARSHOT, earshotd: EARSHOTD }

export interface Result {
  status: number | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  env?: Record<string, string>
}

/** The environment of every run, without anything from the tester's own terminal, daemon or settings. */
function environment({ env = {} }: RunOptions): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], TZ: 'UTC', HOME: '/nonexistent', TERM: 'xterm-256color', ...env }
}

/** Runs a program to its end, with pipes for its output. */
export async function run(command: 'earshot' | 'earshotd', args: string[], options: RunOptions = {}): Promise<Result> {
  const child = spawn(process.execPath, [PROGRAMS[command], ...args], { env: environment(options) })
  return await collect(child)
}

const ON_A_TERMINAL = `
import fcntl, os, pty, select, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
sources = [terminal, 0]
while True:
    ready = select.select(sources, [], [])[0]
    if 0 in ready:
        keys = os.read(0, 1024)
        if keys: os.write(terminal, keys)
        else: sources.remove(0)
    if terminal in ready:
        try: data = os.read(terminal, 65536)
        except OSError: break
        if not data: break
        os.write(1, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

/** Runs `earshot` on a terminal of this width. `stdout` holds the output of both streams, with LF as line ending. */
export async function runOnTerminal(columns: number, args: string[], options: RunOptions = {}): Promise<Result> {
  const line = [String(columns), process.execPath, EARSHOT, ...args]
  const result = await collect(spawn('python3', ['-c', ON_A_TERMINAL, ...line], { env: environment(options) }))
  return { ...result, stdout: result.stdout.replaceAll('\r\n', '\n') }
}

/** A program on a terminal on which the test types. */
export interface AtTerminal {
  /** Types these keys: `\x03` is Ctrl-C. */
  type(keys: string): void
  /** Resolves with all output so far, once it contains this text `times` times. */
  shows(text: string, times?: number): Promise<string>
  ended: Promise<number | null>
}

export function startOnTerminal(columns: number, args: string[], options: RunOptions = {}): AtTerminal {
  const line = [String(columns), process.execPath, EARSHOT, ...args]
  const child = spawn('python3', ['-c', ON_A_TERMINAL, ...line], { env: environment(options) })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more
  })
  return {
    type: (keys) => child.stdin.write(keys),
    async shows(wanted, times = 1) {
      while (text.split(wanted).length <= times) await once(child.stdout, 'data')
      return text
    },
    ended: once(child, 'close').then(([status]) => status),
  }
}

/** A program that runs during a test. */
export interface Running {
  child: ChildProcess
  /** The next line of standard output or standard error; undefined at the end. */
  line(from?: 'stdout' | 'stderr'): Promise<string | undefined>
  /** Resolves with the exit status. */
  ended: Promise<number | null>
}

export function start(args: string[], options: RunOptions = {}): Running {
  const child = spawn(process.execPath, [EARSHOT, ...args], { env: environment(options) })
  const lines = {
    stdout: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
    stderr: createInterface({ input: child.stderr })[Symbol.asyncIterator](),
  }
  return {
    child,
    line: async (from = 'stdout') => (await lines[from].next()).value,
    ended: once(child, 'exit').then(([status]) => status),
  }
}

async function collect(child: ReturnType<typeof spawn>): Promise<Result> {
  const result: Result = { status: null, stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      result[name] += text
    })
  }
  child.stdin?.end()
  const [status] = await once(child, 'close')
  return { ...result, status }
}
