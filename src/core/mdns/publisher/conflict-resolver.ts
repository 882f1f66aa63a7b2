import type { Agenda } from '../../agenda.ts'
import type { DatagramSource } from '../../link.ts'
import type { Message } from '../dns/messages.ts'
import { compareProbes, nameKey, type ResourceRecord, recordKey, sameName } from '../dns/records.ts'
import { type Claim, HostClaim, ServiceClaim } from './claim.ts'
import type { Segment } from './segment.ts'

/** The wait when a name that was ours is in doubt: copies of what cast the doubt are not to be taken for answers, ms. */
const REPROBE_DELAY = 100

/** Whoever loses against a simultaneous probe waits so long, ms (RFC 6762, section 8.2). */
const TIEBREAK_DELAY = 1000

/** What is left to another program on this machine is claimed again after this, ms: that program may have died. */
const RECLAIM_DELAY = 120_000

/** And after its goodbye, ms: its records live on for a second. */
const RECLAIM_AFTER_GOODBYE = 1000

export interface ConflictResolverOptions {
  agenda: Agenda
  /** By interface. */
  segments: ReadonlyMap<string, Segment>
  /** By the key of the name in use. */
  claims: ReadonlyMap<string, Claim>
  /** Another has the name on these segments: it is left to that one everywhere. */
  rename: (claim: Claim, lostOn: readonly Segment[], now: number) => void
  probe: (claim: Claim, segment: Segment, at: number) => void
}

/** Judges what others say about names of ours, and who gives way (RFC 6762, sections 8.2 and 9). */
export class ConflictResolver {
  readonly #parts: ConflictResolverOptions
  readonly #backoff = new ProbeBackoff()

  constructor(parts: ConflictResolverOptions) {
    this.#parts = parts
  }

  /** Takes a message of another mDNS program. */
  receive(message: Message, segment: Segment, heard: DatagramSource, now: number): void {
    const isProbe = message.kind === 'query'
    const theirs = isProbe ? message.authorities : [...message.answers, ...message.additionals]
    if (theirs.length === 0) return
    this.#cancelGoodbyes(theirs, segment, now)
    const isLocal = segment.isOwn(heard.address)
    for (const claim of new Set(theirs.flatMap(({ name }) => this.#parts.claims.get(nameKey(name)) ?? []))) {
      const named = theirs.filter(({ name }) => sameName(name, claim.name))
      if (isLocal && this.#yieldLocally(claim, named, segment, now)) continue
      if (isProbe) this.#breakTie(claim, named, segment, now)
      else this.#handleConflict(claim, named, segment, now)
    }
  }

  /** How long the next probe has to wait after many conflicts, ms. */
  probeDelay(now: number): number {
    return this.#backoff.delay(now)
  }

  /** Something may have ended that a claim was ceded for. */
  reclaim(claim: Claim, segment: Segment, at: number): void {
    if (segment.reclaim(claim)) this.#parts.probe(claim, segment, at)
  }

  #rename(claim: Claim, lostOn: readonly Segment[], now: number): void {
    this.#backoff.conflict(now)
    this.#parts.rename(claim, lostOn, now)
  }

  /** Another probes for a name at the same time as we do: whoever has the lesser records waits (section 8.2). */
  #breakTie(claim: Claim, theirs: readonly ResourceRecord[], segment: Segment, now: number): void {
    if (!segment.prober.hasProbed(claim)) return
    const ours = segment.records(claim).filter(({ flush, name }) => flush && sameName(name, claim.name))
    if (compareProbes(ours, theirs) >= 0 || !this.#hasForeign(claim, theirs, now)) return
    segment.prober.begin([claim], now + TIEBREAK_DELAY)
  }

  /** Another has records under a name of ours (section 9). */
  #handleConflict(claim: Claim, theirs: readonly ResourceRecord[], segment: Segment, now: number): void {
    const others = theirs.filter(({ type, ttl }) => ttl > 0 && claim.types.includes(type))
    if (!this.#hasForeign(claim, others, now)) return
    if (segment.prober.hasProbed(claim)) this.#rename(claim, [segment], now)
    else if (segment.hasClaim(claim)) {
      // It may be a mistake, or both may be there: asking again tells, and only one of two that ask gets the name.
      segment.withdraw(claim, false, now)
      this.#backoff.conflict(now)
      this.#parts.probe(claim, segment, now + REPROBE_DELAY)
    }
  }

  /** Another program on this machine has what we claim, or probes for it: it has the older right. */
  #yieldLocally(claim: Claim, theirs: readonly ResourceRecord[], segment: Segment, now: number): boolean {
    if (claim instanceof ServiceClaim) return this.#yieldService(claim, theirs, segment, now)
    const addresses = theirs.filter(({ type, ttl }) => ttl > 0 && claim.types.includes(type))
    if (!(claim instanceof HostClaim) || !claim.isMachineName || !this.#isFromOthers(addresses, now)) return false
    // A goodbye would be for the other's records too, which may be the same.
    this.#rename(claim, [...this.#parts.segments.values()], now)
    return true
  }

  /** One that both are told to publish is not published twice. */
  #yieldService(claim: ServiceClaim, theirs: readonly ResourceRecord[], segment: Segment, now: number): boolean {
    const places = theirs.flatMap((record) => (record.type === 'SRV' ? [record] : []))
    if (places.length > 0 && places.every(({ ttl }) => ttl === 0)) {
      this.reclaim(claim, segment, now + RECLAIM_AFTER_GOODBYE)
    }
    const same = places.filter(({ ttl, data }) => ttl > 0 && data.port === claim.service.port)
    if (!this.#hasForeign(claim, same, now)) return false
    if (segment.yieldClaim(claim, now)) {
      this.#parts.agenda.add(now + RECLAIM_DELAY, (later) => {
        if (segment.reclaim(claim, now)) this.#parts.probe(claim, segment, later)
      })
    }
    return true
  }

