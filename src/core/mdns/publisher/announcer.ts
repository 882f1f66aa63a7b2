import type { Agenda } from '../../agenda.ts'
import { nameKey, type ResourceRecord, recordKey } from '../dns/records.ts'
import type { Claim } from './claim.ts'
import { MIN_RESEND_INTERVAL, type MulticastSender } from './multicast-sender.ts'
import type { OwnRecords } from './own-records.ts'

/** When what is new is said, for loss more than once (RFC 6762, section 8.3): ms after the first. */
const ANNOUNCEMENT_DELAYS = [0, 1000, 3000, 7000]

/** The same for what has changed. */
const UPDATE_DELAYS = [0, 1000]

/** And for what goes. Whoever hears it forgets a second later, and if it hears it again, a second after that (section 10.1). */
const GOODBYE_DELAYS = [0, 50, 1500, 2500, 4000]

/** Says on one interface, unasked, what has come, changed and gone. */
export class Announcer {
  readonly #agenda: Agenda
  readonly #sender: MulticastSender
  readonly #ownRecords: OwnRecords
  /** The newest series of announcements of each claim. */
  readonly #series = new WeakMap<Claim, object>()
  /** The goodbyes that are still to be said, each with its records. */
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

  /** Says records that are held already. */
  announceUpdate(records: readonly ResourceRecord[], now: number): void {
    this.#repeat(UPDATE_DELAYS, now, () => [records.filter((record) => this.#ownRecords.find(record))])
  }

  /** Says that records are no longer ours, `delays` ms from now, as long as that is so. */
  goodbye(records: readonly ResourceRecord[], now: number, delays: readonly number[] = GOODBYE_DELAYS): void {
    if (records.length === 0) return
    const farewell = { records }
    this.#goodbyes.add(farewell)
    for (const [i, delay] of delays.entries()) {
      this.#runAt(now, delay, (then) => {
        if (i === delays.length - 1) this.#goodbyes.delete(farewell)
        const gone = farewell.records.filter((record) => !this.#ownRecords.find(record))
        this.#send([gone.map((record) => ({ ...record, ttl: 0 }))], then)
      })
    }
  }

  /** Another host has taken the name of this key: a goodbye of ours would take it from that host. */
  cancelGoodbyes(key: string): void {
    for (const farewell of this.#goodbyes) {
      farewell.records = farewell.records.filter(
        (record) => nameKey(record.name) !== key && !(record.type === 'PTR' && nameKey(record.data) === key),
      )
    }
  }

  /** The interface has gone: nothing that is planned is said. */
  close(): void {
    this.#isClosed = true
    this.#goodbyes.clear()
  }

  /** Says sets of records that belong together, each record once. */
  #repeat(delays: readonly number[], now: number, sets: () => readonly (readonly ResourceRecord[])[]): void {
    for (const delay of delays) {
      this.#runAt(now, delay, (then) => {
        const said = new Set<string>()
        const isToBeSaid = (record: ResourceRecord) => {
          const key = recordKey(record)
          if (delay > 0 && this.#sender.lastSent(key) > then - MIN_RESEND_INTERVAL) return false
          return !said.has(key) && said.add(key)
        }
        this.#send(
          sets().map((records) => records.filter(isToBeSaid)),
          then,
        )
      })
    }
  }

  #runAt(now: number, delay: number, say: (then: number) => void): void {
    if (delay === 0) say(now)
    else this.#agenda.add(now + delay, (then) => this.#isClosed || say(then))
  }

  /** Along with where services are: many browsers look no further than into the message (RFC 6763, section 12.2). */
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
