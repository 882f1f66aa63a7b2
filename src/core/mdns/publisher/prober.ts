import type { Agenda } from '../../agenda.ts'
import type { ResourceRecord } from '../dns/records.ts'
import type { Claim } from './claim.ts'
import type { MulticastSender } from './multicast-sender.ts'

/** Probes of a name, and the time from one to the next, and from the last to the name being ours, ms. */
const PROBE_COUNT = 3

const PROBE_INTERVAL = 250

/** What the prober asks of the interface that it is for. */
export interface ProbeHooks {
  records(claim: Claim): readonly ResourceRecord[]
  /** Nobody contested these. */
  won(claims: Claim[], now: number): void
}

/** Claims that are probed for together. */
interface ProbeAttempt {
  claims: readonly Claim[]
  sent: number
}

/** Asks on one interface whether names are taken, before they are used there (RFC 6762, section 8.1). */
export class Prober {
  readonly #agenda: Agenda
  readonly #sender: MulticastSender
  readonly #hooks: ProbeHooks
  readonly #attempts = new Map<Claim, ProbeAttempt>()

  constructor(agenda: Agenda, sender: MulticastSender, probing: ProbeHooks) {
    this.#agenda = agenda
    this.#sender = sender
    this.#hooks = probing
  }

  /** Probes for the claims, `at` first: anew, if they are being probed for. */
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

  /** Whether others have been asked in this attempt: before that, nothing that is heard is meant for it. */
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
