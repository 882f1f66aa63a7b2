import { setTimeout as delay } from 'node:timers/promises'
import type { OwnService } from '../shared/api.ts'
import { callBack } from './call-back.ts'
import { whenAborted } from './call-signal.ts'
import type { Calls } from './calls.ts'
import { EarshotError } from './error.ts'
import type { Lifeline } from './lifeline.ts'
import { isLoss } from './reconnect.ts'
import { Registration } from './registration.ts'
import { idFor, type ServiceEntry } from './service-entry.ts'

/** How it is published. */
export interface PublishOptions {
  /** Aborted before it is published, this rejects; afterwards, the service is withdrawn. */
  signal?: AbortSignal | undefined
  /** Called when it is found not to be published any longer, once for each reason; renewing goes on. */
  onError?: ((error: EarshotError) => void) | undefined
}

export type EntryChanges = Partial<Omit<ServiceEntry, 'id' | 'ttl'>>

const DEFAULT_TTL = 10_000
/** Two renewals may be lost before a service is withdrawn. */
const RENEWALS_PER_TTL = 3
/** How long a renewal under way may hold up the withdrawal, ms. */
const GRACE = 100

/** A service that stays published, also across the daemon's restarts, until it is closed or the program ends. */
export class Published {
  readonly id: string
  readonly #calls: Calls
  readonly #registration: Registration
  readonly #onError: (error: EarshotError) => void
  readonly #ended = new AbortController()
  #entry: ServiceEntry
  #service: OwnService | undefined
  #error: EarshotError | undefined
  /** Ends when the last call so far has been answered. */
  #answered: Promise<unknown> = Promise.resolve()
  #isRenewing = false
  #isRenewalDue = false
  #release = () => {}
  #closed: Promise<void> | undefined

  private constructor(calls: Calls, entry: ServiceEntry, onError: (error: EarshotError) => void) {
    this.id = entry.id ?? idFor(entry)
    this.#calls = calls
    this.#registration = new Registration(calls, this.id)
    this.#entry = { ttl: DEFAULT_TTL, ...entry }
    this.#onError = onError
  }

  /** Publishes; used by `Earshot.publish`. */
  static async begin(
    calls: Calls,
    lifeline: Lifeline,
    entry: ServiceEntry,
    { signal, onError = () => {} }: PublishOptions,
  ): Promise<Published> {
    const published = new Published(calls, entry, onError)
    try {
      await published.#put({}, signal)
    } catch (error) {
      published.#registration.abandon()
      throw error
    }
    published.#keep(lifeline, signal)
    return published
  }

  /** As the daemon answered last. */
  get service(): OwnService | undefined {
    return this.#service
  }

  /** Why it is not published now, as far as that is known. */
  get error(): EarshotError | undefined {
    return this.#error
  }

  /**
   * Changes what is given; `txt` and `subtypes` as a whole. With the daemon away, the change is published when it is back.
   * @throws EarshotError when the daemon refuses the change: then the service stays as it was
   */
  async update(changes: EntryChanges, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.#closed) throw new EarshotError('EARSHOT_CLOSED', `'${this.id}' is no longer published: it was closed`)
    try {
      await this.#put(changes, signal)
    } catch (error) {
      if (!isLoss(error)) throw error
      this.#entry = { ...this.#entry, ...changes }
      this.#fail(error)
    }
  }

  /**
   * Withdraws the service. With the daemon away there is nothing to withdraw: it forgets what is not renewed.
   * @throws EarshotError when the daemon refuses
   */
  close({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#closed ??= this.#withdraw(signal)
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #keep(lifeline: Lifeline, signal: AbortSignal | undefined): void {
    const renew = () => void this.#renew()
    const timer = setInterval(renew, (this.#entry.ttl ?? DEFAULT_TTL) / RENEWALS_PER_TTL)
    const letGo = lifeline.hold(this.#calls, renew)
    const end = () => void this.close().catch((error: EarshotError) => this.#fail(error))
    let unfollow = () => {}
    this.#release = () => {
      clearInterval(timer)
      letGo()
      unfollow()
    }
    if (signal) unfollow = whenAborted(signal, end)
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

  /** Registers the service with these changes, after what is under way: nothing older may overtake it. */
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
    this.#release()
    await Promise.race([this.#answered, delay(GRACE)])
    this.#ended.abort()
    try {
      await this.#registration.withdraw(signal)
    } catch (error) {
      if (!isLoss(error)) throw error
    }
  }

  #fail(error: unknown): void {
    if (!(error instanceof EarshotError)) throw error
    const isNews = this.#error?.code !== error.code
    this.#error = error
    if (isNews) callBack(this.#onError, error)
  }
}
