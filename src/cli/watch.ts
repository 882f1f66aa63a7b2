import { reconnecting } from '../client/event-stream.ts'
import type { Change, DaemonEvent, EarshotError, Peer, Synced } from '../client/index.ts'
import { formatDuration } from '../shared/duration.ts'
import { isPresent } from '../shared/peer-state.ts'
import { serviceChanges } from '../shared/service-changes.ts'
import { ExecQueue } from './child-commands.ts'
import { type Context, type GlobalOptions, parseAttributeFilter, parseDurationFlag } from './command.ts'
import { DEFAULT_EXEC_TIMEOUT } from './commands.ts'
import { UsageError } from './errors.ts'
import { clockTime } from './format.ts'
import { allAddresses, mainAddress, STATE_FORMATS, servicesText, serviceText } from './peer-text.ts'
import { type Format, type Output, printable, printableJson } from './terminal.ts'
import { padded } from './text-columns.ts'
import { cut, loadWidths, widthOf } from './text-width.ts'

interface WatchOptions extends GlobalOptions {
  service?: string[] | undefined
  where?: string[] | undefined
  self?: boolean | undefined
  exec?: string | undefined
  'exec-timeout'?: string | undefined
}

const MIN_EXEC_TIMEOUT_MS = 100
const MAX_EXEC_TIMEOUT_MS = 86_400_000

/** `earshot watch`: the present state, a line with `:`, then one line for each change, until SIGINT. */
export async function watch(options: WatchOptions, context: Context): Promise<void> {
  if (options.exec === undefined && options['exec-timeout'] !== undefined) {
    throw new UsageError('--exec-timeout needs --exec')
  }
  if (options.exec !== undefined) await execForChanges(options.exec, options, context)
  else await (options.json ? printEvents(options, context) : printChanges(options, context))
}

async function printChanges(options: WatchOptions, context: Context): Promise<void> {
  const { output } = context
  const lines = new WatchLines()
  for await (const change of changes(options, context)) {
    const line = lines.next(change)
    if (!line) continue
    if (output.terminal) await loadWidths(line)
    await output.write(watchText(line, output))
  }
}

/** `--json`: the daemon's events in the shape of the API, `gap` and `sync` included. */
async function printEvents(options: WatchOptions, context: Context): Promise<void> {
  for await (const { lastEventId, ...event } of events(options, context)) {
    await context.output.write(printableJson(event))
  }
}

/** `--exec`: runs the command for each change after the initial state. */
async function execForChanges(command: string, options: WatchOptions, context: Context): Promise<void> {
  const { warn } = context.output
  const timeout = parseDurationFlag('--exec-timeout', options['exec-timeout'] ?? DEFAULT_EXEC_TIMEOUT, [
    MIN_EXEC_TIMEOUT_MS,
    MAX_EXEC_TIMEOUT_MS,
  ])
  // If the command runs `earshot`, that asks the same daemon.
  const env = options.socket === undefined ? {} : { EARSHOT_SOCKET: options.socket }
  const queue = new ExecQueue({ command, timeout, env, warn })
  let synced = false
  try {
    for await (const change of changes(options, context)) {
      if (change.type === 'sync') synced = true
      else if (synced) queue.push(change)
    }
  } finally {
    await queue.close()
  }
}

