import { isPresent, LEASE_INTERVALS, SUSPECT_TIMEOUT } from '../../shared/peer-state.ts'
import type { Agenda, Task } from '../agenda.ts'
import { Budget } from '../budget.ts'
import { keepNewest } from '../keep-newest.ts'
import { Pending } from '../pending.ts'
import type { PeerId } from '../wire/id.ts'
import type { Outbox } from './outbox.ts'
import type { Peer } from './peers/peer.ts'
import type { Registry } from './peers/registry.ts'
import type { Self } from './peers/self.ts'
import type { Echo, Notice } from './peers/types.ts'

/** The longest lease of a peer that has never beaten, in ms. An attacker can invent thousands of records. */
const MAX_UNPROVEN_LEASE = 10_000
/** All leases are checked together, at a multiple of this, in ms, after the first has ended. */
const LEASE_SLOT = 100
/** They are checked at least this often, in ms: so it is noticed that the event loop was late. */
const MAX_CHECK_INTERVAL = 1000
/**
 * When a suspect peer is probed, in ms after it became suspect. With so many probes, a living peer does not fail even if 30 %
 * of all datagrams are lost in both directions.
 */
const PROBES = [0, 150, 300, 500, 750, 1000]
/** From this probe on, also the shared paths are used: a VPN or lost ARP packets may prevent unicast only. */
const FIRST_SHARED_PROBE = 300
/** Probes of suspect peers per second: of long-known peers, of others, and on the shared paths. */
const PROBES_PER_SECOND = 200
const NEW_PEER_PROBES_PER_SECOND = 50
const SHARED_PROBES_PER_SECOND = 20
/** If all long-known peers are silent for this many intervals, the cause is probably this machine. */
const SILENCE_INTERVALS = 2
/** The longest interval that counts for `SILENCE_INTERVALS`, in ms, so that one slow peer does not decide for all. */
const MAX_SILENCE_INTERVAL = 5000
/** A peer is long-known after this time, in ms, and this many beats. */
const LONG_KNOWN = 60_000
const LONG_KNOWN_BEATS = 20
/** This machine's reception is doubted because of silence at most once in this time, in ms. */
const DOUBT_INTERVAL = 60_000
/** How many more leases a silent peer can get because of such doubts. */
const MAX_EXTENSIONS = 2
/** If the event loop is this late, in ms, it may have missed datagrams. */
const LATE = 500
const MAX_REMEMBERED_PROBES = 1024

/** A longer lease for a silent peer, given because of a doubt. All times are monotonic ms. */
interface LeaseExtension {
  /** When the peer was last heard. The extension ends when it is heard again. */
  lastSeen: number
  doubtedAt: number
  until: number
  count: number
}

/**
 * Decides which peers are alive: alive → suspect → failed.
 *
 * Before it decides, it checks this machine itself (local health as in Lifeguard, arXiv 1707.00788). If the event loop was
 * late, or all long-known peers are silent, the cause may be this machine. Then each silent peer gets one more lease.
 */
export class Liveness {
  readonly #self: Self
  readonly #registry: Registry
  readonly #outbox: Outbox
  readonly #agenda: Agenda
  readonly #notice: (notice: Notice) => void
  readonly #knownProbes = new Budget(PROBES_PER_SECOND, PROBES_PER_SECOND)
  readonly #newPeerProbes = new Budget(NEW_PEER_PROBES_PER_SECOND, NEW_PEER_PROBES_PER_SECOND)
  readonly #sharedProbes = new Budget(SHARED_PROBES_PER_SECOND, SHARED_PROBES_PER_SECOND)
  readonly #silenceDoubts = new Budget(1000 / DOUBT_INTERVAL, 1)
  readonly #extensions = new WeakMap<Peer, LeaseExtension>()
  /** When this machine was last doubted, in monotonic ms. */
  #doubtedAt = Number.NEGATIVE_INFINITY
  /** When a long-known peer was last heard, in monotonic ms. */
  #lastHeard = Number.NEGATIVE_INFINITY
  /** When silence of all long-known peers becomes suspicious. Undefined if that was checked since one was last heard. */
  #silenceDoubtAt: number | undefined
  /** The probes sent, by nonce. */
  readonly #probes = new Map<number, { id: PeerId; at: number }>()
  readonly #echoes = new Pending<Echo>()
  /** The next check of the leases of all alive peers. A task for each peer would wake the process up much more often. */
  #check: Task | undefined

