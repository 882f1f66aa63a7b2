import { setTimeout as delay } from 'node:timers/promises'
import type { OwnService } from '../shared/api.ts'
import type { ApiClient } from './api-client.ts'
import { onAbort } from './cancellation.ts'
import { callListener, EarshotError, isTransient } from './error.ts'
import { reconnecting } from './event-stream.ts'
import { createServiceId, Registration, type ServiceEntry } from './registration.ts'

/** Options of `Earshot.publish`. */
export interface PublishOptions {
  /** If it is aborted before the service is published, `publish` rejects; after that, the service is withdrawn. */
  signal?: AbortSignal | undefined
  /** Called when the service is found not to be published any longer, once per reason; renewing continues. */
  onError?: ((error: EarshotError) => void) | undefined
}

export type EntryChanges = Partial<Omit<ServiceEntry, 'id' | 'ttl'>>

const DEFAULT_TTL = 10_000
/** Two renewals may fail before the daemon withdraws the service. */
const RENEWALS_PER_TTL = 3
/** How long the withdrawal waits for a renewal in progress, ms. */
const RENEWAL_GRACE = 100
/** The pause after another program has answered in the daemon's place, ms. */
const DETECTOR_RETRY_DELAY = 1000

/** A service that stays published, also across restarts of the daemon, until it is closed or the program ends. */
export class Published {
  readonly id: string
  readonly #client: ApiClient
  readonly #registration: Registration
  readonly #onError: (error: EarshotError) => void
  readonly #ended = new AbortController()
  #entry: ServiceEntry
  #service: OwnService | undefined
  #error: EarshotError | undefined
  /** Resolves when the last request so far has been answered. */
  #answered: Promise<unknown> = Promise.resolve()
  #isRenewing = false
  #isRenewalDue = false
  #stopRenewing = () => {}
  #closed: Promise<void> | undefined

  private constructor(client: ApiClient, entry: ServiceEntry, onError: (error: EarshotError) => void) {
    this.id = entry.id ?? createServiceId(entry)
    this.#client = client
    this.#registration = new Registration(client, this.id)
    this.#entry = { ttl: DEFAULT_TTL, ...entry }
    this.#onError = onError
  }

  /** Publishes; used by `Earshot.publish`. */
  static async begin(
    client: ApiClient,
    restarts: RestartDetector,
    entry: ServiceEntry,
    { signal, onError = () => {} }: PublishOptions,
  ): Promise<Published> {
    const published = new Published(client, entry, onError)
    try {
      await published.#put({}, signal)
    } catch (error) {
      published.#registration.abandon()
      throw error
    }
    published.#startRenewing(restarts, signal)
    return published
  }

  /** The daemon's last answer. */
  get service(): OwnService | undefined {
    return this.#service
  }

  /** Why the service is not published at the moment; undefined when it is, as far as is known. */
  get error(): EarshotError | undefined {
    return this.#error
  }

  /**
   * Changes the given fields; `txt` and `subtypes` are replaced as a whole. While the daemon is away, the change is kept and
   * published when the daemon is back.
   * @throws EarshotError when the daemon refuses the change: then the service stays as it was
   */
  async update(changes: EntryChanges, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.#closed) throw new EarshotError('EARSHOT_CLOSED', `'${this.id}' is no longer published: it was closed`)
    try {
      await this.#put(changes, signal)
    } catch (error) {
      if (!isTransient(error)) throw error
      this.#entry = { ...this.#entry, ...changes }
      this.#fail(error)
    }
  }

  /**
   * Withdraws the service. While the daemon is away there is nothing to withdraw: it forgets services that are not renewed.
   * @throws EarshotError when the daemon refuses
   */
  close({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#closed ??= this.#withdraw(signal)
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #startRenewing(restarts: RestartDetector, signal: AbortSignal | undefined): void {
    const renew = () => void this.#renew()
    const timer = setInterval(renew, (this.#entry.ttl ?? DEFAULT_TTL) / RENEWALS_PER_TTL)
    const unsubscribe = restarts.subscribe(this.#client, renew)
    let removeCallback = () => {}
    this.#stopRenewing = () => {
      clearInterval(timer)
      unsubscribe()
      removeCallback()
    }
    const close = () => void this.close().catch((error: EarshotError) => this.#fail(error))
    if (signal) removeCallback = onAbort(signal, close)
  }

  async #renew(): Promise<void> {
    this.#isRenewalDue = true
    if (this.#isRenewing) return
    this.#isRenewing = true
    try {
      while (this.#isRenewalDue && !this.#closed) {
        this.#isRenewalDue = false
        await this.#put({}, this.#ended.signal).catch((error) => this.#closed || this.#fail(error))
      }
    } finally {
      this.#isRenewing = false
    }
  }

  /** Registers the service with these changes. Requests run one after another, so that no older one overtakes a newer one. */
  async #put(changes: EntryChanges, signal: AbortSignal | undefined): Promise<void> {
    const turn = this.#answered.then(async () => {
      const entry = { ...this.#entry, ...changes }
      this.#service = await this.#registration.put(entry, signal)
      this.#entry = entry
      this.#error = undefined
    })
    this.#answered = turn.catch(() => {})
    await turn
  }

  async #withdraw(signal: AbortSignal | undefined): Promise<void> {
    this.#stopRenewing()
    await Promise.race([this.#answered, delay(RENEWAL_GRACE)])
    this.#ended.abort()
    try {
      await this.#registration.withdraw(signal)
    } catch (error) {
      if (!isTransient(error)) throw error
    }
  }

  #fail(error: unknown): void {
    if (!(error instanceof EarshotError)) throw error
    const isNew = this.#error?.code !== error.code
    this.#error = error
    if (isNew) callListener(this.#onError, error)
  }
}

/**
 * Detects restarts of the daemon for all published services, over one connection that is open while there are subscribers.
 * The connection is an event stream that stays empty, because it is limited to peers with an empty name, and no peer has one.
 */
export class RestartDetector {
  readonly #listeners = new Set<() => void>()
  #connection: { client: ApiClient; abort: AbortController } | undefined

  /** The client of the daemon that it is connected to; undefined while there are no subscribers. */
  get client(): ApiClient | undefined {
    return this.#connection?.client
  }

  /** Calls `listener` whenever a connection has been made. Returns a function that unsubscribes. */
  subscribe(client: ApiClient, listener: () => void): () => void {
    this.#listeners.add(listener)
    if (!this.#connection) {
      this.#connection = { client, abort: new AbortController() }
      void this.#run(client, this.#connection.abort.signal)
    }
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      this.#connection?.abort.abort()
      this.#connection = undefined
    }
  }

  async #run(client: ApiClient, signal: AbortSignal): Promise<void> {
    const open = () => client.events(new URLSearchParams({ name: '' }), signal)
    while (!signal.aborted) {
      try {
        for await (const { type } of reconnecting(open, () => {}, signal)) {
          if (type === 'sync') for (const listener of this.#listeners) listener()
        }
      } catch {
        // Another program answers in the daemon's place. The services report it when they are renewed.
        await delay(DETECTOR_RETRY_DELAY, undefined, { signal }).catch(() => {})
      }
    }
  }
}