/** The present state, a `sync`, then changes, until the signal is aborted. */
async function* changes(options: WatchOptions, context: Context): AsyncGenerator<Change | Synced, void, void> {
  const { output, signal } = context
  const { where } = options
  const filter = { ...filterOf(options), ...(where && { attributes: parseAttributeFilter(where) }) }
  try {
    const onConnection = (connected: boolean): void => warnOfConnection(connected, output)
    yield* context.daemon(options).watch(filter, { signal, sync: true, onConnection })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/**
 * The present state, then the daemon's events, until the signal is aborted. Reconnects when the daemon restarts.
 * @throws EarshotError if the first connection fails, or if the daemon refuses
 */
async function* events(options: WatchOptions, context: Context): AsyncGenerator<DaemonEvent, void, void> {
  const { output, signal } = context
  const daemon = context.daemon(options)
  let since: string | undefined
  let hasConnected = false
  let isConnected = true
  const open = () => daemon.events({ ...filterOf(options), since, state: true, signal })
  const onLoss = (error: EarshotError | undefined): void => {
    if (!hasConnected && error) throw error
    if (isConnected) warnOfConnection(false, output)
    isConnected = false
  }
  try {
    for await (const event of reconnecting(open, onLoss, signal)) {
      if (!isConnected) warnOfConnection(true, output)
      hasConnected = true
      isConnected = true
      since = event.lastEventId || since
      yield event
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function warnOfConnection(connected: boolean, { warn }: Output): void {
  warn(connected ? 'the daemon is back' : 'the daemon has gone: waiting for it to come back')
}

function filterOf({ service, self }: WatchOptions): { service?: string[]; self?: boolean } {
  return { ...(service && { service }), ...(self && { self }) }
}

/** The signs of `avahi-browse` for new and gone, one for changed and one for suspect; `:` ends the initial state. */
type Sign = '+' | '~' | '?' | '-' | ':'

interface WatchLine {
  sign: Sign
  /** ISO 8601. */
  at: string
  /** Undefined for `:`. */
  peer?: Peer
  /** What changed, in a few words. Empty if the sign says everything. */
  change: string
}

/** Turns changes into the lines of `watch`. By the signs a reader can keep the list of present peers. */
class WatchLines {
  readonly #known = new Map<string, Peer>()

  /** The line for a change; undefined if there is nothing to show. */
  next(change: Change | Synced): WatchLine | undefined {
    const { type, at } = change
    if (type === 'sync') return { sign: ':', at, change: '' }
    // The line of the peer names its changed services.
    if ('service' in change) return undefined
    const { peer, present } = change
    const before = this.#known.get(peer.id)
    if (present) this.#known.set(peer.id, peer)
    else this.#known.delete(peer.id)
    if (!present)
      return { sign: '-', at, peer, change: !isPresent(peer) || !before ? '' : peerDifferences(before, peer) }
    if (!before) return { sign: '+', at, peer, change: '' }
    if (type === 'peer-suspect') {
      // The sign shows the state, so only other differences are named.
      return { sign: '?', at, peer, change: peerDifferences({ ...before, state: peer.state }, peer) }
    }
    const differences = peerDifferences(before, peer)
    return differences === '' ? undefined : { sign: '~', at, peer, change: differences }
  }
}

/** What changed between two views of a peer, in a few words: `status=idle, +http:8080`. */
function peerDifferences(before: Peer, after: Peer): string {
  return [
    before.name !== after.name && `was ${printable(before.name)}`,
    before.state !== after.state && (after.state === 'alive' ? 'alive again' : `was ${before.state}`),
    before.incarnation !== after.incarnation && 'restarted',
    allAddresses(before) !== allAddresses(after) && `had ${allAddresses(before) || 'no address'}`,
    before.hostname !== after.hostname && `host ${printable(after.hostname)}`,
    before.version !== after.version && `version ${printable(after.version)}`,
    before.intervalMs !== after.intervalMs && `every ${formatDuration(after.intervalMs)}`,
    ...serviceDifferences(before, after),
    ...attributeDifferences(before.attributes, after.attributes),
  ]
    .filter((words) => words !== false)
    .join(', ')
}

const SIGN_OF_SERVICE_CHANGE = { 'service-up': '+', 'service-update': '~', 'service-down': '-' } as const

function serviceDifferences(before: Peer, after: Peer): string[] {
  return serviceChanges(before.services, after.services).map(({ type, service }) => {
    return SIGN_OF_SERVICE_CHANGE[type] + serviceText(service, type === 'service-down' ? before : after)
  })
}

function attributeDifferences(before: Peer['attributes'], after: Peer['attributes']): string[] {
  const set = Object.entries(after).filter(([key, value]) => !Object.hasOwn(before, key) || before[key] !== value)
  const unset = Object.keys(before).filter((key) => !Object.hasOwn(after, key))
  return [...set.map(([key, value]) => printable(`${key}=${value}`)), ...unset.map((key) => printable(`-${key}`))]
}

const SIGN_FORMATS: Readonly<Record<Sign, Format>> = {
  '+': 'green',
  '~': 'bold',
  '?': 'yellow',
  '-': 'red',
  ':': 'dim',
}
const NAME_WIDTH = 16
const STATE_WIDTH = 7
const ADDRESS_WIDTH = 15

/** Sign, time, name, state, address, services, change: aligned on a terminal, tab-separated whole values elsewhere. */
export function watchText(
  { sign, at, peer, change }: WatchLine,
  { terminal, width, style }: Pick<Output, 'terminal' | 'width' | 'style'>,
): string {
  if (!peer) return sign
  const name = printable(peer.name)
  const services = servicesText(peer)
  if (!terminal) return [sign, at, name, peer.state, allAddresses(peer), services, change].join('\t')
  const head = [style(SIGN_FORMATS[sign], sign), style('dim', clockTime(at))]
  const state = style(STATE_FORMATS[peer.state], padded(peer.state, STATE_WIDTH))
  const address = padded(mainAddress(peer), ADDRESS_WIDTH)
  const what = change && `(${change})`
  const shortName = padded(cut(name, NAME_WIDTH), NAME_WIDTH)
  const whole = joined([...head, padded(name, NAME_WIDTH), state, address, services, what])
  // A narrow terminal shows the change rather than services and address.
  const shorter =
    what === '' ? [] : [joined([...head, shortName, state, address, what]), joined([...head, shortName, state, what])]
  const fitting = [whole, ...shorter].find((text) => widthOf(text) <= width)
  return cut(fitting ?? shorter.at(-1) ?? whole, width)
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' ')
}
