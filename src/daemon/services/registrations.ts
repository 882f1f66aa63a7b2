import type { AttributeValue } from '../../core/wire/record-schema.ts'
import { StateFile, type StateNotice } from '../../io/state-file.ts'
import type { Ticker } from '../../io/ticker.ts'
import { BadRequest } from '../../shared/errors.ts'
import { type OwnService, recordService } from './own-services.ts'
import { isAttributes, isSaved, type Saved } from './services.prebuilt.ts'

const FILE = 'registered.json'

/** Services, by id, and attributes that programs have registered. Replaced as a whole, never modified. */
export interface Registered {
  readonly services: ReadonlyMap<string, OwnService>
  readonly attributes: ReadonlyMap<string, AttributeValue>
}

/**
 * What programs have registered over the API. Attributes, and services without a lease, are saved in the state
 * directory and survive a restart.
 */
export class Registrations {
  readonly #file: StateFile<Saved>
  readonly #onExpired: (id: string) => void
  readonly #leases = new Map<string, NodeJS.Timeout>()
  current: Registered = { services: new Map(), attributes: new Map() }

  /** @param onExpired called with the id of a service whose lease has ended */
  constructor(
    stateDir: string,
    onExpired: (id: string) => void,
    notify: (notice: StateNotice) => void,
    ticker: Ticker,
  ) {
    this.#file = new StateFile(stateDir, FILE, isSaved, notify, ticker)
    this.#onExpired = onExpired
  }

  /** What an earlier run has saved; undefined when there is nothing that can be read. */
  load(): Promise<Saved | undefined> {
    return this.#file.read()
  }

  /** Starts a lease of `ttl` ms (at most 24 days), which replaces an earlier one. If `ttl` is undefined, the service gets no lease. */
  lease(id: string, ttl?: number): void {
    clearTimeout(this.#leases.get(id))
    this.#leases.delete(id)
    if (ttl === undefined) return
    const timer = setTimeout(() => {
      this.#leases.delete(id)
      this.#onExpired(id)
    }, ttl)
    this.#leases.set(id, timer.unref())
  }

  /** Takes what is registered now as the content of the file; `saved` writes it. */
  save(): void {
    const services = Array.from(this.current.services.values()).filter(({ expiresAt }) => expiresAt === undefined)
    this.#file.set({
      services: services.map((service) => {
        const { name, ...unnamed } = recordService(service)
        return service.usesPeerName ? unnamed : { ...unnamed, name }
      }),
      attributes: Object.fromEntries(this.current.attributes),
    })
  }

  /** Resolves when the file is on the disk. @throws NotKept */
  saved(): Promise<void> {
    return this.#file.flush()
  }

  /** Why the file is not on the disk; undefined when it is. */
  get fault(): string | undefined {
    return this.#file.fault
  }

  /** Cancels the leases without removing their services, and writes what is not written yet. */
  async close(): Promise<void> {
    for (const id of [...this.#leases.keys()]) this.lease(id)
    await this.#file.close()
  }
}

/** @throws BadRequest, which names the key */
export function checkAttribute(key: string, value: AttributeValue): void {
  if (isAttributes({ [key]: value })) return
  throw new BadRequest(
    `attribute ${JSON.stringify(key)}: expected a text of at most 1024 characters, a number or a boolean, under a key of 1 to 64 printable ASCII characters without spaces`,
  )
}
