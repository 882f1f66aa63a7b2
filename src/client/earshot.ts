import type { Host, OwnService, Peer, Peers, Probe, Services } from '../shared/api.ts'
import type { Self } from '../shared/self-api.ts'
import { socketContext } from '../shared/socket-paths.ts'
import { Calls, type DaemonEvent } from './calls.ts'
import type { Change, Synced } from './change.ts'
import { Daemon, type DaemonOptions, type Question } from './daemon.ts'
import { endable } from './endable.ts'
import { type PeerFilter, peersQuery, type ServiceFilter, type WatchFilter, writeQuery } from './filter.ts'
import { Lifeline } from './lifeline.ts'
import { Published, type PublishOptions } from './published.ts'
import { type Resolved, type ResolveOptions, resolve } from './resolve.ts'
import { entryBody, entryPath, idFor, type ServiceEntry } from './service-entry.ts'
import { checkValues } from './values.ts'
import { type WaitOptions, waitFor } from './wait-for.ts'
import { type WatchOptions, watch } from './watch.ts'

export interface EarshotOptions extends DaemonOptions {
  /** How long an answer may take, ms, or Infinity; a stream of events may take for ever. 10 s unless given. */
  timeout?: number | undefined
}

export interface CallOptions {
  signal?: AbortSignal | undefined
}

export interface EventOptions {
  service?: string | readonly string[] | undefined
  name?: string | readonly string[] | undefined
  /** Whether this daemon's own peer is among them. */
  self?: boolean | undefined
  /** Begin with the present state. */
  state?: boolean | undefined
  /** Begin after this change: an index of this epoch, or an event's `lastEventId`. Goes before `state`. */
  since?: number | string | undefined
  signal?: AbortSignal | undefined
}

export type Attributes = Record<string, string | number | boolean>

const DEFAULT_TIMEOUT = 10_000

/**
 * What this machine's earshot daemon knows. Finds the daemon by itself: `EARSHOT_SOCKET`, else the user's own, else the
 * system's, else the latter over loopback when its socket may not be opened.
 *
 * Every call rejects with an `EarshotError`, or with the signal's reason when it is aborted.
 */
export class Earshot {
  readonly #calls: Calls
  readonly #lifeline = new Lifeline()

  /** @throws TypeError when `url` is not an `http:` URL; RangeError when `timeout` is no time */
  constructor({ timeout = DEFAULT_TIMEOUT, ...place }: EarshotOptions = {}) {
    if (!(timeout > 0)) throw new RangeError(`timeout must be more than 0 ms, not ${timeout}`)
    this.#calls = new Calls(new Daemon(place, socketContext()), timeout)
  }

  /** The peers that pass the filter. */
  async peers(filter: PeerFilter = {}, { signal }: CallOptions = {}): Promise<Peers> {
    return await this.#json<Peers>({ path: `/v1/peers?${peersQuery(filter)}` }, signal)
  }

  /**
   * One peer, by its id, its name or the beginning of its id; with `source: 'beacon'` only what is signed.
   * @throws EarshotError EARSHOT_NO_SUCH_PEER, EARSHOT_AMBIGUOUS_PEER
   */
  async peer(reference: string, { source, signal }: CallOptions & Pick<PeerFilter, 'source'> = {}): Promise<Peer> {
    const query = source === undefined ? '' : `?source=${source}`
    return await this.#json<Peer>({ path: `/v1/peers/${encodeURIComponent(reference)}${query}` }, signal)
  }

  /** The services of all peers that pass the filter. */
  async services({ self, ...filter }: ServiceFilter = {}, { signal }: CallOptions = {}): Promise<Services> {
    const query = writeQuery({ ...filter, self: self ? '1' : undefined })
    return await this.#json<Services>({ path: `/v1/services?${query}` }, signal)
  }

  /** The addresses of a host by its name in mDNS, `printer.local`: as they are known, else as they are answered within a second. */
  async host(hostname: string, { signal }: CallOptions = {}): Promise<Host> {
    return await this.#json<Host>({ path: `/v1/hosts/${encodeURIComponent(hostname)}` }, signal)
  }

  /** The daemon about itself. */
  async self({ signal }: CallOptions = {}): Promise<Self> {
    return await this.#json<Self>({ path: '/v1/self' }, signal)
  }

