import type { Event, Peer } from '../../src/client/index.ts'
import type { Daemon, DaemonOptions, EventStream, Host } from '../lab/index.ts'

/** What a figure is judged by: of several rounds the middle one, since a machine that does other things too spoils single ones. */
export function median(figures: readonly number[]): number {
  const middle = figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)]
  if (middle === undefined) throw new RangeError('no figures')
  return middle
}

/** What nine tenths of the figures stay below, or at. */
export function nineTenths(figures: readonly number[]): number {
  const figure = figures.toSorted((a, b) => a - b)[Math.ceil(figures.length * 0.9) - 1]
  if (figure === undefined) throw new RangeError('no figures')
  return figure
}

/** Longer than it takes to give up a peer that has fallen silent, and who doubts itself gives it another lease, ms. */
export const VERDICT_MS = 10_000

/** When the daemon's sockets were open, wall-clock ms: its own log says it just before its first datagram. */
export function socketsReadyAt({ log }: Daemon): number {
  const line = log.find(({ msg }) => msg === 'using interface')
  if (!line) throw new Error('the daemon uses no interface')
  return Date.parse(String(line['time']))
}

/** The events about peers so far, from the `from`th of the stream on. */
export function peerEvents(stream: EventStream, from = 0): Event[] {
  return stream.events
    .slice(from)
    .filter(({ event }) => event.startsWith('peer-'))
    .map(({ data }) => data as Event)
}

/** Names of the peers that the stream told such an event of, in that order. */
export function told(stream: EventStream, type: string, from = 0): string[] {
  return peerEvents(stream, from)
    .filter((event) => event.type === type)
    .map(({ peer }) => peer.name)
}

/** Waits for an event about a peer that is as wanted. */
export async function nextEvent(
  stream: EventStream,
  type: string,
  name: string,
  { timeoutMs = 15_000, from = 0, wanted = () => true }: EventWish = {},
): Promise<Event> {
  const isWanted = ({ event, data }: { event: string; data: unknown }) =>
    event === type && (data as Event).peer.name === name && wanted((data as Event).peer)
  return (await stream.waitFor(isWanted, timeoutMs, from)).data as Event
}

interface EventWish {
  timeoutMs?: number
  /** Number of events at the stream's beginning that are not looked at. */
  from?: number
  wanted?: (peer: Peer) => boolean
}

/** Waits for an event about a peer; resolves with the wall-clock ms at which the daemon knew it. */
export async function knewAt(
  stream: EventStream,
  type: string,
  name: string,
  timeoutMs = 15_000,
  from = 0,
): Promise<number> {
  return Date.parse((await nextEvent(stream, type, name, { timeoutMs, from })).at)
}

/** A daemon that may take its time to start: where many do at once, they wait for each other's processor time. */
export function start(host: Host, options: DaemonOptions = {}): Promise<Daemon> {
  return host.daemon({ readyTimeout: 60_000, ...options })
}

/** A daemon on each host, all started at once. */
export function startAll(hosts: readonly Host[], args: readonly string[] = []): Promise<Daemon[]> {
  return Promise.all(hosts.map((host) => start(host, { args })))
}

/** Waits until every daemon lists all others as alive. */
export async function acquainted(daemons: readonly Daemon[], timeoutMs = 30_000): Promise<void> {
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
export function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String.fromCharCode(97 + index))
}

/** The daemon's events from its start on; those of the past have come when it resolves. */
export async function history(daemon: Daemon): Promise<EventStream> {
  const { epoch } = await daemon.get<{ epoch: string }>('/v1/self')
  const stream = await daemon.events({ since: `${epoch}-0` })
  await stream.waitFor(({ event }) => event === 'sync')
  return stream
}

/** One peer as the daemon sees it now. */
export function look(daemon: Daemon, name: string): Promise<Peer> {
  return daemon.get<Peer>(`/v1/peers/${name}`)
}

/** Waits until the daemon sees the peer as wanted; resolves with what it then saw. */
export async function seen(
  daemon: Daemon,
  name: string,
  wanted: (peer: Peer) => boolean,
  timeoutMs = 30_000,
): Promise<Peer> {
  const peers = await daemon.waitFor(
    (all) => all.some((peer) => peer.name === name && wanted(peer as unknown as Peer)),
    timeoutMs,
  )
  return peers.find((peer) => peer.name === name) as unknown as Peer
}

/** Its addresses, sorted. */
export function addressesOf({ addresses }: Peer): string[] {
  return addresses.map(({ address }) => address).sort()
}

/** The shared paths that it was heard on since `since` (wall-clock ms), as `eth0 broadcast`, sorted. */
export function pathsOf({ paths }: Peer, since = 0): string[] {
  return paths
    .filter(({ path, lastHeard }) => path !== 'unicast' && Date.parse(lastHeard) >= since)
    .map((on) => `${on.interface} ${on.path}`)
    .sort()
}

/** The lines of its log with this message. */
export function logged({ log }: Daemon, message: string | RegExp): Record<string, unknown>[] {
  return log.filter(({ msg }) => String(msg).search(message) !== -1)
}

/** How many UDP sockets there are in the host. */
export async function udpSockets(host: Host): Promise<number> {
  const { stdout } = await host.exec('sh', ['-c', 'tail -qn +2 /proc/net/udp /proc/net/udp6'])
  return stdout.split('\n').filter(Boolean).length
}

/** What its log said from line `from` on, but for doubts about itself: those come when the machine is too busy. */
export function saidSince({ process }: Daemon, from: number): string[] {
  return process.lines.items
    .slice(from)
    .flatMap(({ text }) => (text.includes('every peer gets another lease') ? [] : [text]))
}
