import type { Agenda } from '../agenda.ts'
import type { Outbox } from './outbox.ts'
import type { Peer } from './peer.ts'
import type { Registry } from './registry.ts'
import type { Self } from './self.ts'
import type { Echo, Notice } from './types.ts'

/** A peer may be silent for this many of its beat intervals. */
const LEASE_INTERVALS = 3.5
/** A suspect is probed at these times, ms: so often that 30 % loss both ways does not make a living one fail. */
const PROBES = [0, 150, 300, 500, 750, 1000]
/** Still silent then, ms, it has failed. */
const VERDICT = 1200
/** Silence of everyone for this many intervals is our own trouble rather than everyone's. */
const SILENCE_INTERVALS = 2
/** A loop that runs this late may have missed what was there to be heard, ms. */
const LATE = 500
const PROBE_MEMORY = 1024

/**
 * Judges who is alive: alive → suspect → failed. Doubts itself first: when it was late, or hears nobody at all,
 * everyone has one more lease before being judged (Lifeguard's local health, arXiv 1707.00788).
 */
export class Liveness {
  readonly #self: Self
  readonly #registry: Registry
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  readonly #notice: (notice: Notice) => void
  #doubtedAt = Number.NEGATIVE_INFINITY
  #lastHeard = Number.NEGATIVE_INFINITY
  /** Probes sent, by nonce: for the round trip. */
  readonly #probes = new Map<number, { peer: Peer; at: number }>()
  #echoes: Echo[] = []

  constructor(self: Self, registry: Registry, outbox: Outbox, agenda: Agenda, notice: (notice: Notice) => void) {
    this.#self = self
    this.#registry = registry
    this.#outbox = outbox
    this.#agenda = agenda
    this.#notice = notice
  }

  /** The loop has come round at `now`, and should have at `due`. Returns by how much it was too late, ms: 0 if it was not. */
  wokeUp(due: number | undefined, now: number): number {
    const late = now - (due ?? now)
    if (late < LATE) return 0
    this.#doubtedAt = now
    this.#notice({ type: 'doubt', cause: 'late', ms: late })
    return late
  }

  /** A newcomer, or one that began anew: its lease begins. */
  watch(peer: Peer, now: number): void {
    this.#lastHeard = now
    const watch = ++peer.watch
    this.#agenda.add(this.#leaseEnd(peer), (later) => this.#leaseRunsOut(peer, watch, later))
  }

  /** A fresh beat: it lives. */
  heard(peer: Peer, now: number): void {
    this.#lastHeard = now
    if (peer.state === 'alive') return
    const wasFailed = peer.state === 'failed'
    this.#registry.enter(peer, 'alive', now)
    if (wasFailed) this.watch(peer, now)
  }

  /** The answer to a probe. */
  echoed(peer: Peer, nonce: number, now: number): void {
    const probe = this.#probes.get(nonce)
    if (probe?.peer !== peer) return
    this.#probes.delete(nonce)
    peer.rtt = now - probe.at
    this.#echoes.push({ nonce, rtt: peer.rtt })
  }

  /** Answers to probes since the last call. */
  takeEchoes(): Echo[] {
    const echoes = this.#echoes
    this.#echoes = []
    return echoes
  }

  /** Asks a peer for a sign of life at every address it was heard from. Returns the probe's nonce. */
  probe(peer: Peer, now: number): number {
    const probe = this.#self.probe(peer.id)
    this.#probes.set(probe.nonce, { peer, at: now })
    if (this.#probes.size > PROBE_MEMORY) {
      for (const oldest of this.#probes.keys()) {
        this.#probes.delete(oldest)
        break
      }
    }
    for (const where of peer.whereabouts()) this.#outbox.tell(probe, where)
    return probe.nonce
  }

  #leaseRunsOut(peer: Peer, watch: number, now: number): void {
    if (peer.watch !== watch || this.#registry.get(peer.id) !== peer || peer.state === 'left') return
    if (peer.state === 'alive' && now >= this.#leaseEnd(peer) && this.#hearsNobody(peer, now)) {
      this.#doubtedAt = now
      this.#notice({ type: 'doubt', cause: 'silence', ms: now - this.#lastHeard })
    }
    if (now < this.#leaseEnd(peer)) {
      this.#agenda.add(this.#leaseEnd(peer), (later) => this.#leaseRunsOut(peer, watch, later))
    } else {
      this.#suspect(peer, watch, now)
    }
  }

  #suspect(peer: Peer, watch: number, now: number): void {
    if (peer.state === 'alive') this.#registry.enter(peer, 'suspect', now)
    const { lastSeen } = peer
    const isSilent = () => peer.watch === watch && peer.state === 'suspect' && peer.lastSeen === lastSeen
    for (const delay of PROBES) {
      this.#agenda.add(now + delay, (later) => {
        if (isSilent()) this.probe(peer, later)
      })
    }
    this.#agenda.add(now + VERDICT, (later) => {
      if (isSilent() && later >= this.#leaseEnd(peer)) this.#registry.enter(peer, 'failed', later)
      else this.#leaseRunsOut(peer, watch, later)
    })
  }

  #leaseEnd(peer: Peer): number {
    return Math.max(peer.lastSeen, this.#doubtedAt) + leaseOf(peer)
  }

  /** All were heard and now none is; believed once for each silence. */
  #hearsNobody(peer: Peer, now: number): boolean {
    return (
      this.#registry.present > 1 &&
      now - this.#lastHeard >= SILENCE_INTERVALS * peer.record.interval &&
      this.#doubtedAt < this.#lastHeard
    )
  }
}

function leaseOf(peer: Peer): number {
  return LEASE_INTERVALS * peer.record.interval
}
