import type { OwnService } from '../shared/api.ts'
import type { Calls } from './calls.ts'
import { EarshotError } from './error.ts'
import { beginOwner, endOwner, isLeftBehind } from './owner.ts'
import { entryBody, entryPath, type ServiceEntry } from './service-entry.ts'

const HELD = 412
const GONE = 404

/** A service at the daemon, registered in a way that never overwrites what another program has registered by the same id. */
export class Registration {
  readonly #calls: Calls
  readonly #path: string
  readonly #owner = beginOwner()
  /** As the service is while it is ours; undefined as long as it never was. */
  #tag: string | undefined

  constructor(calls: Calls, id: string) {
    this.#calls = calls
    this.#path = entryPath(id)
  }

  /**
   * Registers, changes or renews the service.
   * @throws EarshotError EARSHOT_SERVICE_HELD when another program has registered it
   */
  async put(entry: ServiceEntry, signal: AbortSignal | undefined): Promise<OwnService> {
    try {
      return await this.#putIf(
        this.#tag === undefined ? { 'if-none-match': '*' } : { 'if-match': this.#tag },
        entry,
        signal,
      )
    } catch (error) {
      if (!hasStatus(error, HELD)) throw error
      const held = await this.#held(signal)
      // A daemon that has begun anew knows nothing of it.
      if (!held) return await this.#putIf({ 'if-none-match': '*' }, entry, signal)
      const isOurs = held.value.owner === this.#owner || isLeftBehind(held.value.owner)
      if (!isOurs || held.tag === undefined) throw error
      return await this.#putIf({ 'if-match': held.tag }, entry, signal)
    }
  }

  /** Withdraws the service, if it is still ours. */
  async withdraw(signal: AbortSignal | undefined): Promise<void> {
    endOwner(this.#owner)
    const headers = this.#tag === undefined ? {} : { 'if-match': this.#tag }
    try {
      await this.#calls.send({ method: 'DELETE', path: this.#path, headers }, signal)
    } catch (error) {
      if (!hasStatus(error, GONE) && !hasStatus(error, HELD)) throw error
    }
  }

  /** What is registered was not ours, and never will be. */
  abandon(): void {
    endOwner(this.#owner)
  }

  async #putIf(
    condition: Readonly<Record<string, string>>,
    entry: ServiceEntry,
    signal: AbortSignal | undefined,
  ): Promise<OwnService> {
    const headers = { ...condition, 'user-agent': this.#owner }
    const body = entryBody(entry)
    const { value, tag } = await this.#calls.tagged<OwnService>(
      { method: 'PUT', path: this.#path, headers, body },
      signal,
    )
    this.#tag = tag
    return value
  }

  async #held(signal: AbortSignal | undefined) {
    try {
      return await this.#calls.tagged<OwnService>({ path: this.#path }, signal)
    } catch (error) {
      if (hasStatus(error, GONE)) return undefined
      throw error
    }
  }
}

function hasStatus(error: unknown, status: number): boolean {
  return error instanceof EarshotError && error.status === status
}
