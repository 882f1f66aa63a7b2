import { type Logger, pino } from 'pino'
import pretty from 'pino-pretty'
import type { Config } from './config/index.ts'

/** The daemon's log, on standard output: JSON lines, or for people's eyes. */
export function openLog({ logLevel, logFormat }: Pick<Config, 'logLevel' | 'logFormat'>): Logger {
  if (logFormat === 'json') return pino({ level: logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime })
  const stream = pretty({ ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l', singleLine: true, sync: true })
  return pino({ level: logLevel, base: null }, stream)
}
