import { isPresent } from '../../../shared/peer-state.ts'
import { type Agenda, Plans } from '../../agenda.ts'
import { Budget } from '../../budget.ts'
import type { Interface } from '../../link.ts'
import type { Peer } from '../peers/peer.ts'
import type { Registry } from '../peers/registry.ts'
import type { Self } from '../peers/self.ts'
import type { PeerView, Saying, Sighting } from '../peers/types.ts'
import { addressKey } from './address-key.ts'
import { type Cover, Covers, SELF } from './covers.ts'
import { Gathering } from './gathering.ts'
import { Neighbour } from './neighbour.ts'
import { type News, Telling } from './telling.ts'

export const MOST_NEIGHBOURS = 1024
/** How long failed and left hosts are kept, ms. */
export const NEIGHBOUR_RETENTION = 3_600_000
/** A newcomer that may be a beaconing peer has this long, ms, to be heard by its beacons before it is listed without them: a beat, and an answer. */
const BEACON_PATIENCE = 1500
/** What was under way when a peer said goodbye, or moved, has come after this, ms. */
const STRAGGLERS = 2000
/** Hosts asked for a sign of life because their beacons have gone silent, per second and at once. */
const QUESTIONS_PER_SECOND = 10
const QUESTION_BURST = 50

/**
 * Hosts that were found by mDNS, which proves nothing. Each is either listed by its host name, or is a beaconing peer
 * that is there, or this machine, and then not listed.
 */
export class Neighbours {
  readonly #registry: Registry
  readonly #agenda: Agenda
  readonly #covers: Covers
  readonly #telling: Telling
  readonly #gathering: Gathering
  readonly #hosts = new Map<string, Neighbour>()
  readonly #questionBudget = new Budget(QUESTIONS_PER_SECOND, QUESTION_BURST)
  #questions: string[] = []

  constructor(self: Self, registry: Registry, agenda: Agenda) {
    this.#registry = registry
    this.#agenda = agenda
    this.#covers = new Covers(self, registry)
    this.#telling = new Telling(agenda)
    this.#gathering = new Gathering(registry, this.#telling)
  }

