import type { Host, OwnService, Peer, Peers, Probe, Services } from '../shared/api.ts'
import type { Self } from '../shared/self-api.ts'
import { socketContext } from '../shared/socket-paths.ts'
import { ApiClient, type DaemonEvent } from './api-client.ts'
import { abortableGenerator } from './cancellation.ts'
import { type PeerFilter, peersQuery, type ServiceFilter, toQuery, type WatchFilter } from './filter.ts'
import { Published, type PublishOptions, RestartDetector } from './published.ts'
import { checkValues, createServiceId, type ServiceEntry, serviceBody, servicePath } from './registration.ts'
import { type Resolved, type ResolveOptions, resolve } from './resolve.ts'
import { type ApiRequest, type EndpointOptions, Transport } from './transport.ts'
import { type WaitOptions, type WatchOptions, waitFor, watch } from './watch.ts'
import type { Change, Synced } from './watch-state.ts'

export interface EarshotOptions extends EndpointOptions {
  /** The longest time for an answer, ms, or Infinity. It does not apply to event streams. 10 s unless given. */
  timeout?: number | undefined
}

export interface CallOptions {
  signal?: AbortSignal | undefined
}

export interface EventOptions {
  service?: string | readonly string[] | undefined
  name?: string | readonly string[] | undefined
  /** Whether the daemon's own peer is included. */
  self?: boolean | undefined
  /** Whether to begin with the current state. */
  state?: boolean | undefined
  /** Begin after this change: an index of this epoch, or an event's `lastEventId`. Takes precedence over `state`. */
  since?: number | string | undefined
  signal?: AbortSignal | undefined
}

export type Attributes = Record<string, string | number | boolean>

const DEFAULT_TIMEOUT = 10_000

/**
 * Client of the earshot daemon on this machine. It finds the daemon by itself: at `EARSHOT_SOCKET` if that is set, else the
 * user's own daemon, else the system's. If the socket of the system's daemon cannot be opened, it uses loopback.
 *
 * Every call rejects with an `EarshotError`, or with the signal's reason when it is aborted.
 */
export class Earshot {
  readonly #client: ApiClient
  readonly #restarts = new RestartDetector()

  /** @throws TypeError when `url` is not an `http:` URL; RangeError when `timeout` is not above 0 */
  constructor({ timeout = DEFAULT_TIMEOUT, ...endpoint }: EarshotOptions = {}) {
    if (!(timeout > 0)) throw new RangeError(`timeout must be more than 0 ms, not ${timeout}`)
    this.#client = new ApiClient(new Transport(endpoint, socketContext()), timeout)
  }

  /** The peers that match the filter. */
  async peers(filter: PeerFilter = {}, { signal }: CallOptions = {}): Promise<Peers> {
    return await this.#json<Peers>({ path: `/v1/peers?${peersQuery(filter)}` }, signal)
  }

  /**
   * One peer, by its id, its name or the beginning of its id. With `source: 'beacon'`, only signed information.
   * @throws EarshotError EARSHOT_NO_SUCH_PEER, EARSHOT_AMBIGUOUS_PEER
   */
  async peer(reference: string, { source, signal }: CallOptions & Pick<PeerFilter, 'source'> = {}): Promise<Peer> {
    const query = source === undefined ? '' : `?source=${source}`
    return await this.#json<Peer>({ path: `/v1/peers/${encodeURIComponent(reference)}${query}` }, signal)
  }

  /** The services of all peers that match the filter. */
  async services({ self, ...filter }: ServiceFilter = {}, { signal }: CallOptions = {}): Promise<Services> {
    const query = toQuery({ ...filter, self: self ? '1' : undefined })
    return await this.#json<Services>({ path: `/v1/services?${query}` }, signal)
  }

  /** The addresses of a host by its mDNS name, `printer.local`. If the daemon does not know them, it asks for three seconds. */
  async host(hostname: string, { signal }: CallOptions = {}): Promise<Host> {
    return await this.#json<Host>({ path: `/v1/hosts/${encodeURIComponent(hostname)}` }, signal)
  }

  /** Information about the daemon itself. */
  async self({ signal }: CallOptions = {}): Promise<Self> {
    return await this.#json<Self>({ path: '/v1/self' }, signal)
  }

  /**
   * Reports the peers that are present, with a `peer-up` for each and a `service-up` for each of its services, and then every
   * change as it happens, once, even when the daemon restarts. Leave the loop to end it.
   *
   * The daemon must be running at the start. If a restarted daemon does not find a peer again, the peer is reported as failed
   * after the time that the daemon might need to hear it, at least 5 s. When the application is slow to ask for the next
   * change, several changes may be reported as one.
   */
  watch(
    filter: WatchFilter | undefined,
    options: WatchOptions & { sync: true },
  ): AsyncGenerator<Change | Synced, void, void>
  watch(filter?: WatchFilter, options?: WatchOptions & { sync?: false | undefined }): AsyncGenerator<Change, void, void>
  watch(filter: WatchFilter | undefined, options: WatchOptions): AsyncGenerator<Change | Synced, void, void>
  watch(
    filter: WatchFilter = {},
    { signal, sync, onConnection = () => {} }: WatchOptions = {},
  ): AsyncGenerator<Change | Synced, void, void> {
    const client = this.#client
    return abortableGenerator(signal, async function* (callSignal) {
      for await (const change of watch(client, filter, onConnection, callSignal)) {
        if (sync || change.type !== 'sync') yield change
      }
    })
  }

