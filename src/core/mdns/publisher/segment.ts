import type { Agenda } from '../../agenda.ts'
import type { Interface, InterfaceAddress } from '../../link.ts'
import type { Random } from '../../random.ts'
import type { OutgoingMessage } from '../dns/messages.ts'
import { nameKey, type ResourceRecord, recordKey } from '../dns/records.ts'
import { Announcer } from './announcer.ts'
import type { Claim } from './claim.ts'
import { MIN_RESEND_INTERVAL, MulticastSender } from './multicast-sender.ts'
import { OwnRecords } from './own-records.ts'
import { Prober } from './prober.ts'
import { Responder } from './responder.ts'

export interface SegmentOptions {
  agenda: Agenda
  random: Random
  send: (out: OutgoingMessage) => void
  /** The host name in use. */
  hostname: () => string
}

/** How this host stands on the network that an interface leads to. */
export class Segment {
  readonly prober: Prober
  readonly responder: Responder
  readonly #sender: MulticastSender
  readonly #announcer: Announcer
  readonly #ownRecords = new OwnRecords()
  readonly #hostname: () => string
  /** What is left to another program on this machine, since when. */
  readonly #yielded = new Map<Claim, number>()
  /** The interface's own. Whoever sets other ones refreshes the host's claim. */
  addresses: readonly InterfaceAddress[]

  constructor({ name, addresses }: Interface, { agenda, random, send, hostname }: SegmentOptions) {
    this.addresses = addresses
    this.#hostname = hostname
    const sender = new MulticastSender(name, send)
    this.#sender = sender
    this.responder = new Responder({
      ...{ agenda, random, sender, ownRecords: this.#ownRecords },
      isOwn: (address) => this.isOwn(address),
    })
    this.#announcer = new Announcer(agenda, sender, this.#ownRecords)
    this.prober = new Prober(agenda, sender, {
      records: (claim) => this.records(claim),
      won: (claims, now) => {
        for (const claim of claims) this.#ownRecords.set(claim, this.records(claim))
        this.#announcer.announce(claims, now)
      },
    })
  }

  /** A claim's records as they are here, whether they are held or not. */
  records(claim: Claim): readonly ResourceRecord[] {
    return claim.records(this.#hostname(), this.addresses)
  }

  hasClaim(claim: Claim): boolean {
    return this.#ownRecords.has(claim)
  }

  /** Whether an address is this machine's here. */
  isOwn(address: string): boolean {
    return this.addresses.some((each) => each.address === address)
  }

  hasYielded(claim: Claim): boolean {
    return this.#yielded.has(claim)
  }

  /** Leaves a claim to another program on this machine, without a word: that speaks for it. Tells whether this is new. */
  yieldClaim(claim: Claim, now: number): boolean {
    if (this.#yielded.has(claim)) return false
    this.withdraw(claim, false, now)
    this.#yielded.set(claim, now)
    return true
  }

  /** Takes a claim for ours again that was ceded, at that time if one is given. */
  reclaim(claim: Claim, since?: number): boolean {
    if (since !== undefined && this.#yielded.get(claim) !== since) return false
    return this.#yielded.delete(claim)
  }

  /** Whether a record is ours here. */
  hasRecord(record: ResourceRecord): boolean {
    return this.#ownRecords.find(record) !== undefined
  }

  /** Whether we said the record of this key ourselves, less than a second ago. */
  hasJustSent(key: string, now: number): boolean {
    return this.#sender.lastSent(key) > now - MIN_RESEND_INTERVAL
  }

  /** Gives a claim up, without a word unless `isSaid`. */
  withdraw(claim: Claim, isSaid: boolean, now: number): void {
    this.prober.stop(claim)
    this.#yielded.delete(claim)
    const gone = this.#ownRecords.remove(claim)
    if (isSaid) this.#announcer.goodbye(gone, now)
  }

  /** Another host has taken the name of this key: no goodbye of ours is said for it any more. */
  cancelGoodbyes(key: string): void {
    this.#announcer.cancelGoodbyes(key)
  }

  /** Tells what has changed of a claim that is held. */
  refresh(claim: Claim, now: number): void {
    if (!this.#ownRecords.has(claim)) return
    const before = this.#ownRecords.recordsOf([claim])
    this.#ownRecords.set(claim, this.records(claim))
    const after = this.#ownRecords.recordsOf([claim])
    const [old, recent] = [new Set(before.map(recordKey)), new Set(after.map(recordKey))]
    const isOf = (records: ResourceRecord[]) => {
      const sets = new Set(records.map(recordSetKey))
      return (record: ResourceRecord) => sets.has(recordSetKey(record))
    }
    const gone = before.filter((record) => !recent.has(recordKey(record)))
    const come = after.filter((record) => !old.has(recordKey(record)))
    // The flush bit speaks for a whole set: it is said whole when any of it has changed, and what is left out has gone.
    const isTouched = isOf([...gone, ...come])
    const changed = after.filter((record) => (record.flush ? isTouched(record) : come.includes(record)))
    if (changed.length > 0) this.#announcer.announceUpdate(changed, now)
    const isFlushed = isOf(changed.filter(({ flush }) => flush))
    this.#announcer.goodbye(
      gone.filter((record) => !isFlushed(record)),
      now,
    )
  }

  /** Gives all up, and says so `delays` ms from now. */
  leave(delays: readonly number[], now: number): void {
    this.prober.stopAll()
    this.#announcer.goodbye(this.#ownRecords.clear(), now, delays)
  }

  /** The interface has gone: nothing more is said. */
  close(): void {
    this.prober.stopAll()
    this.#ownRecords.clear()
    this.#announcer.close()
  }
}

/** Names the set that a record is one of (RFC 2181, section 5). */
function recordSetKey({ name, type }: ResourceRecord): string {
  return `${nameKey(name)} ${type}`
}
