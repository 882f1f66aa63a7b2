import { expect, vi } from 'vitest'
import type { MdnsView } from '../../src/core/mdns/mdns.ts'
import type { Peer, Service, ServiceEvent } from '../../src/shared/api.ts'
import type {
  AvahiBrowser,
  BrowseLine,
  Daemon,
  EventStream,
  Host,
  LabProcess,
  ResolvedLine,
  ZeroconfService,
} from '../lab/index.ts'

export const MDNS_PORT = 5353
const PROTOCOLS = ['IPv4', 'IPv6'] as const

/** A service event and `performance.now()` of its receipt. */
export interface ReceivedServiceEvent extends ServiceEvent {
  receivedAt: number
}

interface ServiceEventOptions {
  timeoutMs?: number
  /** Index of the first event to consider. */
  from?: number
  wanted?: (service: Service) => boolean
}

/** Opens an event stream. Resolves after the initial state. */
export async function openEvents(daemon: Daemon): Promise<EventStream> {
  const stream = await daemon.events()
  await stream.waitFor(({ event }) => event === 'sync')
  return stream
}

/** Waits for an event about a service with this name. */
export async function waitForServiceEvent(
  stream: EventStream,
  type: ServiceEvent['type'],
  name: string,
  { timeoutMs = 45_000, from = 0, wanted = () => true }: ServiceEventOptions = {},
): Promise<ReceivedServiceEvent> {
  const { data, receivedAt } = await stream.waitFor(
    ({ event, data }) => {
      if (event !== type) return false
      const { service } = data as ServiceEvent
      return service.name === name && wanted(service)
    },
    timeoutMs,
    from,
  )
  return { ...(data as ServiceEvent), receivedAt }
}

/** The peers with source mDNS in a state. Default: alive. */
export async function mdnsPeers(daemon: Daemon, state = 'alive'): Promise<Peer[]> {
  return (await daemon.peers(`state=${state}`)).filter(({ source }) => source === 'mdns')
}

/** The mDNS status of the daemon. */
export async function mdnsStatus(daemon: Daemon): Promise<MdnsView> {
  const { mdns } = await daemon.self()
  if (!mdns) throw new Error(`mDNS is disabled in '${daemon.name}'`)
  return mdns
}

/** Waits until all services of the daemon have been announced. */
export async function waitUntilPublished(daemon: Daemon, timeout = 10_000): Promise<MdnsView> {
  return vi.waitFor(
    async () => {
      const view = await mdnsStatus(daemon)
      expect(view.publications.filter(({ state }) => state !== 'published')).toEqual([])
      return view
    },
    { timeout, interval: 20 },
  )
}

export interface Published {
  process: LabProcess
  /** `performance.now()` of the command's success message. */
  at: number
}

/** Starts `earshot publish …`, which publishes until it ends. */
export async function publish(host: Host, name: string, type: string, ...args: string[]): Promise<Published> {
  const process = await host.cliSpawn('publish', name, type, ...args)
  const line = await process.lines.find(
    ({ text }) => text.startsWith('published'),
    15_000,
    () => 'publication',
  )
  return { process, at: line.at }
}

/** Registers a service through the API. Resolves with `performance.now()` of the response. */
export async function register(daemon: Daemon, id: string, service: object): Promise<number> {
  const { status, body } = await daemon.call('PUT', `/v1/services/${id}`, { body: service })
  expect([200, 201], JSON.stringify(body)).toContain(status)
  return performance.now()
}

/** Removes a service through the API. Resolves with `performance.now()` of the response. */
export async function withdraw(daemon: Daemon, id: string): Promise<number> {
  expect((await daemon.call('DELETE', `/v1/services/${id}`)).status).toBeLessThan(300)
  return performance.now()
}

/** Waits until avahi-browse has resolved an instance on both IP versions. Resolves with the lines, IPv4 first. */
export async function waitUntilResolved(
  browser: AvahiBrowser,
  name: string,
  { timeoutMs = 45_000, from = 0, wanted = () => true }: BrowseOptions<ResolvedLine> = {},
): Promise<ResolvedLine[]> {
  const lines = await Promise.all(
    PROTOCOLS.map((protocol) =>
      browser.waitFor(
        (line) => line.change === 'resolved' && line.name === name && line.protocol === protocol && wanted(line),
        timeoutMs,
        from,
      ),
    ),
  )
  return lines.filter((line) => line.change === 'resolved')
}

interface BrowseOptions<Line> {
  timeoutMs?: number
  /** Index of the first line to consider. */
  from?: number
  wanted?: (line: Line) => boolean
}

/** Waits until an instance is removed on both IP versions. Resolves with `performance.now()` of the later line. */
export async function waitUntilRemoved(
  browser: AvahiBrowser,
  name: string,
  timeoutMs = 45_000,
  from = 0,
): Promise<number> {
  const lines = await Promise.all(
    PROTOCOLS.map((protocol) =>
      browser.waitFor(
        (line: BrowseLine) => line.change === 'gone' && line.name === name && line.protocol === protocol,
        timeoutMs,
        from,
      ),
    ),
  )
  return latestTime(lines)
}

/** Time of the latest of these lines. */
export function latestTime(lines: readonly { at: number }[]): number {
  return Math.max(...lines.map(({ at }) => at))
}

/** A service of a host, for publication with zeroconf. */
export function zeroconfService(
  host: Host,
  service: Pick<ZeroconfService, 'name' | 'type' | 'port' | 'txt'>,
): ZeroconfService {
  return { ...service, hostname: `${host.name}.local`, addresses: [host.address(), host.linkLocal()] }
}

/** Runs an `earshot` command, which must succeed. Returns its standard output. */
export async function output(host: Host, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await host.cli(...args)
  expect(code, stderr).toBe(0)
  return stdout
}

/** The lines of the daemon's standard output that are not JSON. */
export function nonJsonLines({ process }: Daemon): string[] {
  return process.stdout.filter((line) => {
    try {
      JSON.parse(line)
      return false
    } catch {
      return true
    }
  })
}
