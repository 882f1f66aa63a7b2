import type { Agenda } from '../../agenda.ts'
import type { DatagramSource } from '../../link.ts'
import type { Message } from '../dns/messages.ts'
import { compareProbes, nameKey, type ResourceRecord, recordKey, sameName } from '../dns/records.ts'
import { type Claim, HostClaim, ServiceClaim } from './claim.ts'
import type { Segment } from './segment.ts'

/**
 * The delay before a contested name is probed for again, ms. It prevents duplicates of the conflicting message from
 * counting as answers to the probe.
 */
const REPROBE_DELAY = 100

/** The delay before the loser of a simultaneous probe probes again, ms (RFC 6762, section 8.2). */
const TIEBREAK_DELAY = 1000

/**
 * A name that was left to another program on this machine is probed for again after this time, ms: the program may have
 * crashed.
 */
const RECLAIM_DELAY = 120_000

/** The same delay after that program has said goodbye, ms. Caches keep its records for one second (RFC 6762, section 10.1). */
const RECLAIM_AFTER_GOODBYE = 1000

interface ConflictResolverOptions {
  agenda: Agenda
  /** By interface. */
  segments: ReadonlyMap<string, Segment>
  /** By the key of the name in use. */
  claims: ReadonlyMap<string, Claim>
  /** Another host has the name on the segments `lostOn`. The claim is renamed on all segments. */
  rename: (claim: Claim, lostOn: readonly Segment[], now: number) => void
  probe: (claim: Claim, segment: Segment, at: number) => void
}

/**
 * Detects conflicts between own names and the records of other hosts, and resolves them (RFC 6762, sections 8.2 and 9).
 */
export class ConflictResolver {
  readonly #parts: ConflictResolverOptions
  readonly #backoff = new ProbeBackoff()

  constructor(parts: ConflictResolverOptions) {
    this.#parts = parts
  }

  /** Handles a message of another mDNS program. */
  receive(message: Message, segment: Segment, from: DatagramSource, now: number): void {
    const isProbe = message.kind === 'query'
    const theirs = isProbe ? message.authorities : [...message.answers, ...message.additionals]
    if (theirs.length === 0) return
    this.#cancelGoodbyes(theirs, segment, now)
    const isLocal = segment.isOwn(from.address)
    for (const claim of new Set(theirs.flatMap(({ name }) => this.#parts.claims.get(nameKey(name)) ?? []))) {
      const sameNamed = theirs.filter(({ name }) => sameName(name, claim.name))
      if (isLocal && this.#yieldLocally(claim, sameNamed, segment, now)) continue
      if (isProbe) this.#breakTie(claim, sameNamed, segment, now)
      else this.#handleConflict(claim, sameNamed, segment, now)
    }
  }

  /** How long the next probe has to be delayed after many conflicts, ms. */
  probeDelay(now: number): number {
    return this.#backoff.delay(now)
  }

  /** Probes for a name again that was left to another program on this machine. */
  reclaim(claim: Claim, segment: Segment, at: number): void {
    if (segment.reclaim(claim)) this.#parts.probe(claim, segment, at)
  }

  #rename(claim: Claim, lostOn: readonly Segment[], now: number): void {
    this.#backoff.conflict(now)
    this.#parts.rename(claim, lostOn, now)
  }

  /** Another host probes for the same name. The host with the lesser records waits (section 8.2). */
  #breakTie(claim: Claim, theirs: readonly ResourceRecord[], segment: Segment, now: number): void {
    if (!segment.prober.hasProbed(claim)) return
    const ours = segment.records(claim).filter(({ flush, name }) => flush && sameName(name, claim.name))
    if (compareProbes(ours, theirs) >= 0 || !this.#hasForeign(claim, theirs, now)) return
    segment.prober.begin([claim], now + TIEBREAK_DELAY)
  }

  /** Another host has records under an own name (section 9). */
  #handleConflict(claim: Claim, theirs: readonly ResourceRecord[], segment: Segment, now: number): void {
    const others = theirs.filter(({ type, ttl }) => ttl > 0 && claim.types.includes(type))
    if (!this.#hasForeign(claim, others, now)) return
    if (segment.prober.hasProbed(claim)) this.#rename(claim, [segment], now)
    else if (segment.hasClaim(claim)) {
      // The conflict may be a mistake. Both hosts probe again, and only one of them gets the name.
      segment.withdraw(claim, false, now)
      this.#backoff.conflict(now)
      this.#parts.probe(claim, segment, now + REPROBE_DELAY)
    }
  }

  /**
   * Leaves a name to another program on this machine that uses it or probes for it. Returns whether the name was left
   * to it.
   */
  #yieldLocally(claim: Claim, theirs: readonly ResourceRecord[], segment: Segment, now: number): boolean {
    if (claim instanceof ServiceClaim) return this.#yieldService(claim, theirs, segment, now)
    const addresses = theirs.filter(({ type, ttl }) => ttl > 0 && claim.types.includes(type))
    if (!(claim instanceof HostClaim) || !claim.isMachineName || !this.#isFromOthers(addresses, now)) return false
    // No goodbye: it could match the records of the other program.
    this.#rename(claim, [...this.#parts.segments.values()], now)
    return true
  }

  /** A service that another program on this machine publishes already is not published twice. */
  #yieldService(claim: ServiceClaim, theirs: readonly ResourceRecord[], segment: Segment, now: number): boolean {
    const srvRecords = theirs.flatMap((record) => (record.type === 'SRV' ? [record] : []))
    if (srvRecords.length > 0 && srvRecords.every(({ ttl }) => ttl === 0)) {
      this.reclaim(claim, segment, now + RECLAIM_AFTER_GOODBYE)
    }
    const samePort = srvRecords.filter(({ ttl, data }) => ttl > 0 && data.port === claim.service.port)
    if (!this.#hasForeign(claim, samePort, now)) return false
    if (segment.yieldClaim(claim, now)) {
      this.#parts.agenda.add(now + RECLAIM_DELAY, (later) => {
        if (segment.reclaim(claim, now)) this.#parts.probe(claim, segment, later)
      })
    }
    return true
  }

