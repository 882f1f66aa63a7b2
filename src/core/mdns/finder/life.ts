import type { RecordCache } from './cache.ts'
import type { DiscoveredHost, DiscoveredInstance } from './found.ts'
import { type CacheEntry, refreshedSince } from './held.ts'
import type { QueryScheduler } from './questions.ts'

/** An answer may take this long, ms: our question is gathered with others, and so may be the answer. */
const ANSWER_TIMEOUT = 500
/** Of so many of a host's services, and of so many types, is asked. */
const MAX_CHECKED_SERVICES = 8
const MAX_CHECKED_TYPES = 8

/**
 * Asks hosts for a sign of life. Many devices answer for their service type, or for their service, and never for their
 * host name alone: so all three are asked for. What is asked for is doubted, so that no known answer keeps them silent.
 */
export class LivenessCheck {
  readonly #cache: RecordCache
  readonly #queries: QueryScheduler

  constructor({ cache, queries }: { cache: RecordCache; queries: QueryScheduler }) {
    this.#cache = cache
    this.#queries = queries
  }

  /** Asks on account of a record that nobody tells again, unless the host was asked since that was asked for. */
  query(host: DiscoveredHost, entry: CacheEntry, now: number): void {
    if (host.queriedAt >= refreshedSince(entry)) return
    host.queriedAt = now
    for (const type of ['A', 'AAAA'] as const) this.#queryFor(this.#cache.entries(type, host.key), now)
    const types = new Set<string>()
    let services = 0
    for (const instance of host.instances) {
      if (services++ < MAX_CHECKED_SERVICES) {
        for (const type of ['SRV', 'TXT'] as const) {
          this.#queryFor(this.#cache.entries(type, instance.name, instance.interface), now)
        }
      }
      if (types.size < MAX_CHECKED_TYPES) types.add(instance.type)
      if (types.has(instance.type)) this.#queryFor(this.#pointerOf(instance), now)
    }
  }

  /** Whether it was asked, and has had the time to answer. */
  hadTimeToAnswer({ queriedAt: askedAt }: DiscoveredHost, now: number): boolean {
    return now - askedAt >= ANSWER_TIMEOUT
  }

  #pointerOf({ type, name, interface: interfaceName }: DiscoveredInstance): CacheEntry[] {
    const pointer = this.#cache.pointer(`${type}.local`, name, interfaceName)
    return pointer ? [pointer] : []
  }

  #queryFor(all: readonly CacheEntry[], now: number): void {
    for (const entry of all) {
      entry.needsConfirmation = true
      const { type, name } = entry.record
      this.#queries.schedule(entry.interface, { type, name }, now, 'always')
    }
  }
}