  /** Those that are listed. */
  views(): PeerView[] {
    return Array.from(this.#hosts.values(), (host) => host.view() ?? []).flat()
  }

  /** Those that are there and not listed, each with the peer that it is taken for. */
  hidden(): PeerView[] {
    return Array.from(this.#hosts.values(), (host) => {
      const cover = isPresent(host.sighting) && !host.isTold ? host.cover : undefined
      return cover === undefined ? [] : { ...host.seen(), hidden: this.#covers.describe(host, cover) }
    }).flat()
  }

  /** The one of that host name in lower case, if it is listed. */
  get(id: string): PeerView | undefined {
    return this.#hosts.get(id)?.view()
  }

  /**
   * Whether the signed record of a living peer tells the same: of a host, named in lower case, that says that it is
   * that peer. What anybody else could have made up is not among it.
   */
  isSigned(id: string, saying: Saying): boolean {
    const host = this.#hosts.get(id)
    const claim = host?.sighting.claim
    const peer = claim !== undefined && claim === host?.cover ? this.#registry.get(claim) : undefined
    if (peer?.state !== 'alive') return false
    if ('address' in saying) return peer.addresses.some((each) => addressKey(each) === addressKey(saying))
    const { name, type, port } = saying
    if (type === undefined) return name === peer.record.name
    return peer.record.services.some(
      (each) => each.name === name && each.type === type && (port === undefined || each.port === port),
    )
  }

  /** A host as it was seen. */
  sight(sighting: Sighting, now: number): void {
    const known = this.#hosts.get(sighting.id)
    if (!known) {
      this.#meet(sighting, now)
      return
    }
    const wasUnsure = known.isUnsure
    const hasChanged = known.see(sighting)
    if (hasChanged) this.#covers.setHost(known)
    if (hasChanged || wasUnsure) this.#judge(known, now)
  }

  /** A beaconing peer has changed, or is no longer held. */
  follow(peer: Peer, now: number): void {
    for (const id of this.#covers.setPeer(peer)) this.#judgeAgain(this.#hosts.get(id), now)
  }

  /** This machine's own interfaces, or its identity, have changed. */
  setOwn(interfaces: readonly Interface[], now: number): void {
    this.#covers.setOwn(interfaces)
    for (const host of [...this.#hosts.values()]) this.#judge(host, now)
  }

  /** Host names to be asked for by mDNS: it is to be known now whether they are still there. */
  takeQuestions(): string[] {
    const questions = this.#questions
    this.#questions = []
    return questions
  }

  #meet(sighting: Sighting, now: number): void {
    if (!isPresent(sighting) || !this.#makeRoom(now)) return
    const mayBeacon = this.#covers.mayBeCovered(sighting)
    const host = new Neighbour(sighting, new Plans(this.#agenda), mayBeacon ? now + BEACON_PATIENCE : now, now)
    this.#hosts.set(host.id, host)
    this.#covers.setHost(host)
    this.#judge(host, now)
    if (mayBeacon) host.plans.set('judge', host.notBefore, (later) => this.#judge(host, later))
  }

  #judgeAgain(host: Neighbour | undefined, now: number): void {
    if (host && this.#hosts.get(host.id) === host) this.#judge(host, now)
  }

  /** Finds out who the host is, and tells what follows. */
  #judge(host: Neighbour, now: number): void {
    const before = host.cover
    host.cover = this.#covers.coverOf(host)
    if (before !== undefined && host.cover === undefined) this.#doubt(host, before, now)
    // What it offers is told of in one place at a time.
    if (host.cover === undefined) this.#gathering.note(host, now)
    this.#telling.offer(host.id, (later) => this.#newsOf(host, later), now)
    if (host.cover !== undefined) this.#gathering.note(host, now)
  }

  /** A host that was another peer is not there by itself because that has gone: the machine may have. It is asked. */
  #doubt(host: Neighbour, before: Cover, now: number): void {
    const hasFailed = before !== SELF && this.#registry.get(before)?.state === 'failed'
    host.unsureSince = hasFailed ? now : now + STRAGGLERS
    host.plans.set('doubt', host.unsureSince, (later) => {
      if (host.cover !== undefined || !host.isUnsure) return
      if (this.#questionBudget.take(later)) this.#questions.push(host.sighting.hostname)
    })
  }

  #newsOf(host: Neighbour, now: number): News | undefined {
    if (this.#hosts.get(host.id) !== host) return undefined
    const isGone = !isPresent(host.sighting)
    const isListed =
      host.cover === undefined &&
      now >= host.notBefore &&
      (host.isTold || (host.sighting.state === 'alive' && !host.isUnsure))
    const report = host.report(isListed, now)
    if (!report) {
      if (isGone && !host.isTold) this.#remove(host, now)
      return undefined
    }
    const weight = report.changes.reduce((sum, { bytes }) => sum + 1 + bytes / 1024, 0)
    return {
      weight,
      tell: () => {
        for (const { change, bytes } of report.changes) this.#registry.journal.add(change, bytes)
        host.told(report)
        if (!isGone) host.plans.cancel('forget')
        else if (host.isTold) host.plans.set('forget', now + NEIGHBOUR_RETENTION, (later) => this.#forget(host, later))
        else this.#remove(host, now)
      },
    }
  }

  #forget(host: Neighbour, now: number): void {
    if (!isPresent(host.sighting)) this.#remove(host, now)
  }

  /** At need those that have gone make room. */
  #makeRoom(now: number): boolean {
    if (this.#hosts.size < MOST_NEIGHBOURS) return true
    for (const host of this.#hosts.values()) {
      if (isPresent(host.sighting)) continue
      this.#remove(host, now)
      return true
    }
    return false
  }

  #remove(host: Neighbour, now: number): void {
    host.plans.cancelAll()
    this.#hosts.delete(host.id)
    const peer = host.view()
    if (peer) this.#registry.journal.add({ type: 'peer-forgotten', at: now, peer }, host.bytes)
    this.#covers.removeHost(host.id)
  }
}
