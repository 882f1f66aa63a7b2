import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { type Logger, pino } from 'pino'
import pretty from 'pino-pretty'
import type { Config } from './config/config.ts'
import { LineOutput } from './line-output.ts'

/**
 * The daemon's log, on standard output (or the file descriptor given): JSON lines, or for people's eyes. Never waits for
 * its reader: lines that cannot be written are dropped, and their number is logged when lines can be written again.
 */
export function openLog({ logLevel, logFormat }: Pick<Config, 'logLevel' | 'logFormat'>, fd = 1): Logger {
  const output = new LineOutput(fd, (dropped) => {
    log.warn({ dropped }, 'log lines were dropped: they could not be written in time')
  })
  const log =
    logFormat === 'json'
      ? pino({ level: logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime }, output)
      : pino({ level: logLevel, base: null }, { write: (line: string) => output.write(forPeople(line)) })
  return log
}

const prettify = pretty.prettyFactory({
  ignore: 'pid,hostname',
  translateTime: 'SYS:HH:MM:ss.l',
  singleLine: true,
})

/** A line of JSON as one that can be read, in which no text from outside moves the cursor or turns the order of letters around. */
function forPeople(line: string): string {
  return prettify(harmless(JSON.parse(line)))
}

function harmless(value: unknown, key = ''): unknown {
  if (typeof value === 'string') {
    // A stack trace has lines of its own.
    return key === 'stack' ? value.split('\n').map(escaped).join('\n') : escaped(value)
  }
  if (Array.isArray(value)) return value.map((item) => harmless(item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [escaped(name), harmless(item, name)]))
}

/** Control and format characters, line separators and lone surrogates as `\u{202e}`. */
function escaped(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${character.codePointAt(0)?.toString(16)}}`
  })
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
