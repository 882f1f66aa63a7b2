import { type MessageGroup, type OutgoingMessage, packMessages } from '../dns/messages.ts'
import { type ResourceRecord, recordKey } from '../dns/records.ts'

/** The minimum time between two multicasts of the same record, ms (RFC 6762, section 6). */
export const MIN_RESEND_INTERVAL = 1000

/** Sends messages on one interface, and remembers when each record was last sent by multicast. */
export class MulticastSender {
  readonly #interface: string
  readonly #send: (out: OutgoingMessage) => void
  /** When records were last sent, by record key, oldest first. */
  readonly #sentAt = new Map<string, number>()
  /** When own records were last sent. */
  readonly #recordSentAt = new WeakMap<ResourceRecord, number>()

  constructor(interfaceName: string, send: (out: OutgoingMessage) => void) {
    this.#interface = interfaceName
    this.#send = send
  }

  /**
   * When the record was last sent by multicast, monotonic ms. Goodbyes do not count. A time more than
   * `MIN_RESEND_INTERVAL` ago may be forgotten; then minus infinity.
   */
  lastSent(key: string): number {
    return this.#sentAt.get(key) ?? Number.NEGATIVE_INFINITY
  }

  /** Whether the record was sent by multicast within a quarter of its TTL (RFC 6762, section 5.4). */
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

  /** Sends one response by unicast with the id of the query. Records that do not fit are left out. */
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
