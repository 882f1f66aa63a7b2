import type { Daemon, EventStream, Host } from '../lab/index.ts'

/** When the daemon's sockets were open, wall-clock ms: its own log says it just before its first datagram. */
export function socketsReadyAt({ log }: Daemon): number {
  const line = log.find(({ msg }) => msg === 'using interface')
  if (!line) throw new Error('the daemon uses no interface')
  return Date.parse(String(line['time']))
}

interface PeerEvent {
  type: string
  at: string
  peer: { name: string; state: string; incarnation: number }
}

/** The events about peers so far. */
export function peerEvents(stream: EventStream): PeerEvent[] {
  return stream.events.filter(({ event }) => event.startsWith('peer-')).map(({ data }) => data as PeerEvent)
}

/** Waits for an event about a peer; resolves with the wall-clock ms at which the daemon knew it. */
export async function knewAt(
  stream: EventStream,
  type: string,
  name: string,
  timeoutMs = 5000,
  from = 0,
): Promise<number> {
  const isWanted = ({ event, data }: { event: string; data: unknown }) =>
    event === type && (data as PeerEvent).peer.name === name
  const { data } = await stream.waitFor(isWanted, timeoutMs, from)
  return Date.parse((data as PeerEvent).at)
}

/** A daemon on each host, all started at once. */
export function startAll(hosts: readonly Host[], args: readonly string[] = []): Promise<Daemon[]> {
  return Promise.all(hosts.map((host) => host.daemon({ args })))
}

/** Waits until every daemon lists all others as alive. */
export async function acquainted(daemons: readonly Daemon[], timeoutMs = 10_000): Promise<void> {
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

/** The daemon's events from its start on. */
export async function history(daemon: Daemon): Promise<EventStream> {
  const { epoch } = await daemon.get<{ epoch: string }>('/v1/self')
  return daemon.events({ since: `${epoch}-0` })
}
