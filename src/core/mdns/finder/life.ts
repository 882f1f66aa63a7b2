import type { Cache } from './cache.ts'
import type { FoundHost, Instance } from './found.ts'
import { askedSince, type Held } from './held.ts'
import type { Questions } from './questions.ts'

/** An answer may take this long, ms: our question is gathered with others, and so may be the answer. */
const ANSWER = 500
/** Of so many of a host's services, and of so many types, is asked. */
const MOST_SERVICES = 8
const MOST_TYPES = 8

/**
 * Asks hosts for a sign of life. Many devices answer for their service type, or for their service, and never for their
 * host name alone: so all three are asked for. What is asked for is doubted, so that no known answer keeps them silent.
 */
export class Life {
  readonly #cache: Cache
  readonly #questions: Questions

  constructor({ cache, questions }: { cache: Cache; questions: Questions }) {
    this.#cache = cache
    this.#questions = questions
  }

  /** Asks on account of a record that nobody tells again, unless the host was asked since that was asked for. */
  ask(host: FoundHost, held: Held, now: number): void {
    if (host.askedAt >= askedSince(held)) return
    host.askedAt = now
    for (const type of ['A', 'AAAA'] as const) this.#doubt(this.#cache.get(type, host.key), now)
    const types = new Set<string>()
    let services = 0
    for (const instance of host.instances) {
      if (services++ < MOST_SERVICES) {
        for (const type of ['SRV', 'TXT'] as const) {
          this.#doubt(this.#cache.get(type, instance.name, instance.interface), now)
        }
      }
      if (types.size < MOST_TYPES) types.add(instance.type)
      if (types.has(instance.type)) this.#doubt(this.#pointerOf(instance), now)
    }
  }

  /** Whether it was asked, and has had the time to answer. */
  wasAsked({ askedAt }: FoundHost, now: number): boolean {
    return now - askedAt >= ANSWER
  }

  #pointerOf({ type, name, interface: on }: Instance): Held[] {
    const pointer = this.#cache.pointer(`${type}.local`, name, on)
    return pointer ? [pointer] : []
  }

  #doubt(all: readonly Held[], now: number): void {
    for (const held of all) {
      held.doubted = true
      const { type, name } = held.record
      this.#questions.ask(held.interface, { type, name }, now, 'always')
    }
  }
}