  /**
   * The peers that are there, a `peer-up` for each and a `service-up` for each of its services; then changes as they happen,
   * each told once, also when the daemon restarts meanwhile. Leaving the loop ends it.
   *
   * There has to be a daemon to begin with. A peer that a restarted daemon does not find again is told as failed after as long
   * as it might take to be heard, at least 5 s. One who is slow to ask for the next may be told of several changes as one.
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
    const calls = this.#calls
    return endable(signal, async function* (own) {
      for await (const change of watch(calls, filter, onConnection, own)) {
        if (sync || change.type !== 'sync') yield change
      }
    })
  }

  /**
   * The peers that pass the filter, alive unless `state` says otherwise, as soon as there are `count` (1 unless given) of them.
   * Waits on when the daemon restarts.
   * @throws EarshotError EARSHOT_TIMED_OUT
   */
  async waitFor(
    { count = 1, ...filter }: PeerFilter & { count?: number | undefined },
    options: WaitOptions = {},
  ): Promise<Peer[]> {
    return await waitFor(this.#calls, filter, count, options)
  }

  /** Where to reach a peer, by its name or id, a service, by its name, or a host, by its name in mDNS. */
  async resolve(name: string, options: ResolveOptions = {}): Promise<Resolved> {
    return await resolve(this, name, options)
  }

  /**
   * Offers a service as long as the program runs: renewed in time (its `ttl` is 10 s unless given), and registered again when
   * the daemon has restarted. Keeps the program running until it is closed.
   * @throws EarshotError EARSHOT_SERVICE_TAKEN and what else the daemon refuses
   */
  async publish(entry: ServiceEntry, options: PublishOptions = {}): Promise<Published> {
    const calls = this.#lifeline.calls ?? (await this.#calls.stay(options.signal))
    return await Published.begin(calls, this.#lifeline, entry, options)
  }

  /**
   * Registers a service and leaves it at that: it stays until its `ttl` is over, or without one until `unpublish`, also
   * across the daemon's restarts.
   */
  async register(entry: ServiceEntry, { signal }: CallOptions = {}): Promise<OwnService> {
    const path = entryPath(entry.id ?? idFor(entry))
    return await this.#json<OwnService>({ method: 'PUT', path, body: entryBody(entry) }, signal)
  }

  /** Withdraws a service of this peer, whoever registered it over the API. */
  async unpublish(id: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#calls.send({ method: 'DELETE', path: entryPath(id) }, signal)
  }

  /**
   * Sets attributes of this peer, beside those that it has. Returns all of them.
   * @throws TypeError when a value is none: NaN, Infinity, undefined or null (`unset` removes)
   */
  async set(attributes: Readonly<Attributes>, options: CallOptions = {}): Promise<Attributes> {
    checkValues('attribute', attributes)
    return await this.#patchAttributes(attributes, options)
  }

  /** Removes attributes of this peer; it need not have them. Returns those that remain. */
  async unset(keys: string | readonly string[], options: CallOptions = {}): Promise<Attributes> {
    return await this.#patchAttributes(Object.fromEntries([keys].flat().map((key) => [key, null])), options)
  }

  /** Round-trip time to a peer, ms. Rejects with EARSHOT_NO_ANSWER when it is silent. */
  async ping(reference: string, { signal }: CallOptions = {}): Promise<number> {
    const path = `/v1/probe/${encodeURIComponent(reference)}`
    return (await this.#json<Probe>({ method: 'POST', path }, signal)).rttMs
  }

  /** Has the daemon ask everyone to say who they are. */
  async query({ signal }: CallOptions = {}): Promise<void> {
    await this.#calls.send({ method: 'POST', path: '/v1/query' }, signal)
  }

  /**
   * Events as the daemon tells them, over one connection that is opened when the first is asked for. It ends when the daemon
   * stops or is silent for 45 s, and does not come back by itself. Leaving the loop closes it. One who is slow to ask for the
   * next may get a `gap`. `watch` takes care of all this.
   */
  events({ service, name, self, state, since, signal }: EventOptions = {}): AsyncGenerator<DaemonEvent, void, void> {
    const query = writeQuery({
      service,
      name,
      self: self ? '1' : undefined,
      state: state ? '1' : undefined,
      since: since?.toString(),
    })
    return endable(signal, (own) => this.#calls.events(query, own))
  }

  async #patchAttributes(
    patch: Record<string, Attributes[string] | null>,
    { signal }: CallOptions,
  ): Promise<Attributes> {
    const question: Question = { method: 'PATCH', path: '/v1/self/attributes', body: patch }
    return (await this.#json<{ attributes: Attributes }>(question, signal)).attributes
  }

  async #json<Answer extends object>(question: Question, signal: AbortSignal | undefined): Promise<Answer> {
    return await this.#calls.json<Answer>(question, signal)
  }
}
