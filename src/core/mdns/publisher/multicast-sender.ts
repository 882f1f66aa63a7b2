import { type MessageGroup, type OutgoingMessage, packMessages } from '../dns/messages.ts'
import { type ResourceRecord, recordKey } from '../dns/records.ts'

/** No record is said to everyone again within this, ms (RFC 6762, section 6). */
export const MIN_RESEND_INTERVAL = 1000

/** Speaks on one interface, and remembers for a while what it said to everyone. */
export class MulticastSender {
  readonly #interface: string
  readonly #send: (out: OutgoingMessage) => void
  /** When records were said, by their keys, the longest ago first. */
  readonly #sentAt = new Map<string, number>()
  /** When records were last said, for as long as they are held. */
  readonly #recordSentAt = new WeakMap<ResourceRecord, number>()

  constructor(interfaceName: string, send: (out: OutgoingMessage) => void) {
    this.#interface = interfaceName
    this.#send = send
  }

  /** When the record was last said to everyone, goodbyes aside, monotonic ms; minus infinity when that is longer ago than `PAUSE`. */
  lastSent(key: string): number {
    return this.#sentAt.get(key) ?? Number.NEGATIVE_INFINITY
  }

  /** Whether the record was said to everyone within a quarter of its lifetime (RFC 6762, section 5.4). */
  wasSentRecently(record: ResourceRecord, now: number): boolean {
    return (this.#recordSentAt.get(record) ?? Number.NEGATIVE_INFINITY) > now - record.ttl * 250
  }

  query(groups: readonly MessageGroup[]): void {
    for (const message of packMessages('query', groups))
      this.#send({ interface: this.#interface, to: 'multicast', message })
  }

  respond(groups: readonly MessageGroup[], now: number): void {
    for (const message of packMessages('response', groups)) {
      this.#remember([...message.answers, ...message.additionals], now)
      this.#send({ interface: this.#interface, to: 'multicast', message })
    }
  }

  /** One response to one that asked, with the id of its question. What does not fit is left out. */
  sendUnicast(to: { address: string; port: number }, id: number, groups: readonly MessageGroup[]): void {
    const [message] = packMessages('response', groups)
    if (message) this.#send({ interface: this.#interface, to, message: { ...message, id } })
  }

  #remember(records: readonly ResourceRecord[], now: number): void {
    for (const [key, at] of this.#sentAt) {
      if (at > now - MIN_RESEND_INTERVAL) break
      this.#sentAt.delete(key)
    }
    for (const record of records) {
      if (record.ttl === 0) continue
      const key = recordKey(record)
      this.#recordSentAt.set(record, now)
      this.#sentAt.delete(key)
      this.#sentAt.set(key, now)
    }
  }
}
