import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Change, OfferedService } from '../client/index.ts'
import { formatDuration } from '../shared/duration.ts'
import { mainAddress } from './peer-text.ts'
import { type Output, printable, printableJson } from './terminal.ts'

/** The commands of the user that `publish … -- CMD` and `watch --exec CMD` run. */

const FORWARDED_SIGNALS = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const
/** A terminal sends these to all foreground processes. If they were forwarded, the command would get them twice. */
const KEYBOARD_SIGNALS: readonly string[] = ['SIGINT', 'SIGQUIT']

/** Exit statuses of a shell for a command that it does not find, cannot run, or that a signal ends (plus its number). */
const NOT_FOUND = 127
const NOT_EXECUTABLE = 126
const ENDED_BY_SIGNAL = 128

/**
 * Runs a command with this process's standard streams and forwards signals to it. Resolves with its exit status as a shell
 * reports it: 128 plus the signal's number if a signal ended it, 127 if it does not exist, 126 if it cannot be run.
 */
export async function runChild([command = '', ...args]: readonly string[], { warn }: Output): Promise<number> {
  // The handlers come first, because a signal may arrive as soon as the command runs.
  const stopForwarding = forwardSignals((signal) => child.kill(signal))
  const child = spawn(command, args, { stdio: 'inherit' })
  try {
    return await new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? ENDED_BY_SIGNAL + (signal ? constants.signals[signal] : 0)))
      child.once('error', (error: NodeJS.ErrnoException) => {
        warn(`cannot run '${command}': ${error.code === 'ENOENT' ? 'not found' : error.message}`)
        resolve(error.code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE)
      })
    })
  } finally {
    stopForwarding()
  }
}

function forwardSignals(send: (signal: NodeJS.Signals) => void): () => void {
  const atTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY)
  const forward = (signal: NodeJS.Signals): void => {
    if (!atTerminal || !KEYBOARD_SIGNALS.includes(signal)) send(signal)
  }
  for (const signal of FORWARDED_SIGNALS) process.on(signal, forward)
  return () => {
    for (const signal of FORWARDED_SIGNALS) process.off(signal, forward)
  }
}

interface ExecOptions {
  /** The argument of `sh -c`. */
  command: string
  /** A run that takes longer is killed, ms. */
  timeout: number
  /** Variables that are added to the environment. */
  env: Readonly<Record<string, string>>
  warn: (text: string) => void
}

const MAX_WAITING_CHANGES = 1000
/** Time between SIGTERM and SIGKILL, ms. */
const GRACE_MS = 2000

/**
 * Runs a shell command for each change, one run at a time and in order. The command gets the change as one line of JSON on
 * its standard input and as `EARSHOT_…` variables. Changes that arrive during a run wait, up to a limit; more are dropped.
 */
export class ExecQueue {
  readonly #options: ExecOptions
  readonly #waiting: Change[] = []
  #running: ChildProcess | undefined
  #dropped = 0
  #onClosed: (() => void) | undefined

  constructor(options: ExecOptions) {
    this.#options = options
  }

