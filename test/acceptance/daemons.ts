import type { Event, Peer } from '../../src/client/index.ts'
import type { Daemon, DaemonOptions, EventStream, Host } from '../lab/index.ts'

/** The median. Timing tests compare it with a limit, because other load on the machine can spoil single rounds. */
export function median(figures: readonly number[]): number {
  const middle = figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)]
  if (middle === undefined) throw new RangeError('no figures')
  return middle
}

/** The 90th percentile. */
export function percentile90(figures: readonly number[]): number {
  const figure = figures.toSorted((a, b) => a - b)[Math.ceil(figures.length * 0.9) - 1]
  if (figure === undefined) throw new RangeError('no figures')
  return figure
}

/** Time within which a silent peer always fails, even if a delayed daemon gives all peers another lease, ms. */
export const FAILURE_TIMEOUT_MS = 10_000

/** Wall-clock time at which the daemon's sockets were open, ms. The daemon logs it before its first datagram. */
export function socketsReadyAt({ log }: Daemon): number {
  const line = log.find(({ msg }) => msg === 'using interface')
  if (!line) throw new Error('the daemon uses no interface')
  return Date.parse(String(line['time']))
}

/** The peer events so far, from index `from` of the stream on. */
export function peerEvents(stream: EventStream, from = 0): Event[] {
  return stream.events
    .slice(from)
    .filter(({ event }) => event.startsWith('peer-'))
    .map(({ data }) => data as Event)
}

/** Names of the peers with an event of this type so far, in the order of the events. */
export function peersWithEvent(stream: EventStream, type: string, from = 0): string[] {
  return peerEvents(stream, from)
    .filter((event) => event.type === type)
    .map(({ peer }) => peer.name)
}

/** Waits for an event about a matching peer. */
export async function waitForPeerEvent(
  stream: EventStream,
  type: string,
  name: string,
  { timeoutMs = 45_000, from = 0, wanted = () => true }: EventOptions = {},
): Promise<Event> {
  const isWanted = ({ event, data }: { event: string; data: unknown }) =>
    event === type && (data as Event).peer.name === name && wanted((data as Event).peer)
  return (await stream.waitFor(isWanted, timeoutMs, from)).data as Event
}

interface EventOptions {
  timeoutMs?: number
  /** Index of the first event to consider. */
  from?: number
  wanted?: (peer: Peer) => boolean
}

/** Waits for an event about a peer. Resolves with the wall-clock time of the event in the daemon, ms. */
export async function peerEventTime(
  stream: EventStream,
  type: string,
  name: string,
  timeoutMs = 45_000,
  from = 0,
): Promise<number> {
  return Date.parse((await waitForPeerEvent(stream, type, name, { timeoutMs, from })).at)
}

/** Starts a daemon with a long timeout, because many daemons that start at once share the CPU. */
export function start(host: Host, options: DaemonOptions = {}): Promise<Daemon> {
  return host.daemon({ readyTimeout: 120_000, ...options })
}

/** Starts a daemon on each host, all at once. */
export function startAll(hosts: readonly Host[], args: readonly string[] = []): Promise<Daemon[]> {
  return Promise.all(hosts.map((host) => start(host, { args })))
}

/** Waits until every daemon lists all others as alive. */
export async function waitUntilAllAlive(daemons: readonly Daemon[], timeoutMs = 60_000): Promise<void> {
  await Promise.all(
    daemons.map((daemon) =>
      daemon.waitFor(
        (peers) => peers.filter(({ state }) => state === 'alive').length === daemons.length - 1,
        timeoutMs,
      ),
    ),
  )
}

/** Names of hosts `a`, `b`, `c`… */
export function hostNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String.fromCharCode(97 + index))
}

/** Opens a stream of all events since the daemon's start. Resolves when the past events have arrived. */
export async function openAllEvents(daemon: Daemon): Promise<EventStream> {
  const { epoch } = await daemon.self()
  const stream = await daemon.events({ since: `${epoch}-0` })
  await stream.waitFor(({ event }) => event === 'sync')
  return stream
}

/** The current view of a peer in the daemon. */
export function getPeer(daemon: Daemon, name: string): Promise<Peer> {
  return daemon.get<Peer>(`/v1/peers/${name}`)
}

/** Waits until the daemon's view of the peer matches. Resolves with it. */
export async function waitForPeer(
  daemon: Daemon,
  name: string,
  wanted: (peer: Peer) => boolean,
  timeoutMs = 60_000,
): Promise<Peer> {
  const peers = await daemon.waitFor((all) => all.some((peer) => peer.name === name && wanted(peer)), timeoutMs)
  const found = peers.find((peer) => peer.name === name)
  if (!found) throw new Error(`no peer ${name}`)
  return found
}

/** The addresses of a peer, sorted. */
export function addressesOf({ addresses }: Peer): string[] {
  return addresses.map(({ address }) => address).sort()
}

/** The broadcast and multicast paths of a peer since `since` (wall-clock ms), as `eth0 broadcast`, sorted. */
export function pathsOf({ paths }: Peer, since = 0): string[] {
  return paths
    .filter(({ path, lastHeard }) => path !== 'unicast' && Date.parse(lastHeard) >= since)
    .map((on) => `${on.interface} ${on.path}`)
    .sort()
}

/** The log entries with this message. */
export function logEntries({ log }: Daemon, message: string | RegExp): Record<string, unknown>[] {
  return log.filter(({ msg }) => String(msg).search(message) !== -1)
}

/** Number of UDP sockets on the host. */
export async function udpSockets(host: Host): Promise<number> {
  const { stdout } = await host.exec('sh', ['-c', 'tail -qn +2 /proc/net/udp /proc/net/udp6'])
  return stdout.split('\n').filter(Boolean).length
}

/** Log lines from index `from` on, without the warning of a delayed daemon, which occurs on a busy machine. */
export function logLinesSince({ process }: Daemon, from: number): string[] {
  return process.lines.items
    .slice(from)
    .flatMap(({ text }) => (text.includes('every peer gets another lease') ? [] : [text]))
}
