import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Output } from './output.ts'

const FORWARDED = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const
/** A terminal sends these to everything in the foreground: forwarded, they would come twice. */
const FROM_THE_KEYBOARD: readonly string[] = ['SIGINT', 'SIGQUIT']

/** What shells say of a command that is not there, and of one that may not be run. */
const NOT_FOUND = 127
const NOT_RUNNABLE = 126
const SIGNALLED = 128

/**
 * Runs a command beside this one, with the same standard streams, and hands on the signals that come meanwhile.
 * Resolves with its exit status as a shell has it: 128 and the signal's number when a signal ended it, 127 when there is
 * no such command, 126 when it cannot be run.
 */
export async function runCompanion([command = '', ...args]: readonly string[], { remark }: Output): Promise<number> {
  // Before it starts: a signal may come as soon as it runs.
  const stopForwarding = forwardSignals((signal) => child.kill(signal))
  const child = spawn(command, args, { stdio: 'inherit' })
  try {
    return await new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? SIGNALLED + (signal ? constants.signals[signal] : 0)))
      child.once('error', (error: NodeJS.ErrnoException) => {
        remark(`cannot run '${command}': ${error.code === 'ENOENT' ? 'not found' : error.message}`)
        resolve(error.code === 'ENOENT' ? NOT_FOUND : NOT_RUNNABLE)
      })
    })
  } finally {
    stopForwarding()
  }
}

function forwardSignals(send: (signal: NodeJS.Signals) => void): () => void {
  const atTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY)
  const forward = (signal: NodeJS.Signals): void => {
    if (!atTerminal || !FROM_THE_KEYBOARD.includes(signal)) send(signal)
  }
  for (const signal of FORWARDED) process.on(signal, forward)
  return () => {
    for (const signal of FORWARDED) process.off(signal, forward)
  }
}
