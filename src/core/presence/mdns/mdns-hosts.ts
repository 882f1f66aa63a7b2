import { isPresent } from '../../../shared/peer-state.ts'
import { type Agenda, NamedTasks } from '../../agenda.ts'
import { Budget } from '../../budget.ts'
import type { Interface } from '../../link.ts'
import { Pending } from '../../pending.ts'
import type { PeerId } from '../../wire/id.ts'
import type { NewChange } from '../peers/journal.ts'
import type { MdnsServices, Peer } from '../peers/peer.ts'
import type { Registry } from '../peers/registry.ts'
import type { Self } from '../peers/self.ts'
import type { HostAssertion, PeerView, Sighting } from '../peers/types.ts'
import { MdnsEventBudget, type PendingEntries } from './event-budget.ts'
import { addressKey, HostIdentity } from './host-identity.ts'
import { MdnsHost, SELF } from './mdns-host.ts'
import { MdnsServiceMerge } from './service-merge.ts'

export const MAX_MDNS_HOSTS = 1024
/** How long failed and left hosts stay in the list, ms. */
export const MDNS_HOST_RETENTION = 3_600_000
/** How long a new host that may be a peer is not listed, ms. In this time a beacon and the record of that peer arrive. */
const BEACON_WAIT = 1500
/** How long answers may take that were sent before a goodbye or a change of address, ms. */
const LATE_ANSWERS = 2000
/** Queries for hosts whose beacons have stopped: per second, and at once. */
const QUERIES_PER_SECOND = 10
const QUERY_BURST = 50

/** Receives each change as soon as it is made. */
export interface MdnsHostListener {
  /** A listed host has changed. `bytes` is the approximate size of the change. */
  hostChanged(change: NewChange, bytes: number): void
  /** The services that mDNS adds to a present peer have changed. */
  servicesChanged(peer: Peer, services: MdnsServices, now: number): void
}

/**
 * The hosts that mDNS has found. mDNS is not authenticated, so nothing about them is verified.
 *
 * A host that is the same machine as a present peer, or as this daemon, is not listed: its services are merged into the
 * peer. Every other host is listed under its host name.
 */
export class MdnsHosts {
  readonly #registry: Registry
  readonly #agenda: Agenda
  readonly #listener: MdnsHostListener
  readonly #identity: HostIdentity
  readonly #budget: MdnsEventBudget
  readonly #serviceMerge: MdnsServiceMerge
  readonly #hosts = new Map<string, MdnsHost>()
  readonly #queryBudget = new Budget(QUERIES_PER_SECOND, QUERY_BURST)
  readonly #hostsToQuery = new Pending<string>()

