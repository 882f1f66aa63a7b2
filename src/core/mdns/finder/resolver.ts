import { type Agenda, TimerWheel } from '../../agenda.ts'
import type { RecordType } from '../dns/records.ts'
import type { DiscoveredHost, DiscoveredInstance } from './discovered-host.ts'
import type { QueryScheduler } from './query-scheduler.ts'
import type { Quotas } from './quotas.ts'
import type { RecordCache } from './record-cache.ts'

/** How long to wait for an answer after each query, ms. */
const RETRY_DELAYS = [1120, 2000, 4000, 8000, 2000]

type Resolvable = DiscoveredInstance | DiscoveredHost

interface MissingRecord {
  type: RecordType
  name: string
  interface: string
}

/**
 * Queries the records that an announcement left out: the SRV and TXT records of an instance, and the addresses of a
 * host. Gives up after `RETRY_DELAYS`.
 */
export class Resolver {
  readonly #cache: RecordCache
  readonly #quotas: Quotas
  readonly #queries: QueryScheduler
  readonly #unresolved: (item: Resolvable, now: number) => void
  readonly #tries = new Map<Resolvable, number>()
  readonly #timers: TimerWheel<Resolvable>

  constructor(parts: {
    agenda: Agenda
    cache: RecordCache
    quotas: Quotas
    queries: QueryScheduler
    /** Called when the SRV record of an instance, or all addresses of a host, could not be resolved. */
    unresolved: (item: Resolvable, now: number) => void
  }) {
    this.#cache = parts.cache
    this.#quotas = parts.quotas
    this.#queries = parts.queries
    this.#unresolved = parts.unresolved
    this.#timers = new TimerWheel(parts.agenda, (item, now) => this.#query(item, now))
  }

  /** Starts with a short delay: the missing records may be about to arrive. */
  resolve(item: Resolvable, now: number): void {
    if (this.#tries.has(item)) return
    this.#tries.set(item, 0)
    this.#timers.put(item, now, now)
  }

  cancel(item: Resolvable): void {
    this.#tries.delete(item)
    this.#timers.remove(item)
  }

  #query(item: Resolvable, now: number): void {
    const tried = this.#tries.get(item) ?? 0
    const missing = 'instances' in item ? this.#missingOfHost(item, tried) : this.#missingOfInstance(item)
    const wait = RETRY_DELAYS[tried]
    if (missing.length === 0 || wait === undefined) {
      this.cancel(item)
      if (missing.length > 0) this.#unresolved(item, now)
      return
    }
    this.#tries.set(item, tried + 1)
    this.#timers.put(item, now + wait, now)
    for (const { type, name, interface: interfaceName } of missing) {
      if (!this.#queries.isScheduled(interfaceName, { type, name }) && !this.#quotas.takeQuestion(item.source, now))
        continue
      this.#queries.schedule(interfaceName, { type, name }, now)
    }
  }

  #missingOfInstance({ name, interface: interfaceName }: DiscoveredInstance): MissingRecord[] {
    const missing = (type: RecordType) => this.#cache.newest(type, name, interfaceName) === undefined
    return (['SRV', 'TXT'] as const).filter(missing).map((type) => ({ type, name, interface: interfaceName }))
  }

  /** If one IP version is known, the other is queried only once: the host may not have it. */
  #missingOfHost({ hostname, heardOn }: DiscoveredHost, tried: number): MissingRecord[] {
    const all = [...heardOn.keys()].flatMap((name) => [
      { type: 'A' as const, name: hostname, interface: name },
      { type: 'AAAA' as const, name: hostname, interface: name },
    ])
    const missing = all.filter((each) => this.#cache.newest(each.type, hostname, each.interface) === undefined)
    return tried > 0 && this.#cache.countAddresses(hostname) > 0 ? [] : missing
  }
}
