import { setTimeout as delay } from 'node:timers/promises'
import { type Earshot, EarshotError, type Peer } from '../client/index.ts'
import { type Context, type GlobalOptions, parseDurationFlag, parseInteger } from './command.ts'
import { EXIT } from './errors.ts'
import { millisecondsText } from './format.ts'
import { mainAddress } from './peer-text.ts'
import { printable, printableJson } from './terminal.ts'

interface PingOptions extends GlobalOptions {
  peer: string
  count?: string | undefined
  interval?: string | undefined
}

const MAX_PROBES = 1_000_000
const MIN_DEFAULT_INTERVAL_MS = 1000
const MAX_INTERVAL_MS = 3_600_000

/** `earshot ping PEER`: the round-trip time to a peer, in the format of `ping`. */
export async function ping(options: PingOptions, context: Context): Promise<void> {
  const { output, signal } = context
  const count = options.count === undefined ? undefined : parseInteger('--count', options.count, [1, MAX_PROBES])
  const daemon = context.daemon(options)
  const peer = await daemon.peer(options.peer, { signal })
  const { id, name } = peer
  const interval = intervalOf(options.interval, peer)
  const report = options.json ? jsonReport(id, name) : textReport(printable(name))
  if (!options.json) await output.write(`PING ${printable(name)} ${mainAddress(peer) || '(no address)'}`)
  const roundTrips: number[] = []
  let sent = 0
  while (!signal.aborted && (count === undefined || sent < count)) {
    if (sent > 0) await delay(interval, undefined, { signal }).catch(() => {})
    const rttMs = await probe(daemon, id, signal)
    if (rttMs === 'interrupted') break
    sent++
    if (rttMs !== undefined) roundTrips.push(rttMs)
    await output.write(report.probe(sent, rttMs))
  }
  await output.write(...report.summary(sent, roundTrips))
  if (roundTrips.length === 0) process.exitCode = EXIT.failed
}

/**
 * The time between probes, ms. A peer answers at most two probes in each of its beacon intervals, so faster probes would
 * count as lost.
 * @throws UsageError if the interval is no duration or out of range
 */
function intervalOf(text: string | undefined, { intervalMs }: Peer): number {
  if (text === undefined) return Math.max(MIN_DEFAULT_INTERVAL_MS, intervalMs)
  return parseDurationFlag('--interval', text, [intervalMs, Math.max(MAX_INTERVAL_MS, intervalMs)])
}

/** The round trip in ms; undefined if no answer came. */
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
  summary: (sent: number, roundTrips: readonly number[]) => string[]
}

function textReport(name: string): Report {
  return {
    probe: (sequence, rttMs) =>
      rttMs === undefined
        ? `no answer from ${name}: seq=${sequence}`
        : `${name}: seq=${sequence} time=${millisecondsText(rttMs)}`,
    summary: (sent, roundTrips) => {
      const { lossPercent, min, avg, max } = statistics(sent, roundTrips)
      const times = [min, avg, max].map((one) => one?.toFixed(2)).join('/')
      return [
        '',
        `--- ${name}: ${sent} sent, ${roundTrips.length} answered, ${lossPercent} % lost`,
        ...(roundTrips.length > 0 ? [`round trip min/avg/max = ${times} ms`] : []),
      ]
    },
  }
}

function jsonReport(id: string, name: string): Report {
  const peer = { id, name }
  return {
    probe: (seq, rttMs) =>
      printableJson({ seq, peer, ...(rttMs === undefined ? { code: 'EARSHOT_NO_ANSWER' } : { rttMs }) }),
    summary: (sent, roundTrips) => [
      printableJson({ peer, sent, answered: roundTrips.length, ...statistics(sent, roundTrips) }),
    ],
  }
}

function statistics(sent: number, roundTrips: readonly number[]) {
  const lossPercent = sent === 0 ? 0 : Math.round((100 * (sent - roundTrips.length)) / sent)
  if (roundTrips.length === 0) return { lossPercent }
  const avg = roundTrips.reduce((sum, one) => sum + one, 0) / roundTrips.length
  return { lossPercent, min: Math.min(...roundTrips), avg, max: Math.max(...roundTrips) }
}
