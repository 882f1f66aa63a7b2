import { isatty } from 'node:tty'
import type { Logger } from 'pino'

/** After this time the process ends, whatever stands in the way of an orderly end, ms. */
const MOST = 900

/** Why the daemon is to end. */
export interface Ending {
  signal: NodeJS.Signals | undefined
  /** What went wrong in a way that nothing in the daemon expects; undefined when it was told to end. */
  error: unknown
  /** To be called when all is stopped, and nothing is left to do. */
  finish(): void
}

/**
 * Resolves when the daemon is to end: on SIGTERM, on SIGINT, on SIGHUP if it runs in a terminal, and on an exception that
 * nothing has caught. From then on the process ends within a second, and a further SIGTERM ends it at once.
 *
 * SIGHUP tells that the terminal has been closed. Where none of the three standard streams is a terminal (a service; also
 * under nohup, which leads them elsewhere) it has no meaning, and the daemon goes on.
 */
export function untilEnding(log: Logger): Promise<Ending> {
  return new Promise((resolve) => {
    const terminals = [0, 1, 2].filter((fd) => isatty(fd))
    const end = (signal: NodeJS.Signals | undefined, error: unknown) => {
      process.removeListener('SIGTERM', endBySignal)
      // The process ends by itself when nothing is left to do. This is for when something is: a disk that does not
      // answer would hold up even `process.exit`, which waits for libuv's threads.
      setTimeout(() => die(signal), MOST).unref()
      const finish = () => {
        // Node restores the settings of terminals at its end, and aborts where a terminal has gone.
        if (terminals.some((fd) => !isatty(fd))) die(signal)
      }
      resolve({ signal, error, finish })
    }
    const endBySignal = (signal: NodeJS.Signals) => end(signal, undefined)
    process.on('SIGTERM', endBySignal)
    process.on('SIGINT', endBySignal)
    process.on(
      'SIGHUP',
      terminals.length > 0 ? endBySignal : () => log.info('SIGHUP has no effect: there is nothing to reload'),
    )
    process.on('uncaughtException', (error) => {
      log.fatal({ err: error }, 'something unexpected went wrong: ending')
      end(undefined, error)
    })
  })
}

function die(signal: NodeJS.Signals = 'SIGKILL'): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}
