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

interface SegmentOptions {
  agenda: Agenda
  random: Random
  send: (out: OutgoingMessage) => void
  /** Returns the host name in use. */
  hostname: () => string
}

/** The state of this host's claims and records on one interface. */
export class Segment {
  readonly prober: Prober
  readonly responder: Responder
  readonly #sender: MulticastSender
  readonly #announcer: Announcer
  readonly #ownRecords = new OwnRecords()
  readonly #hostname: () => string
  /** The claims that were left to another program on this machine, and since when (monotonic ms). */
  readonly #yielded = new Map<Claim, number>()
  /** The addresses of the interface. After a change, the host's claim has to be refreshed. */
  addresses: readonly InterfaceAddress[]

  constructor({ name, addresses }: Interface, { agenda, random, send, hostname }: SegmentOptions) {
    this.addresses = addresses
    this.#hostname = hostname
    const sender = new MulticastSender(name, send)
    this.#sender = sender
    this.responder = new Responder({
      agenda,
      random,
      sender,
      ownRecords: this.#ownRecords,
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

  /** The records that a claim has on this interface, whether they are published or not. */
  records(claim: Claim): readonly ResourceRecord[] {
    return claim.records(this.#hostname(), this.addresses)
  }

  hasClaim(claim: Claim): boolean {
    return this.#ownRecords.has(claim)
  }

  /** Whether an address belongs to this interface. */
  isOwn(address: string): boolean {
    return this.addresses.some((each) => each.address === address)
  }

  hasYielded(claim: Claim): boolean {
    return this.#yielded.has(claim)
  }

  /** Yields a claim to another program on this machine without a goodbye. Returns false if it was yielded before. */
  yieldClaim(claim: Claim, now: number): boolean {
    if (this.#yielded.has(claim)) return false
    this.withdraw(claim, false, now)
    this.#yielded.set(claim, now)
    return true
  }

  /** Ends what `yieldClaim` did, so that the claim can be probed for again. With `since`, only if it was yielded at that time. */
  reclaim(claim: Claim, since?: number): boolean {
    if (since !== undefined && this.#yielded.get(claim) !== since) return false
    return this.#yielded.delete(claim)
  }

  /** Whether a record is published here. */
  hasRecord(record: ResourceRecord): boolean {
    return this.#ownRecords.find(record) !== undefined
  }

  /** Whether this host sent the record with this key within the last second. */
  hasJustSent(key: string, now: number): boolean {
    return this.#sender.lastSent(key) > now - MIN_RESEND_INTERVAL
  }

  /** Stops publishing a claim. With `withGoodbye`, sends goodbyes for its records. */
  withdraw(claim: Claim, withGoodbye: boolean, now: number): void {
    this.prober.stop(claim)
    this.#yielded.delete(claim)
    const removed = this.#ownRecords.remove(claim)
    if (withGoodbye) this.#announcer.goodbye(removed, now)
  }

  /** Stops the goodbyes for the name with this key, because another host now uses it. */
  cancelGoodbyes(key: string): void {
    this.#announcer.cancelGoodbyes(key)
  }

  /** Announces the changes of a published claim. */
  refresh(claim: Claim, now: number): void {
    if (!this.#ownRecords.has(claim)) return
    const before = this.#ownRecords.recordsOf([claim])
    this.#ownRecords.set(claim, this.records(claim))
    const after = this.#ownRecords.recordsOf([claim])
    const [oldKeys, newKeys] = [new Set(before.map(recordKey)), new Set(after.map(recordKey))]
    const inSetsOf = (records: ResourceRecord[]) => {
      const sets = new Set(records.map(recordSetKey))
      return (record: ResourceRecord) => sets.has(recordSetKey(record))
    }
    const removed = before.filter((record) => !newKeys.has(recordKey(record)))
    const added = after.filter((record) => !oldKeys.has(recordKey(record)))
    // A flush replaces a whole record set. If any record of a set changes, the set is sent whole, which removes old
    // records.
    const isInChangedSet = inSetsOf([...removed, ...added])
    const changed = after.filter((record) => (record.flush ? isInChangedSet(record) : added.includes(record)))
    if (changed.length > 0) this.#announcer.announceUpdate(changed, now)
    const isInFlushedSet = inSetsOf(changed.filter(({ flush }) => flush))
    this.#announcer.goodbye(
      removed.filter((record) => !isInFlushedSet(record)),
      now,
    )
  }

  /** Withdraws all records and sends goodbyes at the given delays, ms. */
  leave(delays: readonly number[], now: number): void {
    this.prober.stopAll()
    this.#announcer.goodbye(this.#ownRecords.clear(), now, delays)
  }

  /** The interface is gone: nothing more is sent. */
  close(): void {
    this.prober.stopAll()
    this.#ownRecords.clear()
    this.#announcer.close()
  }
}

/** Identifies the record set of a record (RFC 2181, section 5). */
function recordSetKey({ name, type }: ResourceRecord): string {
  return `${nameKey(name)} ${type}`
}