  constructor(self: Self, registry: Registry, outbox: Outbox, agenda: Agenda, notice: (notice: Notice) => void) {
    this.#self = self
    this.#registry = registry
    this.#outbox = outbox
    this.#agenda = agenda
    this.#notice = notice
  }

  /** Compares when the event loop should have run with when it did. Returns the delay in ms, 0 if that is harmless. */
  checkDelay(due: number | undefined, now: number): number {
    const late = now - (due ?? now)
    if (late < LATE) return 0
    this.#doubtedAt = now
    this.#notice({ type: 'doubt', cause: 'late', ms: late })
    return late
  }

  /** Starts the lease of a new peer, or of one with a new incarnation. */
  startLease(peer: Peer): void {
    peer.tasks.cancel('verdict')
    peer.leaseUntil = 0
    this.#checkLeasesAt(this.#leaseEnd(peer))
  }

  /**
   * Adapts the running lease to a new beat interval. A longer one extends it. After a shorter one, it ends as before, but one new
   * lease from now at the latest. `before` is the interval until now, ms.
   */
  intervalChanged(peer: Peer, before: number, now: number): void {
    if (peer.state !== 'alive') return
    const runningEnd = Math.max(peer.lastSeen + leaseOf(peer, before), peer.leaseUntil)
    peer.leaseUntil = Math.min(runningEnd, now + leaseOf(peer))
    this.#checkLeasesAt(this.#leaseEnd(peer))
  }

  /** Takes a fresh beat: the peer is alive. */
  beat(peer: Peer, now: number): void {
    if (isLongKnown(peer, now)) {
      this.#lastHeard = now
      const from = now + SILENCE_INTERVALS * Math.min(peer.record.interval, MAX_SILENCE_INTERVAL)
      this.#silenceDoubtAt = Math.max(this.#silenceDoubtAt ?? from, from)
    }
    if (peer.state === 'alive') return
    this.#registry.enter(peer, 'alive', now)
    this.startLease(peer)
  }

  /** Takes the answer to a probe. */
  echo(peer: Peer, nonce: number, now: number): void {
    const probe = this.#probes.get(nonce)
    if (probe?.id !== peer.id) return
    this.#probes.delete(nonce)
    peer.rtt = now - probe.at
    this.#echoes.add({ nonce, rtt: peer.rtt })
  }

  get hasEchoes(): boolean {
    return !this.#echoes.isEmpty
  }

  /** The answers to probes since the last call. */
  takeEchoes(): Echo[] {
    return this.#echoes.take()
  }

  /** Sends a probe to all addresses from which a peer was heard, and if `isShared` also on the shared paths. Returns its nonce. */
  probe(peer: Peer, now: number, isShared = false): number {
    const probe = this.#self.probe(peer.id)
    this.#probes.set(probe.nonce, { id: peer.id, at: now })
    keepNewest(this.#probes, MAX_REMEMBERED_PROBES)
    const sources = peer.addresses.heardFrom()
    for (const source of sources) this.#outbox.sendUnicast(probe, source)
    if (isShared) {
      const names = new Set(sources.map((source) => source.interface))
      const networks = this.#outbox.interfaces.filter(({ name }) => names.has(name))
      this.#outbox.sendShared(probe, networks)
    }
    return probe.nonce
  }

  /** Checks all leases at `at`, or a little later. */
  #checkLeasesAt(at: number): void {
    const slot = slotAfter(at)
    if (this.#check) {
      if (this.#check.at <= slot) return
      this.#agenda.cancel(this.#check)
    }
    this.#check = this.#agenda.add(slot, (now) => this.#checkLeases(now))
  }

  #checkLeases(now: number): void {
    this.#check = undefined
    let next = Number.POSITIVE_INFINITY
    for (const peer of this.#registry.values()) {
      if (peer.state !== 'alive') continue
      let end = ordinaryLeaseEnd(peer)
      if (now >= end) {
        this.#leaseEnded(peer, now)
        // It is suspect now, or its lease was extended.
        end = peer.state === 'alive' ? this.#leaseEnd(peer) : Number.POSITIVE_INFINITY
      }
      if (end < next) next = end
    }
    if (next < Number.POSITIVE_INFINITY) this.#checkLeasesAt(Math.min(next, now + MAX_CHECK_INTERVAL))
  }

