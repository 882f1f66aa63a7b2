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

/** What is said of a host's service, and `performance.now()` when the test came to know of it. */
export interface Told extends ServiceEvent {
  receivedAt: number
}

interface ServiceWish {
  timeoutMs?: number
  /** Number of events at the stream's beginning that are not looked at. */
  from?: number
  wanted?: (service: Service) => boolean
}

/** The daemon's events from now on; the present state has come when it resolves. */
export async function live(daemon: Daemon): Promise<EventStream> {
  const stream = await daemon.events()
  await stream.waitFor(({ event }) => event === 'sync')
  return stream
}

/** Waits for an event about a service of this name. */
export async function serviceTold(
  stream: EventStream,
  type: ServiceEvent['type'],
  name: string,
  { timeoutMs = 15_000, from = 0, wanted = () => true }: ServiceWish = {},
): Promise<Told> {
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

/** The peers in any of these states (default: alive) that are known by mDNS only. */
export async function foundByMdns(daemon: Daemon, state = 'alive'): Promise<Peer[]> {
  return (await daemon.peers(`state=${state}`)).filter(({ source }) => source === 'mdns')
}

/** How the daemon stands on mDNS. */
export async function mdnsOf(daemon: Daemon): Promise<MdnsView> {
  const { mdns } = await daemon.get<{ mdns: MdnsView | null }>('/v1/self')
  if (!mdns) throw new Error(`'${daemon.name}' does not speak mDNS`)
  return mdns
}

/** Waits until all that the daemon publishes has been announced. */
export async function announced(daemon: Daemon, timeout = 10_000): Promise<MdnsView> {
  return vi.waitFor(
    async () => {
      const view = await mdnsOf(daemon)
      expect(view.publications.filter(({ state }) => state !== 'published')).toEqual([])
      return view
    },
    { timeout, interval: 20 },
  )
}

export interface Published {
  process: LabProcess
  /** `performance.now()` when the command said that it was done. */
  at: number
}

/** `earshot publish …`, which publishes until it is ended. */
export async function publish(host: Host, name: string, type: string, ...args: string[]): Promise<Published> {
  const process = await host.cliSpawn('publish', name, type, ...args)
  const said = await process.lines.find(
    ({ text }) => text.startsWith('published'),
    15_000,
    () => 'publication',
  )
  return { process, at: said.at }
}

/** Puts a service through the API; resolves with `performance.now()` of the answer. */
export async function register(daemon: Daemon, id: string, service: object): Promise<number> {
  const { status, body } = await daemon.call('PUT', `/v1/services/${id}`, { body: service })
  expect([200, 201], JSON.stringify(body)).toContain(status)
  return performance.now()
}

/** Ends a service; resolves with `performance.now()` of the answer. */
export async function withdraw(daemon: Daemon, id: string): Promise<number> {
  expect((await daemon.call('DELETE', `/v1/services/${id}`)).status).toBeLessThan(300)
  return performance.now()
}

/** Waits until avahi-browse has resolved an instance on both IP versions; resolves with the lines, IPv4 first. */
export async function resolvedBoth(
  browser: AvahiBrowser,
  name: string,
  { timeoutMs = 15_000, from = 0, wanted = () => true }: BrowseWish<ResolvedLine> = {},
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

interface BrowseWish<Line> {
  timeoutMs?: number
  /** Number of lines at the beginning that are not looked at. */
  from?: number
  wanted?: (line: Line) => boolean
}

/** Waits until avahi-browse has told on both IP versions that an instance has gone; `performance.now()` of the later. */
export async function goneBoth(browser: AvahiBrowser, name: string, timeoutMs = 15_000, from = 0): Promise<number> {
  const lines = await Promise.all(
    PROTOCOLS.map((protocol) =>
      browser.waitFor(
        (line: BrowseLine) => line.change === 'gone' && line.name === name && line.protocol === protocol,
        timeoutMs,
        from,
      ),
    ),
  )
  return latest(lines)
}

/** When the last of these came. */
export function latest(lines: readonly { at: number }[]): number {
  return Math.max(...lines.map(({ at }) => at))
}

/** What a host without earshot offers through zeroconf. */
export function offerOf(host: Host, service: Pick<ZeroconfService, 'name' | 'type' | 'port' | 'txt'>): ZeroconfService {
  return { ...service, hostname: `${host.name}.local`, addresses: [host.address(), host.linkLocal()] }
}

/** A command's standard output; its status has to be 0. */
export async function output(host: Host, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await host.cli(...args)
  expect(code, stderr).toBe(0)
  return stdout
}

/** The lines of its standard output that are no JSON. */
export function brokenLines({ process }: Daemon): string[] {
  return process.stdout.filter((line) => {
    try {
      JSON.parse(line)
      return false
    } catch {
      return true
    }
  })
}