  /**
   * The peers that match the filter, as soon as there are `count` of them (1 unless given). Only peers that are alive, unless
   * `state` says otherwise. Continues to wait when the daemon restarts.
   * @throws EarshotError EARSHOT_TIMED_OUT
   */
  async waitFor(
    { count = 1, ...filter }: PeerFilter & { count?: number | undefined },
    options: WaitOptions = {},
  ): Promise<Peer[]> {
    return await waitFor(this.#client, filter, count, options)
  }

  /** The address of a peer, by its name or id, of a service, by its name, or of a host, by its mDNS name. */
  async resolve(name: string, options: ResolveOptions = {}): Promise<Resolved> {
    return await resolve(this, name, options)
  }

  /**
   * Offers a service while the program runs. It is renewed in time (its `ttl` is 10 s unless given) and registered again when
   * the daemon has restarted. It keeps the program running until it is closed.
   * @throws EarshotError EARSHOT_SERVICE_TAKEN and other errors of the daemon
   */
  async publish(entry: ServiceEntry, options: PublishOptions = {}): Promise<Published> {
    const client = this.#restarts.client ?? (await this.#client.pin(options.signal))
    return await Published.begin(client, this.#restarts, entry, options)
  }

  /**
   * Registers a service without renewing it. It stays until its `ttl` has passed. Without a `ttl` it stays until `unpublish`,
   * also across restarts of the daemon.
   */
  async register(entry: ServiceEntry, { signal }: CallOptions = {}): Promise<OwnService> {
    const path = servicePath(entry.id ?? createServiceId(entry))
    return await this.#json<OwnService>({ method: 'PUT', path, body: serviceBody(entry) }, signal)
  }

  /** Withdraws a service of the daemon's own peer, even when another program has registered it. */
  async unpublish(id: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#client.send({ method: 'DELETE', path: servicePath(id) }, signal)
  }

  /**
   * Sets attributes of the daemon's own peer and keeps its others. Returns all of them.
   * @throws TypeError when a value is NaN, Infinity, undefined or null (use `unset` to remove an attribute)
   */
  async set(attributes: Readonly<Attributes>, options: CallOptions = {}): Promise<Attributes> {
    checkValues('attribute', attributes)
    return await this.#patchAttributes(attributes, options)
  }

  /** Removes attributes of the daemon's own peer; missing ones are ignored. Returns the remaining attributes. */
  async unset(keys: string | readonly string[], options: CallOptions = {}): Promise<Attributes> {
    return await this.#patchAttributes(Object.fromEntries([keys].flat().map((key) => [key, null])), options)
  }

  /** The round-trip time to a peer, ms. Rejects with EARSHOT_NO_ANSWER when the peer does not answer. */
  async ping(reference: string, { signal }: CallOptions = {}): Promise<number> {
    const path = `/v1/probe/${encodeURIComponent(reference)}`
    return (await this.#json<Probe>({ method: 'POST', path }, signal)).rttMs
  }

  /** Makes the daemon ask all peers to announce themselves. */
  async query({ signal }: CallOptions = {}): Promise<void> {
    await this.#client.send({ method: 'POST', path: '/v1/query' }, signal)
  }

  /**
   * The daemon's events, over one connection that is opened for the first. It ends when the daemon stops or is silent for
   * 45 s, and is not opened again. Leave the loop to close it. When the application is slow to ask for the next event, it may
   * get a `gap`. `watch` handles all of this.
   */
  events({ service, name, self, state, since, signal }: EventOptions = {}): AsyncGenerator<DaemonEvent, void, void> {
    const query = toQuery({
      service,
      name,
      self: self ? '1' : undefined,
      state: state ? '1' : undefined,
      since: since?.toString(),
    })
    return abortableGenerator(signal, (callSignal) => this.#client.events(query, callSignal))
  }

  async #patchAttributes(
    patch: Record<string, Attributes[string] | null>,
    { signal }: CallOptions,
  ): Promise<Attributes> {
    const request: ApiRequest = { method: 'PATCH', path: '/v1/self/attributes', body: patch }
    return (await this.#json<{ attributes: Attributes }>(request, signal)).attributes
  }

  async #json<Answer extends object>(request: ApiRequest, signal: AbortSignal | undefined): Promise<Answer> {
    return await this.#client.json<Answer>(request, signal)
  }
}