  /** Runs the command for a change, now or after the runs before it. */
  push(change: Change): void {
    if (this.#waiting.length < MAX_WAITING_CHANGES) {
      this.#waiting.push(change)
      if (!this.#running) this.#next()
      return
    }
    if (this.#dropped === 0) {
      this.#options.warn(`--exec: ${MAX_WAITING_CHANGES} changes are waiting: dropping new ones`)
    }
    this.#dropped++
  }

  /** Drops what waits and ends the present run: SIGTERM, and SIGKILL after two seconds. Resolves when it has ended. */
  async close(): Promise<void> {
    this.#waiting.length = 0
    const { pid } = this.#running ?? {}
    if (pid === undefined) return
    signalGroup(pid, 'SIGTERM')
    const kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), GRACE_MS)
    await new Promise<void>((resolve) => {
      this.#onClosed = resolve
    })
    clearTimeout(kill)
  }

  #next(): void {
    if (this.#dropped > 0) {
      this.#options.warn(`--exec: dropped ${this.#dropped} ${this.#dropped === 1 ? 'change' : 'changes'}`)
      this.#dropped = 0
    }
    const change = this.#waiting.shift()
    if (change) this.#run(change)
    else this.#running = undefined
  }

  #run(change: Change): void {
    const { command, timeout, env } = this.#options
    // The child leads a process group, so that all processes it starts can be ended with it.
    const child = spawn('sh', ['-c', command], {
      stdio: ['pipe', 'inherit', 'inherit'],
      detached: true,
      env: changeEnvironment(change, { ...process.env, ...env }),
    })
    this.#running = child
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
    }, timeout)
    // A command may close its standard input without reading it.
    child.stdin.on('error', () => {})
    child.stdin.end(`${printableJson(change)}\n`)
    const finish = (failure: string | undefined): void => {
      clearTimeout(timer)
      if (failure !== undefined && !this.#onClosed) {
        this.#options.warn(`--exec: on ${change.type} of '${printable(change.peer.name)}' ${failure}`)
      }
      this.#onClosed?.()
      this.#next()
    }
    child.once('error', (error) => finish(`sh could not be started: ${error.message}`))
    child.once('exit', (code, signal) => {
      if (timedOut) finish(`the command took longer than ${formatDuration(timeout)} and was killed`)
      else if (signal) finish(`the command was ended by ${signal}`)
      else finish(code === 0 ? undefined : `the command failed with status ${code}`)
    })
  }
}

/** Signals a process group. Does nothing if all its processes have ended. */
function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal)
  } catch {
    // The group has ended.
  }
}

const CHANGE_VARIABLES = /^EARSHOT_(?:EVENT$|PEER_|SERVICE_|TXT_|ATTR_)/

/**
 * The environment of a command that runs for a change. The values come from the network and are not trusted; the fixed
 * prefixes keep their names apart from variables such as `PATH` or `LD_PRELOAD`.
 */
function changeEnvironment(change: Change, inherited: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { type, peer } = change
  const variables: Record<string, string> = {
    EARSHOT_EVENT: type,
    EARSHOT_PEER_ID: peer.id,
    EARSHOT_PEER_NAME: peer.name,
    EARSHOT_PEER_STATE: peer.state,
    EARSHOT_PEER_SOURCE: peer.source,
    EARSHOT_PEER_HOSTNAME: peer.hostname,
    EARSHOT_PEER_ADDRESS: mainAddress(peer),
    ...prefixed('EARSHOT_ATTR_', peer.attributes),
    ...('service' in change && serviceVariables(change.service, peer)),
  }
  // If `watch --exec` runs inside another one, the variables of the outer change do not belong to this change.
  const kept = Object.entries(inherited).filter(([name]) => !CHANGE_VARIABLES.test(name))
  const added = Object.entries(variables).map(([name, value]) => [name, withoutNul(value)])
  return Object.fromEntries([...kept, ...added])
}

function serviceVariables(service: OfferedService, peer: Change['peer']): Record<string, string> {
  const { id, name, type, port, txt, source = 'beacon', addresses = peer.addresses } = service
  return {
    EARSHOT_SERVICE_ID: id,
    EARSHOT_SERVICE_NAME: name,
    EARSHOT_SERVICE_TYPE: type,
    EARSHOT_SERVICE_PORT: String(port),
    EARSHOT_SERVICE_ADDRESS: mainAddress({ addresses }),
    EARSHOT_SERVICE_SOURCE: source,
    ...prefixed('EARSHOT_TXT_', txt),
  }
}

/** Turns keys into names of variables: `room-temp` into `EARSHOT_ATTR_ROOM_TEMP`. */
function prefixed(prefix: string, values: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      prefix + key.toUpperCase().replace(/[^A-Z0-9]/g, '_'),
      String(value),
    ]),
  )
}

/** Variables cannot hold NUL: it becomes U+FFFD. */
function withoutNul(text: string): string {
  return text.replaceAll('\0', '\ufffd')
}