  constructor(self: Self, registry: Registry, agenda: Agenda, listener: MdnsHostListener) {
    this.#registry = registry
    this.#agenda = agenda
    this.#listener = listener
    this.#identity = new HostIdentity(self, registry)
    this.#budget = new MdnsEventBudget(agenda)
    this.#serviceMerge = new MdnsServiceMerge(registry, this.#budget, (peer, services, now) =>
      listener.servicesChanged(peer, services, now),
    )
  }

  /** The listed hosts. */
  views(): PeerView[] {
    return Array.from(this.#hosts.values(), (host) => host.listedView() ?? []).flat()
  }

  /** The present hosts that are not listed, each with the peer that it is identified as. */
  hidden(): PeerView[] {
    return Array.from(this.#hosts.values(), (host) => {
      const identifiedAs = isPresent(host.sighting) && !host.isListed ? host.identifiedAs : undefined
      if (identifiedAs === undefined) return []
      return { ...host.latestView(), hidden: this.#identity.describe(host, identifiedAs) }
    }).flat()
  }

  /** The listed host with this id, which is its host name in lower case. */
  get(id: string): PeerView | undefined {
    return this.#hosts.get(id)?.listedView()
  }

  /**
   * Whether the signed record of an alive peer contains what a host says by mDNS. The host has to claim to be that peer.
   * `id` is its host name in lower case.
   */
  isConfirmedByBeacon(id: string, assertion: HostAssertion): boolean {
    const host = this.#hosts.get(id)
    const claim = host?.sighting.claim
    const peer = claim !== undefined && claim === host?.identifiedAs ? this.#registry.get(claim) : undefined
    if (peer?.state !== 'alive') return false
    if ('address' in assertion) return peer.addresses.all.some((each) => addressKey(each) === addressKey(assertion))
    const { name, type, port } = assertion
    if (type === undefined) return name === peer.record.name
    return peer.record.services.some(
      (each) => each.name === name && each.type === type && (port === undefined || each.port === port),
    )
  }

  /** Takes in a host as mDNS sees it at `now`, monotonic ms. */
  sight(sighting: Sighting, now: number): void {
    const host = this.#hosts.get(sighting.id)
    if (!host) {
      this.#add(sighting, now)
      return
    }
    const wasUnconfirmed = host.isUnconfirmed
    const hasChanged = host.update(sighting)
    if (hasChanged) this.#identity.setHost(host)
    if (hasChanged || wasUnconfirmed) this.#update(host, now)
  }

  /** A peer has changed its state or its addresses, or was removed from the registry. */
  peerChanged(peer: Peer, now: number): void {
    for (const id of this.#identity.setPeer(peer)) {
      const host = this.#hosts.get(id)
      if (host) this.#update(host, now)
    }
  }

  /** The interfaces or the identity of this daemon have changed. */
  setOwnInterfaces(interfaces: readonly Interface[], now: number): void {
    this.#identity.setOwnInterfaces(interfaces)
    for (const host of [...this.#hosts.values()]) this.#update(host, now)
  }

  get hasHostsToQuery(): boolean {
    return !this.#hostsToQuery.isEmpty
  }

  /** The names of hosts that mDNS has to query now, to find out whether they are still there. */
  takeHostsToQuery(): string[] {
    return this.#hostsToQuery.take()
  }

  #add(sighting: Sighting, now: number): void {
    if (!isPresent(sighting) || !this.#makeRoom(now)) return
    const mayBePeer = this.#identity.mayBePeer(sighting)
    const host = new MdnsHost(sighting, new NamedTasks(this.#agenda), mayBePeer ? now + BEACON_WAIT : now, now)
    this.#hosts.set(host.id, host)
    this.#identity.setHost(host)
    this.#update(host, now)
    if (mayBePeer) host.tasks.set('identify', host.listableFrom, (later) => this.#update(host, later))
  }

  /** Identifies the host again, and updates the list. */
  #update(host: MdnsHost, now: number): void {
    const before = host.identifiedAs
    host.identifiedAs = this.#identity.identify(host)
    if (before !== undefined && host.identifiedAs === undefined) this.#requireConfirmation(host, before, now)
    // No service is listed twice: it is removed in one place before it is added in the other.
    if (host.identifiedAs === undefined) this.#serviceMerge.hostChanged(host, now)
    this.#budget.submit(host.id, (later) => this.#prepare(host, later), now)
    if (host.identifiedAs !== undefined) this.#serviceMerge.hostChanged(host, now)
  }

  /**
   * The peer that the host was identified as is no longer present. Its machine may be off, so the host is listed only
   * after it was heard again. mDNS queries it for this.
   */
  #requireConfirmation(host: MdnsHost, before: PeerId | typeof SELF, now: number): void {
    const hasFailed = before !== SELF && this.#registry.get(before)?.state === 'failed'
    host.confirmAfter = hasFailed ? now : now + LATE_ANSWERS
    host.tasks.set('query', host.confirmAfter, (later) => {
      if (host.identifiedAs !== undefined || !host.isUnconfirmed) return
      if (this.#queryBudget.take(later)) this.#hostsToQuery.add(host.sighting.hostname)
    })
  }

  #prepare(host: MdnsHost, now: number): PendingEntries | undefined {
    if (this.#hosts.get(host.id) !== host) return undefined
    const isGone = !isPresent(host.sighting)
    const mayBeListed =
      host.identifiedAs === undefined &&
      now >= host.listableFrom &&
      (host.isListed || (host.sighting.state === 'alive' && !host.isUnconfirmed))
    const update = host.listUpdate(mayBeListed, now)
    if (!update) {
      if (isGone && !host.isListed) this.#remove(host, now)
      return undefined
    }
    const cost = update.entries.reduce((sum, { bytes }) => sum + 1 + bytes / 1024, 0)
    return {
      cost,
      write: () => {
        for (const { change, bytes } of update.entries) this.#listener.hostChanged(change, bytes)
        host.applied(update)
        if (!isGone) host.tasks.cancel('forget')
        else if (host.isListed)
          host.tasks.set('forget', now + MDNS_HOST_RETENTION, (later) => this.#forget(host, later))
        else this.#remove(host, now)
      },
    }
  }

  #forget(host: MdnsHost, now: number): void {
    if (!isPresent(host.sighting)) this.#remove(host, now)
  }

  /** Makes room for one more host, by removing the oldest one that has gone. False if all are present. */
  #makeRoom(now: number): boolean {
    if (this.#hosts.size < MAX_MDNS_HOSTS) return true
    for (const host of this.#hosts.values()) {
      if (isPresent(host.sighting)) continue
      this.#remove(host, now)
      return true
    }
    return false
  }

  #remove(host: MdnsHost, now: number): void {
    host.tasks.cancelAll()
    this.#budget.cancel(host.id)
    this.#hosts.delete(host.id)
    const peer = host.listedView()
    if (peer) this.#listener.hostChanged({ type: 'peer-forgotten', at: now, peer }, host.bytes)
    this.#identity.removeHost(host.id)
  }
}
