import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { type Logger, pino } from 'pino'
import pretty from 'pino-pretty'
import type { Config } from './config/index.ts'

/** The daemon's log, on standard output: JSON lines, or for people's eyes. */
export function openLog({ logLevel, logFormat }: Pick<Config, 'logLevel' | 'logFormat'>): Logger {
  if (logFormat === 'json') return pino({ level: logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime })
  const stream = pretty({ ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l', singleLine: true, sync: true })
  return pino({ level: logLevel, base: null }, stream)
}

/**
 * From now on what anything in this process writes to the console goes to the log, so that no library breaks its lines:
 * what is meant for standard output at level debug, what is meant for standard error at level warn.
 * @returns gives the console back
 */
export function captureConsole(log: Logger): () => void {
  const original = globalThis.console
  globalThis.console = new Console({
    stdout: lines((text) => log.debug({ from: 'console' }, text)),
    stderr: lines((text) => log.warn({ from: 'console' }, text)),
  })
  return () => {
    globalThis.console = original
  }
}

function lines(say: (text: string) => void): Writable {
  return new Writable({
    decodeStrings: false,
    write: (chunk: unknown, _encoding, done) => {
      say(String(chunk).trimEnd())
      done()
    },
  })
}
