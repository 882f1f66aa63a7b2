import type { Agenda } from '../../agenda.ts'
import { nameKey, type ResourceRecord, recordKey } from '../dns/records.ts'
import type { Claim } from './claim.ts'
import { MIN_RESEND_INTERVAL, type MulticastSender } from './multicast-sender.ts'
import type { OwnRecords } from './own-records.ts'

/**
 * When announcements are sent, ms after the first. They are repeated in case of packet loss (RFC 6762, section 8.3).
 */
const ANNOUNCEMENT_DELAYS = [0, 1000, 3000, 7000]

/** When updates are sent, ms after the first (section 8.4). */
const UPDATE_DELAYS = [0, 1000]

/** When goodbyes are sent, ms after the first. A receiver removes the record 1 s after each goodbye (section 10.1). */
const GOODBYE_DELAYS = [0, 50, 1500, 2500, 4000]

/** Announces new and changed records on one interface and sends goodbyes for removed ones. */
export class Announcer {
  readonly #agenda: Agenda
  readonly #sender: MulticastSender
  readonly #ownRecords: OwnRecords
  /** The latest series of announcements of each claim. */
  readonly #series = new WeakMap<Claim, object>()
  /** The goodbyes that are still being sent. */
  readonly #goodbyes = new Set<{ records: readonly ResourceRecord[] }>()
  #isClosed = false

  constructor(agenda: Agenda, sender: MulticastSender, ownRecords: OwnRecords) {
    this.#agenda = agenda
    this.#sender = sender
    this.#ownRecords = ownRecords
  }

  announce(claims: readonly Claim[], now: number): void {
    const series = {}
    for (const claim of claims) this.#series.set(claim, series)
    this.#repeat(ANNOUNCEMENT_DELAYS, now, () => {
      return claims
        .filter((claim) => this.#series.get(claim) === series)
        .map((claim) => this.#ownRecords.recordsOf([claim]))
    })
  }

  /** Announces changed records. */
  announceUpdate(records: readonly ResourceRecord[], now: number): void {
    this.#repeat(UPDATE_DELAYS, now, () => [records.filter((record) => this.#ownRecords.find(record))])
  }

  /** Sends goodbyes at the given delays in ms. Records that have become own records again are left out. */
  goodbye(records: readonly ResourceRecord[], now: number, delays: readonly number[] = GOODBYE_DELAYS): void {
    if (records.length === 0) return
    const goodbye = { records }
    this.#goodbyes.add(goodbye)
    for (const [i, delay] of delays.entries()) {
      this.#runAt(now, delay, (later) => {
        if (i === delays.length - 1) this.#goodbyes.delete(goodbye)
        const removed = goodbye.records.filter((record) => !this.#ownRecords.find(record))
        this.#send([removed.map((record) => ({ ...record, ttl: 0 }))], later)
      })
    }
  }

  /**
   * Stops the goodbyes for a name that another host now uses: they would remove the other host's records from caches.
   */
  cancelGoodbyes(key: string): void {
    for (const goodbye of this.#goodbyes) {
      goodbye.records = goodbye.records.filter(
        (record) => nameKey(record.name) !== key && !(record.type === 'PTR' && nameKey(record.data) === key),
      )
    }
  }

  /** The interface is gone: stops everything that is planned. */
  close(): void {
    this.#isClosed = true
    this.#goodbyes.clear()
  }

  /** Sends sets of related records at the given delays, each record once. */
  #repeat(delays: readonly number[], now: number, sets: () => readonly (readonly ResourceRecord[])[]): void {
    for (const delay of delays) {
      this.#runAt(now, delay, (later) => {
        const sentKeys = new Set<string>()
        const isDue = (record: ResourceRecord) => {
          const key = recordKey(record)
          if (delay > 0 && this.#sender.lastSent(key) > later - MIN_RESEND_INTERVAL) return false
          return !sentKeys.has(key) && sentKeys.add(key)
        }
        this.#send(
          sets().map((records) => records.filter(isDue)),
          later,
        )
      })
    }
  }

  #runAt(now: number, delay: number, send: (later: number) => void): void {
    if (delay === 0) send(now)
    else this.#agenda.add(now + delay, (later) => this.#isClosed || send(later))
  }

  /** Adds the addresses for SRV records: many browsers query no further (RFC 6763, section 12.2). */
  #send(sets: readonly (readonly ResourceRecord[])[], now: number): void {
    const groups = sets.map((answers) => {
      const services = answers.filter(({ type, ttl }) => type === 'SRV' && ttl > 0)
      return { answers: [...answers], additionals: services.flatMap((each) => this.#ownRecords.additionalsTo(each)) }
    })
    this.#sender.respond(
      groups.filter(({ answers }) => answers.length > 0),
      now,
    )
  }
}
