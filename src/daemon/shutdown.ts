import { isatty } from 'node:tty'
import type { Logger } from 'pino'

/** The process ends after this time at the latest, ms, even if something does not stop. */
const SHUTDOWN_TIMEOUT = 900

/** Why the daemon shuts down. */
interface Shutdown {
  signal: NodeJS.Signals | undefined
  /** The exception that nothing has caught; undefined after a signal. */
  error: unknown
  /** To be called last, when everything has stopped. */
  finish(): void
}

/**
 * Resolves when the daemon has to shut down: on SIGTERM, on SIGINT, on SIGHUP in a terminal, and on an exception that
 * nothing has caught. From then on the process ends within a second, and another SIGTERM ends it at once.
 *
 * SIGHUP means that the terminal has been closed. If no standard stream is a terminal (as a service, or under nohup,
 * which redirects them), SIGHUP is ignored.
 */
export function untilShutdown(log: Logger): Promise<Shutdown> {
  return new Promise((resolve) => {
    const terminals = [0, 1, 2].filter((fd) => isatty(fd))
    const end = (signal: NodeJS.Signals | undefined, error: unknown) => {
      process.removeListener('SIGTERM', endBySignal)
      // The process ends by itself when everything has stopped. The timer is for what does not stop: a disk that does
      // not answer blocks even `process.exit`, which waits for the threads of libuv.
      setTimeout(() => die(signal), SHUTDOWN_TIMEOUT).unref()
      const finish = () => {
        // Node restores the terminal settings when it exits, and aborts if the terminal has gone.
        if (terminals.some((fd) => !isatty(fd))) die(signal)
      }
      resolve({ signal, error, finish })
    }
    const endBySignal = (signal: NodeJS.Signals) => end(signal, undefined)
    process.on('SIGTERM', endBySignal)
    process.on('SIGINT', endBySignal)
    process.on(
      'SIGHUP',
      terminals.length > 0 ? endBySignal : () => log.info('ignoring SIGHUP: there is nothing to reload'),
    )
    process.on('uncaughtException', (error) => {
      log.fatal({ err: error }, 'uncaught exception: shutting down')
      end(undefined, error)
    })
  })
}

function die(signal: NodeJS.Signals = 'SIGKILL'): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}