  /** Stops the goodbyes for names that another host now uses. */
  #cancelGoodbyes(theirs: readonly ResourceRecord[], segment: Segment, now: number): void {
    for (const record of theirs) {
      if (record.type === 'PTR' || record.ttl === 0 || !this.#isFromOthers([record], now)) continue
      segment.cancelGoodbyes(nameKey(record.name))
    }
  }

  /**
   * Whether any record does not belong to this host. Own records can be received late, or on another interface of the
   * same network.
   */
  #hasForeign(claim: Claim, records: readonly ResourceRecord[], now: number): boolean {
    if (records.length === 0) return false
    const segments = [...this.#parts.segments.values()]
    const own = new Set(segments.flatMap((segment) => segment.records(claim)).map(recordKey))
    return this.#isFromOthers(
      records.filter((record) => !own.has(recordKey(record))),
      now,
    )
  }

  /** Whether any record was not sent by this host in the last second. */
  #isFromOthers(records: readonly ResourceRecord[], now: number): boolean {
    const segments = [...this.#parts.segments.values()]
    return records.some((record) => !segments.some((segment) => segment.hasJustSent(recordKey(record), now)))
  }
}

/** After 15 conflicts within 10 s, each further probe is delayed by 5 s (RFC 6762, section 8.1), ms. */
const MAX_CONFLICTS = 15
const CONFLICT_WINDOW = 10_000
const BACKOFF_DELAY = 5000

/** The delay ends when there was no conflict for this time, ms. */
const BACKOFF_RESET = 60_000

/** Limits how often a host probes that keeps losing conflicts. */
class ProbeBackoff {
  /** The times of the latest conflicts, oldest first. */
  #times: number[] = []
  #isActive = false

  conflict(now: number): void {
    if (this.#isOver(now)) this.#isActive = false
    this.#times = [...this.#times.slice(1 - MAX_CONFLICTS), now]
    const [oldest] = this.#times
    if (this.#times.length === MAX_CONFLICTS && oldest !== undefined && now - oldest < CONFLICT_WINDOW)
      this.#isActive = true
  }

  /** How long to wait before the next probe, ms. */
  delay(now: number): number {
    return this.#isActive && !this.#isOver(now) ? BACKOFF_DELAY : 0
  }

  #isOver(now: number): boolean {
    return now - (this.#times.at(-1) ?? Number.NEGATIVE_INFINITY) > BACKOFF_RESET
  }
}
