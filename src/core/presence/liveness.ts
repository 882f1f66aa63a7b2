import { isPresent, LEASE_INTERVALS, SUSPECT_TIMEOUT } from '../../shared/peer-state.ts'
import { Budget } from '../budget.ts'
import type { PeerId } from '../wire/id.ts'
import type { Outbox } from './outbox.ts'
import type { Peer } from './peers/peer.ts'
import type { Registry } from './peers/registry.ts'
import type { Self } from './peers/self.ts'
import type { Echo, Notice } from './peers/types.ts'

/** One that has never beaten has no longer lease than this, ms: anybody can make up thousands of records. */
const UNPROVEN_LEASE = 10_000
/** A suspect is probed at these times, ms: so often that 30 % loss both ways does not make a living one fail. */
const PROBES = [0, 150, 300, 500, 750, 1000]
/** From this one on also on the shared paths: unicast may be what fails, by a VPN that takes it or by ARP that is lost. */
const FIRST_SHARED_PROBE = 300
/** Probes of suspects per second: of peers long known, of others, and on the shared paths. Made-up peers cannot draw more. */
const PROBES_PER_SECOND = 200
const STRANGER_PROBES_PER_SECOND = 50
const SHARED_PROBES_PER_SECOND = 20
/** Silence of all peers long known for this many intervals is our own trouble rather than theirs. */
const SILENCE_INTERVALS = 2
/** Intervals count up to this length for that, ms, so that a slow peer does not stand for all others. */
const EVICTABLE_AFTER_INTERVAL = 5000
/** A peer is long known after this, ms, and this many beats. */
const LONG_KNOWN = 60_000
const LONG_KNOWN_BEATS = 20
/** Doubts because of silence: at most one in this time, ms. */
const DOUBT_EVERY = 60_000
/** Leases more that doubts may give to one peer, until it is heard again. */
const MOST_REPRIEVES = 2
/** A loop that runs this late may have missed what was there to be heard, ms. */
const LATE = 500
const PROBE_MEMORY = 1024

/** More time for a silent peer, given because of a doubt. All times are monotonic ms. */
interface Reprieve {
  /** When the peer was last seen: one that is seen again begins anew. */
  lastSeen: number
  doubtedAt: number
  until: number
  count: number
}

/**
 * Judges who is alive: alive → suspect → failed. Doubts itself first: when it was late, or hears none of the peers it
 * has long known, everyone has one more lease before being judged (Lifeguard's local health, arXiv 1707.00788).
 */
export class Liveness {
  readonly #self: Self
  readonly #registry: Registry
  readonly #outbox: Outbox
  readonly #notice: (notice: Notice) => void
  readonly #knownProbes = new Budget(PROBES_PER_SECOND, PROBES_PER_SECOND)
  readonly #strangerProbes = new Budget(STRANGER_PROBES_PER_SECOND, STRANGER_PROBES_PER_SECOND)
  readonly #sharedProbes = new Budget(SHARED_PROBES_PER_SECOND, SHARED_PROBES_PER_SECOND)
  readonly #silenceDoubts = new Budget(1000 / DOUBT_EVERY, 1)
  readonly #reprieves = new WeakMap<Peer, Reprieve>()
  #doubtedAt = Number.NEGATIVE_INFINITY
  /** When a peer long known was last heard. */
  #lastHeard = Number.NEGATIVE_INFINITY
  /** From when on silence of all such peers is strange; undefined when that was looked at since one was heard. */
  #strangeAfter: number | undefined
  /** Probes sent, by nonce: for the round trip. */
  readonly #probes = new Map<number, { id: PeerId; at: number }>()
  #echoes: Echo[] = []

