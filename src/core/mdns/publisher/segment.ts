import type { Agenda } from '../../agenda.ts'
import type { Interface, InterfaceAddress } from '../../link.ts'
import type { Random } from '../../random.ts'
import { keyOf } from '../dns/names.ts'
import { recordKey } from '../dns/rdata.ts'
import type { OutgoingMessage, ResourceRecord } from '../dns/types.ts'
import { Announcer } from './announcer.ts'
import type { Claim } from './claim.ts'
import { Holdings } from './holdings.ts'
import { Prober } from './prober.ts'
import { Responder } from './responder.ts'
import { PAUSE, Voice } from './voice.ts'

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
  readonly #voice: Voice
  readonly #announcer: Announcer
  readonly #holdings = new Holdings()
  readonly #hostname: () => string
  /** What is left to another program on this machine, since when. */
  readonly #ceded = new Map<Claim, number>()
  /** The interface's own. Whoever sets other ones refreshes the host's claim. */
  addresses: readonly InterfaceAddress[]

  constructor({ name, addresses }: Interface, { agenda, random, send, hostname }: SegmentOptions) {
    this.addresses = addresses
    this.#hostname = hostname
    const voice = new Voice(name, send)
    this.#voice = voice
    this.responder = new Responder({
      ...{ agenda, random, voice, holdings: this.#holdings },
      isOwn: (address) => this.isOwn(address),
    })
    this.#announcer = new Announcer(agenda, voice, this.#holdings)
    this.prober = new Prober(agenda, voice, {
      records: (claim) => this.records(claim),
      won: (claims, now) => {
        for (const claim of claims) this.#holdings.hold(claim, this.records(claim))
        this.#announcer.announce(claims, now)
      },
    })
  }

  /** A claim's records as they are here, whether they are held or not. */
  records(claim: Claim): readonly ResourceRecord[] {
    return claim.records(this.#hostname(), this.addresses)
  }

  holds(claim: Claim): boolean {
    return this.#holdings.holds(claim)
  }

  /** Whether an address is this machine's here. */
  isOwn(address: string): boolean {
    return this.addresses.some((each) => each.address === address)
  }

  hasCeded(claim: Claim): boolean {
    return this.#ceded.has(claim)
  }

  /** Leaves a claim to another program on this machine, without a word: that speaks for it. Tells whether this is new. */
  cede(claim: Claim, now: number): boolean {
    if (this.#ceded.has(claim)) return false
    this.drop(claim, false, now)
    this.#ceded.set(claim, now)
    return true
  }

  /** Takes a claim for ours again that was ceded, at that time if one is given. */
  reclaim(claim: Claim, since?: number): boolean {
    if (since !== undefined && this.#ceded.get(claim) !== since) return false
    return this.#ceded.delete(claim)
  }

  /** Whether a record is ours here. */
  has(record: ResourceRecord): boolean {
    return this.#holdings.find(record) !== undefined
  }

  /** Whether we said the record of this key ourselves, less than a second ago. */
  hasSaid(key: string, now: number): boolean {
    return this.#voice.lastSaid(key) > now - PAUSE
  }

  /** Gives a claim up, without a word unless `isSaid`. */
  drop(claim: Claim, isSaid: boolean, now: number): void {
    this.prober.stop(claim)
    this.#ceded.delete(claim)
    const gone = this.#holdings.drop(claim)
    if (isSaid) this.#announcer.goodbye(gone, now)
  }

  /** Another host has taken the name of this key: no goodbye of ours is said for it any more. */
  concede(key: string): void {
    this.#announcer.concede(key)
  }

  /** Tells what has changed of a claim that is held. */
  refresh(claim: Claim, now: number): void {
    if (!this.#holdings.holds(claim)) return
    const before = this.#holdings.of([claim])
    this.#holdings.hold(claim, this.records(claim))
    const after = this.#holdings.of([claim])
    const [old, recent] = [new Set(before.map(recordKey)), new Set(after.map(recordKey))]
    const isOf = (records: ResourceRecord[]) => {
      const sets = new Set(records.map(setKey))
      return (record: ResourceRecord) => sets.has(setKey(record))
    }
    const gone = before.filter((record) => !recent.has(recordKey(record)))
    const come = after.filter((record) => !old.has(recordKey(record)))
    // The flush bit speaks for a whole set: it is said whole when any of it has changed, and what is left out has gone.
    const isTouched = isOf([...gone, ...come])
    const changed = after.filter((record) => (record.flush ? isTouched(record) : come.includes(record)))
    if (changed.length > 0) this.#announcer.change(changed, now)
    const isFlushed = isOf(changed.filter(({ flush }) => flush))
    this.#announcer.goodbye(
      gone.filter((record) => !isFlushed(record)),
      now,
    )
  }

  /** Gives all up, and says so `delays` ms from now. */
  leave(delays: readonly number[], now: number): void {
    this.prober.stopAll()
    this.#announcer.goodbye(this.#holdings.clear(), now, delays)
  }

  /** The interface has gone: nothing more is said. */
  close(): void {
    this.prober.stopAll()
    this.#holdings.clear()
    this.#announcer.close()
  }
}

/** Names the set that a record is one of (RFC 2181, section 5). */
function setKey({ name, type }: ResourceRecord): string {
  return `${keyOf(name)} ${type}`
}
