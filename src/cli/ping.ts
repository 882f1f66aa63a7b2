import { setTimeout as delay } from 'node:timers/promises'
import { type Earshot, EarshotError, type Peer } from '../client/index.ts'
import { textFlag } from '../shared/flags.ts'
import type { Command, Context, GlobalOptions } from './command.ts'
import { EXIT } from './failure.ts'
import { measured } from './layout.ts'
import { mainAddress } from './peer-text.ts'
import { printable, printableJson } from './printable.ts'
import { readDuration, readWhole } from './values.ts'

interface PingOptions extends GlobalOptions {
  peer: string
  count?: string | undefined
  interval?: string | undefined
}

const FLAGS = {
  count: { ...textFlag, alias: 'c', describe: 'End after so many probes' },
  interval: {
    ...textFlag,
    alias: 'i',
    describe: 'Time between probes, at least that between its beats',
    defaultDescription: '1s',
  },
} as const

const MOST_PROBES = 1_000_000
const SECOND_MS = 1000
const HOUR_MS = 3_600_000

/** `earshot ping PEER`: its round-trip time, as `ping` tells it. */
export function pingCommand(context: Context): Command<PingOptions> {
  return {
    command: 'ping <peer>',
    describe: 'Measure the round trip to a peer',
    builder: (yargs) =>
      yargs
        .positional('peer', { type: 'string', demandOption: true, describe: 'Its name, or how its id begins' })
        .options(FLAGS),
    flags: FLAGS,
    handler: async (options) => {
      const { output, signal } = context
      const count = options.count === undefined ? undefined : readWhole('--count', options.count, [1, MOST_PROBES])
      const daemon = context.daemon(options)
      const peer = await daemon.peer(options.peer, { signal })
      const { id, name } = peer
      const interval = readInterval(options.interval, peer)
      const say = options.json ? jsonReport(id, name) : textReport(printable(name))
      if (!options.json) await output.write(`PING ${printable(name)} ${mainAddress(peer) || '(no address)'}`)
      const trips: number[] = []
      let sent = 0
      while (!signal.aborted && (count === undefined || sent < count)) {
        if (sent > 0) await delay(interval, undefined, { signal }).catch(() => {})
        const rttMs = await probe(daemon, id, signal)
        if (rttMs === 'interrupted') break
        sent++
        if (rttMs !== undefined) trips.push(rttMs)
        await output.write(say.probe(sent, rttMs))
      }
      await output.write(...say.summary(sent, trips))
      if (trips.length === 0) process.exitCode = EXIT.no
    },
  }
}

/**
 * A peer answers two probes between two beats, whoever asks: one who asks more often would take its silence for a loss.
 * @throws Usage
 */
function readInterval(text: string | undefined, { intervalMs }: Peer): number {
  if (text === undefined) return Math.max(SECOND_MS, intervalMs)
  return readDuration('--interval', text, [intervalMs, Math.max(HOUR_MS, intervalMs)])
}

/** The round trip in ms; undefined when no answer came. */
async function probe(daemon: Earshot, id: string, signal: AbortSignal): Promise<number | undefined | 'interrupted'> {
  try {
    return await daemon.ping(id, { signal })
  } catch (error) {
    if (signal.aborted) return 'interrupted'
    if (error instanceof EarshotError && error.code === 'EARSHOT_NO_ANSWER') return undefined
    throw error
  }
}

interface Report {
  probe: (sequence: number, rttMs: number | undefined) => string
  summary: (sent: number, trips: readonly number[]) => string[]
}

function textReport(name: string): Report {
  return {
    probe: (sequence, rttMs) =>
      rttMs === undefined
        ? `no answer from ${name}: seq=${sequence}`
        : `${name}: seq=${sequence} time=${measured(rttMs)}`,
    summary: (sent, trips) => {
      const { lossPercent, min, avg, max } = statistics(sent, trips)
      const times = [min, avg, max].map((one) => one?.toFixed(2)).join('/')
      return [
        '',
        `--- ${name}: ${sent} sent, ${trips.length} answered, ${lossPercent} % lost`,
        ...(trips.length > 0 ? [`round trip min/avg/max = ${times} ms`] : []),
      ]
    },
  }
}

function jsonReport(id: string, name: string): Report {
  const peer = { id, name }
  return {
    probe: (seq, rttMs) =>
      printableJson({ seq, peer, ...(rttMs === undefined ? { code: 'EARSHOT_NO_ANSWER' } : { rttMs }) }),
    summary: (sent, trips) => [printableJson({ peer, sent, answered: trips.length, ...statistics(sent, trips) })],
  }
}

function statistics(sent: number, trips: readonly number[]) {
  const lossPercent = sent === 0 ? 0 : Math.round((100 * (sent - trips.length)) / sent)
  if (trips.length === 0) return { lossPercent }
  const avg = trips.reduce((sum, one) => sum + one, 0) / trips.length
  return { lossPercent, min: Math.min(...trips), avg, max: Math.max(...trips) }
}