  constructor(self: Self, registry: Registry, outbox: Outbox, notice: (notice: Notice) => void) {
    this.#self = self
    this.#registry = registry
    this.#outbox = outbox
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
  startLease(peer: Peer): void {
    peer.plans.set('verdict', this.#leaseEnd(peer), (now) => this.#leaseRunsOut(peer, now))
  }

  /** Its interval has changed: it is judged one new lease from now at the latest, rather than when the old one ends. */
  intervalChanged(peer: Peer, now: number): void {
    if (peer.state !== 'alive') return
    peer.plans.set('verdict', now + leaseOf(peer), (later) => this.#leaseRunsOut(peer, later))
  }

  /** A fresh beat: it lives. */
  beat(peer: Peer, now: number): void {
    if (isLongKnown(peer, now)) {
      this.#lastHeard = now
      const from = now + SILENCE_INTERVALS * Math.min(peer.record.interval, EVICTABLE_AFTER_INTERVAL)
      this.#strangeAfter = Math.max(this.#strangeAfter ?? from, from)
    }
    if (peer.state === 'alive') return
    const wasFailed = peer.state === 'failed'
    this.#registry.enter(peer, 'alive', now)
    if (wasFailed) this.startLease(peer)
  }

  /** The answer to a probe. */
  echo(peer: Peer, nonce: number, now: number): void {
    const probe = this.#probes.get(nonce)
    if (probe?.id !== peer.id) return
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

  /** Asks a peer for a sign of life where it was heard, and at need on the shared paths there. Returns the probe's nonce. */
  probe(peer: Peer, now: number, isShared = false): number {
    const probe = this.#self.probe(peer.id)
    this.#probes.set(probe.nonce, { id: peer.id, at: now })
    if (this.#probes.size > PROBE_MEMORY) {
      for (const oldest of this.#probes.keys()) {
        this.#probes.delete(oldest)
        break
      }
    }
    const whereabouts = peer.addresses.heardFrom()
    for (const where of whereabouts) this.#outbox.sendUnicast(probe, where)
    if (isShared) {
      const names = new Set(whereabouts.map((where) => where.interface))
      const networks = this.#outbox.interfaces.filter(({ name }) => names.has(name))
      this.#outbox.sendShared(probe, networks)
    }
    return probe.nonce
  }

  #leaseRunsOut(peer: Peer, now: number): void {
    if (peer.state === 'left') return
    if (now >= this.#leaseEnd(peer)) {
      if (peer.state === 'alive' && this.#hearsNobody(now)) {
        this.#doubtedAt = now
        this.#notice({ type: 'doubt', cause: 'silence', ms: now - this.#lastHeard })
      }
      this.#reprieve(peer, now)
    }
    if (now < this.#leaseEnd(peer)) {
      this.startLease(peer)
    } else {
      this.#suspect(peer, now)
    }
  }

  #suspect(peer: Peer, now: number): void {
    if (peer.state === 'alive') this.#registry.enter(peer, 'suspect', now)
    const { lastSeen } = peer
    const isSilent = () => peer.state === 'suspect' && peer.lastSeen === lastSeen
    const ask = ([delay, ...later]: readonly number[]) => {
      if (delay === undefined) return
      peer.plans.set('probe', now + delay, (at) => {
        if (!isSilent()) return
        this.#probeSuspect(peer, delay >= FIRST_SHARED_PROBE, at)
        ask(later)
      })
    }
    ask(PROBES)
    peer.plans.set('verdict', now + SUSPECT_TIMEOUT, (later) => {
      if (isSilent()) this.#reprieve(peer, later)
      if (isSilent() && later >= this.#leaseEnd(peer)) this.#registry.enter(peer, 'failed', later)
      else this.#leaseRunsOut(peer, later)
    })
  }

  #probeSuspect(peer: Peer, isShared: boolean, now: number): void {
    const isKnown = isLongKnown(peer, now)
    if (!(isKnown ? this.#knownProbes : this.#strangerProbes).take(now)) return
    this.probe(peer, now, isShared && isKnown && this.#sharedProbes.take(now))
  }

  #leaseEnd(peer: Peer): number {
    const end = peer.lastSeen + leaseOf(peer)
    const reprieve = this.#reprieves.get(peer)
    return reprieve?.lastSeen === peer.lastSeen ? Math.max(end, reprieve.until) : end
  }

  /** Gives a silent peer one more lease from the last doubt on, if it has not had that, nor too many. */
  #reprieve(peer: Peer, now: number): void {
    const { lastSeen } = peer
    const held = this.#reprieves.get(peer)
    const before = held?.lastSeen === lastSeen ? held : { doubtedAt: lastSeen, count: 0 }
    const until = this.#doubtedAt + leaseOf(peer)
    if (this.#doubtedAt <= before.doubtedAt || until <= now || before.count >= MOST_REPRIEVES) return
    this.#reprieves.set(peer, { lastSeen, doubtedAt: this.#doubtedAt, until, count: before.count + 1 })
  }

  /** At least two peers long known were heard and now none is. Not more often than once a minute, whatever is shown to us. */
  #hearsNobody(now: number): boolean {
    if (this.#strangeAfter === undefined || now < this.#strangeAfter) return false
    this.#strangeAfter = undefined
    let longKnown = 0
    for (const peer of this.#registry.values()) if (isPresent(peer) && isLongKnown(peer, now)) longKnown++
    return longKnown > 1 && this.#silenceDoubts.take(now)
  }
}

function leaseOf({ hasBeaten, record }: Peer): number {
  const lease = LEASE_INTERVALS * record.interval
  return hasBeaten ? lease : Math.min(lease, UNPROVEN_LEASE)
}

function isLongKnown(peer: Peer, now: number): boolean {
  return now - peer.firstSeen >= LONG_KNOWN && peer.beats >= LONG_KNOWN_BEATS
}
