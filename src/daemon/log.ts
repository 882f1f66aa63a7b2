import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { type Logger, pino } from 'pino'
import type { Config } from './config/config.ts'
import { LineOutput } from './line-output.ts'

/**
 * Opens the daemon's log, as JSON lines or as text for people. It never blocks: lines that cannot be written are dropped,
 * and their number is logged when writing works again.
 * @param fd the file descriptor to write to: standard output by default
 */
export async function openLog(
  { logLevel, logFormat }: Pick<Config, 'logLevel' | 'logFormat'>,
  fd = 1,
): Promise<Logger> {
  const output = new LineOutput(fd, (dropped) => {
    log.warn({ dropped }, 'log lines were dropped: they could not be written in time')
  })
  const log =
    logFormat === 'json'
      ? pino({ level: logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime }, output)
      : await openPrettyLog(logLevel, output)
  return log
}

async function openPrettyLog(level: string, output: LineOutput): Promise<Logger> {
  const { prettyLine } = await import('./pretty-line.ts')
  return pino({ level, base: null }, { write: (line: string) => output.write(prettyLine(line)) })
}

/**
 * Redirects the console to the log, so that the output of libraries does not break its lines: standard output at level
 * debug, standard error at level warn.
 * @returns a function that restores the console
 */
export function captureConsole(log: Logger): () => void {
  const original = globalThis.console
  globalThis.console = new Console({
    stdout: lineStream((text) => log.debug({ from: 'console' }, text)),
    stderr: lineStream((text) => log.warn({ from: 'console' }, text)),
  })
  return () => {
    globalThis.console = original
  }
}

function lineStream(onText: (text: string) => void): Writable {
  return new Writable({
    decodeStrings: false,
    write: (chunk: unknown, _encoding, done) => {
      onText(String(chunk).trimEnd())
      done()
    },
  })
}
