import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { type Logger, pino } from 'pino'
import pretty from 'pino-pretty'
import type { Config } from './config/config.ts'
import { LineOutput } from './line-output.ts'

/**
 * Opens the daemon's log, as JSON lines or as text for people. It never blocks: lines that cannot be written are dropped,
 * and their number is logged when writing works again.
 * @param fd the file descriptor to write to: standard output by default
 */
export function openLog({ logLevel, logFormat }: Pick<Config, 'logLevel' | 'logFormat'>, fd = 1): Logger {
  const output = new LineOutput(fd, (dropped) => {
    log.warn({ dropped }, 'log lines were dropped: they could not be written in time')
  })
  const log =
    logFormat === 'json'
      ? pino({ level: logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime }, output)
      : pino({ level: logLevel, base: null }, { write: (line: string) => output.write(prettyLine(line)) })
  return log
}

const prettify = pretty.prettyFactory({
  ignore: 'pid,hostname',
  translateTime: 'SYS:HH:MM:ss.l',
  singleLine: true,
})

/** Formats a line of JSON for a terminal. Text from the network cannot move the cursor or reverse the text direction. */
function prettyLine(line: string): string {
  return prettify(escapeStrings(JSON.parse(line)))
}

function escapeStrings(value: unknown, key = ''): unknown {
  if (typeof value === 'string') {
    // Keeps the line breaks of a stack trace.
    return key === 'stack' ? value.split('\n').map(escapeInvisible).join('\n') : escapeInvisible(value)
  }
  if (Array.isArray(value)) return value.map((item) => escapeStrings(item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [escapeInvisible(name), escapeStrings(item, name)]),
  )
}

/** Escapes control and format characters, line separators and lone surrogates, as in `\u{202e}`. */
function escapeInvisible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${character.codePointAt(0)?.toString(16)}}`
  })
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
