import type { Agenda } from '../../agenda.ts'
import type { ResourceRecord } from '../dns/records.ts'
import type { Claim } from './claim.ts'
import type { MulticastSender } from './multicast-sender.ts'

/** The number of probes, and the time between two probes and after the last one, ms. */
const PROBE_COUNT = 3
const PROBE_INTERVAL = 250

/** What the prober needs from its segment. */
interface ProbeHooks {
  records(claim: Claim): readonly ResourceRecord[]
  /** The probes got no objection: the claims own their names. */
  won(claims: Claim[], now: number): void
}

/** Claims that are probed for together. */
interface ProbeAttempt {
  claims: readonly Claim[]
  sent: number
}

/** Probes for names on one interface before they are used there (RFC 6762, section 8.1). */
export class Prober {
  readonly #agenda: Agenda
  readonly #sender: MulticastSender
  readonly #hooks: ProbeHooks
  readonly #attempts = new Map<Claim, ProbeAttempt>()

  constructor(agenda: Agenda, sender: MulticastSender, hooks: ProbeHooks) {
    this.#agenda = agenda
    this.#sender = sender
    this.#hooks = hooks
  }

  /** Starts probing for the claims at `at`. Restarts claims that are being probed for. */
  begin(claims: readonly Claim[], at: number): void {
    const attempt = { claims, sent: 0 }
    for (const claim of claims) this.#attempts.set(claim, attempt)
    this.#agenda.add(at, (now) => this.#step(attempt, now))
  }

  stop(claim: Claim): void {
    this.#attempts.delete(claim)
  }

  stopAll(): void {
    this.#attempts.clear()
  }

  /** Whether at least one probe was sent. Messages received before the first probe are not answers to it. */
  hasProbed(claim: Claim): boolean {
    return (this.#attempts.get(claim)?.sent ?? 0) > 0
  }

  #step(attempt: ProbeAttempt, now: number): void {
    const claims = attempt.claims.filter((claim) => this.#attempts.get(claim) === attempt)
    if (claims.length === 0) return
    if (attempt.sent === PROBE_COUNT) {
      for (const claim of claims) this.#attempts.delete(claim)
      this.#hooks.won(claims, now)
      return
    }
    attempt.sent++
    this.#sender.query(
      claims.map((claim) => ({
        questions: [{ name: claim.name, type: 'ANY' }],
        authorities: this.#hooks
          .records(claim)
          .filter(({ flush, name }) => flush && name === claim.name)
          .map((record) => ({ ...record, flush: false })),
      })),
    )
    this.#agenda.add(now + PROBE_INTERVAL, (later) => this.#step(attempt, later))
  }
}