  #leaseEnded(peer: Peer, now: number): void {
    if (peer.state === 'left') return
    if (now >= this.#leaseEnd(peer)) {
      if (peer.state === 'alive' && this.#areAllSilent(now)) {
        this.#doubtedAt = now
        this.#notice({ type: 'doubt', cause: 'silence', ms: now - this.#lastHeard })
      }
      this.#extendLease(peer, now)
    }
    const end = this.#leaseEnd(peer)
    if (now >= end) this.#suspect(peer, now)
    else if (peer.state === 'suspect')
      peer.tasks.set('verdict', slotAfter(end), (later) => this.#leaseEnded(peer, later))
  }

  #suspect(peer: Peer, now: number): void {
    if (peer.state === 'alive') this.#registry.enter(peer, 'suspect', now)
    const { lastSeen } = peer
    const isSilent = () => peer.state === 'suspect' && peer.lastSeen === lastSeen
    const scheduleProbes = ([delay, ...later]: readonly number[]) => {
      if (delay === undefined) return
      peer.tasks.set('probe', now + delay, (at) => {
        if (!isSilent()) return
        this.#probeSuspect(peer, delay >= FIRST_SHARED_PROBE, at)
        scheduleProbes(later)
      })
    }
    scheduleProbes(PROBES)
    peer.tasks.set('verdict', now + SUSPECT_TIMEOUT, (later) => {
      if (isSilent()) this.#extendLease(peer, later)
      if (isSilent() && later >= this.#leaseEnd(peer)) this.#registry.enter(peer, 'failed', later)
      else this.#leaseEnded(peer, later)
    })
  }

  #probeSuspect(peer: Peer, isShared: boolean, now: number): void {
    const isKnown = isLongKnown(peer, now)
    if (!(isKnown ? this.#knownProbes : this.#newPeerProbes).take(now)) return
    this.probe(peer, now, isShared && isKnown && this.#sharedProbes.take(now))
  }

  #leaseEnd(peer: Peer): number {
    const end = ordinaryLeaseEnd(peer)
    const extension = this.#extensions.get(peer)
    return extension?.lastSeen === peer.lastSeen ? Math.max(end, extension.until) : end
  }

  /** Gives a silent peer one more lease from the last doubt on, unless it already has that lease or too many of them. */
  #extendLease(peer: Peer, now: number): void {
    const { lastSeen } = peer
    const held = this.#extensions.get(peer)
    const before = held?.lastSeen === lastSeen ? held : { doubtedAt: lastSeen, count: 0 }
    const until = this.#doubtedAt + leaseOf(peer)
    if (this.#doubtedAt <= before.doubtedAt || until <= now || before.count >= MAX_EXTENSIONS) return
    this.#extensions.set(peer, { lastSeen, doubtedAt: this.#doubtedAt, until, count: before.count + 1 })
  }

  /** Whether all of at least two long-known peers are silent. Returns true at most once a minute. */
  #areAllSilent(now: number): boolean {
    if (this.#silenceDoubtAt === undefined || now < this.#silenceDoubtAt) return false
    this.#silenceDoubtAt = undefined
    let longKnown = 0
    for (const peer of this.#registry.values()) if (isPresent(peer) && isLongKnown(peer, now)) longKnown++
    return longKnown > 1 && this.#silenceDoubts.take(now)
  }
}

/** The first time from `at` on when leases are checked. */
function slotAfter(at: number): number {
  return Math.ceil(at / LEASE_SLOT) * LEASE_SLOT
}

/** When the lease of a peer ends, unless it was extended. Monotonic ms. */
function ordinaryLeaseEnd(peer: Peer): number {
  return Math.max(peer.lastSeen + leaseOf(peer), peer.leaseUntil)
}

/** The lease of a peer with this beat interval: how long it may be silent, in ms. */
function leaseOf({ hasBeaten, record }: Peer, interval = record.interval): number {
  const lease = LEASE_INTERVALS * interval
  return hasBeaten ? lease : Math.min(lease, MAX_UNPROVEN_LEASE)
}

function isLongKnown(peer: Peer, now: number): boolean {
  return now - peer.firstSeen >= LONG_KNOWN && peer.beats >= LONG_KNOWN_BEATS
}
