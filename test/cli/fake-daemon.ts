import type { Self } from '../../src/client/index.ts'
import type { ApiError } from '../../src/shared/api.ts'
import { BEGINNING, mdnsKnowing } from '../daemon/control/fixtures.ts'
import { type RecordedRequest, ScriptedDaemon, type ScriptedReply } from '../scripted-daemon.ts'
import { NOW, someSelf } from './some-peers.ts'

/** The real control server with the peers of the test. The status of the daemon is scripted, and errors can be. */
export class FakeDaemon extends ScriptedDaemon {
  /** The URLs of all requests, except health checks. */
  readonly asked: string[] = []
  /** The requests that change something: method, path, and the body if there is one. */
  readonly changes: [method: string, path: string, body?: unknown][] = []
  self: Self = someSelf
  /** Round trips of the next probes, ms; `undefined` for no answer. */
  probes: (number | undefined)[] = []
  /** Whether blocking queries get no answer, as if nothing changed. */
  holdBack = false
  /** If set, the answer to every request. */
  refusal: ApiError | undefined

  constructor() {
    super()
    this.registry.time = NOW - BEGINNING
    this.registry.epoch = someSelf.epoch
    this.registry.index = someSelf.index
    this.registry.mdns = mdnsKnowing({
      'scanner.local': [{ address: '192.168.1.61', family: 'ipv4', interface: 'eth0' }],
    })
    this.registry.probe = async () => this.probes.shift()
    this.reply = (request) => this.#script(request)
  }

  /** Resolves when a reader of events has connected. */
  async streaming(): Promise<void> {
    await this.until(() => this.streams > 0)
  }

  #script({ method, url, body }: RecordedRequest): ScriptedReply | Promise<undefined> | undefined {
    if (url.pathname !== '/healthz') this.asked.push(url.href.replace(url.origin, ''))
    if (method !== 'GET') this.changes.push(body === '' ? [method, url.pathname] : [method, url.pathname, body])
    if (this.holdBack && url.searchParams.has('since')) return new Promise(() => {})
    if (this.refusal) return { status: this.refusal.statusCode, body: this.refusal }
    return url.pathname === '/v1/self' && method === 'GET' ? { status: 200, body: this.self } : undefined
  }
}
