import type { Options } from 'yargs'
import type { Earshot, PeerFilter, PeerState } from '../client/index.ts'
import { formatDuration, parseDuration } from '../shared/duration.ts'
import { listFlag } from '../shared/flags.ts'
import { PEER_STATES } from '../shared/peer-state.ts'
import { UsageError } from './errors.ts'
import type { Output } from './terminal.ts'

/** What commands share: their context, the flags that select peers, and the parsing of argument values. */

/** What a command works with. */
export interface Context {
  output: Output
  /** A client of the daemon that `--socket` names, else of the one it finds. */
  daemon(options: GlobalOptions): Earshot
  /** Aborted on SIGINT and SIGTERM. */
  signal: AbortSignal
  /** The current time, ms since 1970. */
  now(): number
}

/** The flags of every command. */
export interface GlobalOptions {
  socket?: string | undefined
  json?: boolean | undefined
}

/** A list flag whose values may also be separated by commas. */
const commaListFlag = {
  ...listFlag,
  coerce: (values: readonly string[] | undefined) => values?.flatMap((text) => text.split(',')),
} as const satisfies Options

/** The flags that select peers. */
export const peerOptions = {
  service: {
    ...commaListFlag,
    describe: 'Only peers with a service of this type: http, osc/udp or _http._tcp',
  },
  state: {
    ...commaListFlag,
    describe: 'Only peers in this state: alive, suspect, failed, left or all',
    defaultDescription: 'alive,suspect',
  },
  where: {
    ...listFlag,
    describe: 'Only peers with this attribute: status=idle',
  },
  all: { type: 'boolean', describe: 'Also peers that have failed or left', conflicts: 'state' },
  self: { type: 'boolean', describe: 'Also this machine itself' },
  signed: { type: 'boolean', describe: 'Leave out what was found by mDNS, which is not signed' },
} as const satisfies Record<string, Options>

/** The parsed values of these flags. */
export interface PeerArguments {
  service?: string[] | undefined
  state?: string[] | undefined
  where?: string[] | undefined
  all?: boolean | undefined
  self?: boolean | undefined
  signed?: boolean | undefined
}

/** @throws UsageError if a state is unknown or a value of `--where` is not `key=value` */
export function peerFilter({ service, state, where = [], all, self, signed }: PeerArguments): PeerFilter {
  const states = all ? 'all' : parseStates(state)
  return {
    ...(service && { service }),
    ...(states && { state: states }),
    ...(where.length > 0 && { attributes: parseAttributeFilter(where) }),
    ...(self && { self }),
    ...(signed && { source: 'beacon' as const }),
  }
}

/**
 * The values of `--where`.
 * @throws UsageError if one of them is not `key=value`
 */
export function parseAttributeFilter(where: readonly string[]): Record<string, string> {
  return Object.fromEntries(where.map((text) => parsePair('--where', text)))
}

function parseStates(texts: readonly string[] | undefined): PeerState[] | 'all' | undefined {
  if (texts?.includes('all')) return 'all'
  return texts?.map((text) => {
    if (isState(text)) return text
    throw new UsageError(`--state: expected ${PEER_STATES.join(', ')} or all, found "${text}"`)
  })
}

function isState(text: string): text is PeerState {
  return PEER_STATES.some((state) => state === text)
}

/**
 * A duration such as `500ms`, `2s` or `5m`, in ms.
 * @throws UsageError if it is no duration, or not within `min` and `max` (ms)
 */
export function parseDurationFlag(flag: string, text: string, [min, max]: readonly [min: number, max: number]): number {
  const milliseconds = parseDuration(text)
  if (milliseconds === undefined) {
    throw new UsageError(`${flag}: expected a duration such as 500ms, 2s or 5m, found "${text}"`)
  }
  if (milliseconds < min || milliseconds > max) {
    throw new UsageError(`${flag}: expected ${formatDuration(min)} to ${formatDuration(max)}, found "${text}"`)
  }
  return milliseconds
}

/** @throws UsageError if the text is no whole number, or not within `min` and `max` */
export function parseInteger(name: string, text: string, [min, max]: readonly [min: number, max: number]): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= min && number <= max)) {
    throw new UsageError(`${name}: expected a whole number from ${min} to ${max}, found "${text}"`)
  }
  return number
}

/**
 * `KEY=VALUE`, split at the first `=`.
 * @throws UsageError if the key or the `=` is missing
 */
export function parsePair(name: string, text: string): [key: string, value: string] {
  const at = text.indexOf('=')
  if (at < 1) throw new UsageError(`${name}: expected key=value, found "${text}"`)
  return [text.slice(0, at), text.slice(at + 1)]
}