  /** What another claims or has is no longer said goodbye to. */
  #cancelGoodbyes(theirs: readonly ResourceRecord[], segment: Segment, now: number): void {
    for (const record of theirs) {
      if (record.type === 'PTR' || record.ttl === 0 || !this.#isFromOthers([record], now)) continue
      segment.cancelGoodbyes(nameKey(record.name))
    }
  }

  /** Whether any record is none of ours: two interfaces may lead to one network, and echoes may be late. */
  #hasForeign(claim: Claim, records: readonly ResourceRecord[], now: number): boolean {
    if (records.length === 0) return false
    const segments = [...this.#parts.segments.values()]
    const own = new Set(segments.flatMap((segment) => segment.records(claim)).map(recordKey))
    return this.#isFromOthers(
      records.filter((record) => !own.has(recordKey(record))),
      now,
    )
  }

  /** Whether any record was not said by us a moment ago. */
  #isFromOthers(records: readonly ResourceRecord[], now: number): boolean {
    const segments = [...this.#parts.segments.values()]
    return records.some((record) => !segments.some((segment) => segment.hasJustSent(recordKey(record), now)))
  }
}

/** So many conflicts within so long, ms, make every further attempt wait so long, ms (RFC 6762, section 8.1). */
const MAX_CONFLICTS = 15

const CONFLICT_WINDOW = 10_000

const BACKOFF_DELAY = 5000

/** Until there has been no conflict for so long, ms. */
const BACKOFF_RESET = 60_000

/** Keeps a host that is always contradicted from asking without end. */
class ProbeBackoff {
  /** The newest last. */
  #times: number[] = []
  #isHigh = false

  conflict(now: number): void {
    if (this.#isCalm(now)) this.#isHigh = false
    this.#times = [...this.#times.slice(1 - MAX_CONFLICTS), now]
    const [oldest] = this.#times
    if (this.#times.length === MAX_CONFLICTS && oldest !== undefined && now - oldest < CONFLICT_WINDOW)
      this.#isHigh = true
  }

  /** How long to wait before asking, ms. */
  delay(now: number): number {
    return this.#isHigh && !this.#isCalm(now) ? BACKOFF_DELAY : 0
  }

  #isCalm(now: number): boolean {
    return now - (this.#times.at(-1) ?? Number.NEGATIVE_INFINITY) > BACKOFF_RESET
  }
}
