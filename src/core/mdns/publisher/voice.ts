import { type Group, pack } from '../dns/packing.ts'
import { recordKey } from '../dns/rdata.ts'
import type { OutgoingMessage, ResourceRecord } from '../dns/types.ts'

/** No record is said to everyone again within this, ms (RFC 6762, section 6). */
export const PAUSE = 1000

/** Speaks on one interface, and remembers for a while what it said to everyone. */
export class Voice {
  readonly #interface: string
  readonly #send: (out: OutgoingMessage) => void
  /** When records were said, by their keys, the longest ago first. */
  readonly #said = new Map<string, number>()
  /** When records were last said, for as long as they are held. */
  readonly #heldSaid = new WeakMap<ResourceRecord, number>()

  constructor(interfaceName: string, send: (out: OutgoingMessage) => void) {
    this.#interface = interfaceName
    this.#send = send
  }

  /** When the record was last said to everyone, goodbyes aside, monotonic ms; minus infinity when that is longer ago than `PAUSE`. */
  lastSaid(key: string): number {
    return this.#said.get(key) ?? Number.NEGATIVE_INFINITY
  }

  /** Whether the record was said to everyone within a quarter of its lifetime (RFC 6762, section 5.4). */
  isRecent(record: ResourceRecord, now: number): boolean {
    return (this.#heldSaid.get(record) ?? Number.NEGATIVE_INFINITY) > now - record.ttl * 250
  }

  ask(groups: readonly Group[]): void {
    for (const message of pack('query', groups)) this.#send({ interface: this.#interface, to: 'everyone', message })
  }

  respond(groups: readonly Group[], now: number): void {
    for (const message of pack('response', groups)) {
      this.#remember([...message.answers, ...message.additionals], now)
      this.#send({ interface: this.#interface, to: 'everyone', message })
    }
  }

  /** One response to one that asked, with the id of its question. What does not fit is left out. */
  reply(to: { address: string; port: number }, id: number, groups: readonly Group[]): void {
    const [message] = pack('response', groups)
    if (message) this.#send({ interface: this.#interface, to, message: { ...message, id } })
  }

  #remember(records: readonly ResourceRecord[], now: number): void {
    for (const [key, at] of this.#said) {
      if (at > now - PAUSE) break
      this.#said.delete(key)
    }
    for (const record of records) {
      if (record.ttl === 0) continue
      const key = recordKey(record)
      this.#heldSaid.set(record, now)
      this.#said.delete(key)
      this.#said.set(key, now)
    }
  }
}
